"""The rewriting of a JSON Schema into keywords that the engine supports, with a list of the remaining gaps."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import permutations
from typing import Any

import jsonschema_rs

from structout.grammar.disjoint import TYPES, disjoint
from structout.grammar.negation import UNSUPPORTED, negated
from structout.grammar.numbers import BOUNDS, numbers, whole_counts
from structout.grammar.strings import FORMATS, PYDANTIC
from structout.issue import pointer
from structout.schema.keywords import RESTRICTING, with_exclusive_bounds
from structout.schema.references import place_of, refuse, target

_DEEPEST = 60  # levels of nested subschemas that are rewritten
_MOST_BRANCHES = 12  # overlapping alternatives of a oneOf that are separated
_MOST_COMPARED = 80  # alternatives of a oneOf that are compared pair by pair
_MOST_UNIQUE = 4  # values up to which all permutations are listed
_ARRAYS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "$defs", "definitions")
_SINGLE = ("additionalProperties", "items", "additionalItems")
_KEPT = RESTRICTING | {"$schema", "$id", "id", "$anchor", "$defs", "definitions", "x-guidance"}
_CONTROL = re.compile(r"\\u00[01]")  # in JSON; those with short escapes are written
_LARGEST = 1e20  # the largest bound of a number that the engine takes
_DOUBLE = 1.7976931348623157e308


@dataclass(frozen=True, slots=True)
class Gap:
    """One keyword that the mask does not enforce, or enforces more narrowly than written."""

    pointer: str
    keyword: str
    why: str
    narrower: bool = False


@lru_cache(maxsize=256)
def _known(pattern: str) -> bool:
    """Whether the engine can compile a regular expression."""
    from llguidance import LLMatcher, regex_to_lark

    reason = LLMatcher.validate_grammar(LLMatcher.grammar_from_regex(regex_to_lark(pattern, "dw")))
    return not reason or reason.startswith("WARNING")


def uncounted(node: Any) -> Any:
    """The schema without counts of members: in its lenient mode the engine counts only undeclared members."""
    if isinstance(node, dict):
        counts = ("minProperties", "maxProperties")
        kept = {key: value for key, value in node.items() if key not in counts or isinstance(value, dict | bool)}
        return {key: uncounted(value) for key, value in kept.items()}
    return [uncounted(item) for item in node] if isinstance(node, list) else node


@dataclass
class Rewriter:
    """Rewrites one schema; `gaps` collects the keywords that the result leaves to validation.

    Every step is sound: a document that the result allows but the schema rejects breaks a keyword in `gaps`.
    """

    root: Any
    pydantic: bool
    gaps: list[Gap] = field(default_factory=list)

    def rewrite(self) -> Any:
        """The whole schema, rewritten."""
        outcome = self.visit(self.root, ())
        if isinstance(outcome, dict):
            outcome.pop("x-guidance", None)  # it would set the engine's options
        return outcome

    def visit(self, node: Any, path: tuple[str | int, ...]) -> Any:
        """One subschema, rewritten."""
        if not isinstance(node, Mapping) or len(path) > 4 * _DEEPEST:
            return node
        new: dict[str, Any] = {}
        for key, value in with_exclusive_bounds(node).items():
            if key not in _KEPT and not self._is_target(pointer((*path, key))):
                continue  # an annotation, which the engine may refuse
            if key in _ARRAYS and isinstance(value, list):
                new[key] = [self.visit(item, (*path, key, i)) for i, item in enumerate(value)]
            elif key in _MAPS and isinstance(value, Mapping):
                new[key] = {name: self.visit(item, (*path, key, name)) for name, item in value.items()}
            elif key in _SINGLE and isinstance(value, Mapping):
                new[key] = self.visit(value, (*path, key))
            elif key == "items" and isinstance(value, list):
                new[key] = [self.visit(item, (*path, key, i)) for i, item in enumerate(value)]
            else:
                new[key] = value
        if "$ref" in node and self._siblings_ignored:
            return {key: value for key, value in new.items() if key in ("$ref", "$defs", "definitions")}
        whole_counts(new)
        self._exponents(new, path)
        self._controls(new, path)
        self._bounds(new, path)
        self._pattern(new, path)
        self._format(new, path)
        self._numbers(new, path)
        self._unique(new, path)
        self._names(new, path)
        self._counts(new, path)
        self._dependencies(new, path)
        self._condition(new, path)
        self._not(new, path)
        self._one_of(new, path)
        for key in UNSUPPORTED:
            if key in new:
                del new[key]
                self._gap(path, key, "the engine does not support it")
        return new

    def _is_target(self, place: str) -> bool:
        """Whether a reference leads to a place, or into it."""
        return any(other == place or other.startswith(place + "/") for other in self._targets)

    @cached_property
    def _targets(self) -> frozenset[str]:
        found, stack = set(), [self.root]
        while stack:
            node = stack.pop()
            if isinstance(node, Mapping):
                if isinstance(node.get("$ref"), str):
                    found.add(place_of(node["$ref"]))
                stack.extend(node.values())
            elif isinstance(node, list):
                stack.extend(node)
        return frozenset(found)

    @property
    def _siblings_ignored(self) -> bool:
        """Whether keywords beside a $ref are ignored, as they are up to draft 7."""
        draft = self.root.get("$schema", "") if isinstance(self.root, Mapping) else ""
        return isinstance(draft, str) and any(name in draft for name in ("draft-04", "draft-06", "draft-07"))

    def doubt(self, keyword: str, why: str) -> None:
        """Note that the mask may not enforce a keyword somewhere."""
        self._gap((), keyword, why)

    def _gap(self, path: tuple[str | int, ...], keyword: str, why: str, *, narrower: bool = False) -> None:
        self.gaps.append(Gap(pointer(path), keyword, why, narrower))

    def _also(self, node: dict[str, Any], constraint: Any) -> None:
        node["allOf"] = [*node.get("allOf", []), constraint]

    def _bounds(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        """Drop bounds beyond the numbers of the engine."""
        for key in BOUNDS:
            bound = node.get(key)
            if isinstance(bound, int | float) and abs(bound) > _LARGEST:
                del node[key]
                if abs(bound) < _DOUBLE:  # no document holds a larger number than a double
                    self._gap(path, key, "a bound beyond the engine's numbers")

    def _exponents(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        """Say that numbers have exponents of two digits at most, if they may have exponents."""
        kinds = node.get("type")
        if "number" in ([kinds] if isinstance(kinds, str) else kinds or []) and not any(key in node for key in BOUNDS):
            self._gap(path, "type", "numbers below 1e100 only", narrower=True)

    def _controls(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        """Say which texts cannot be written: control characters need escapes that the layout excludes."""
        for key in ("enum", "const", "properties"):
            if key in node and _CONTROL.search(json.dumps(list(node[key]) if key == "properties" else node[key])):
                self._gap(path, key, "texts without control characters only", narrower=True)

    def _pattern(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        pattern = node.get("pattern")
        if isinstance(pattern, str) and not _known(pattern):
            del node["pattern"]
            self._gap(path, "pattern", "look-around, or another feature that the engine does not support")

    def _format(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        name = node.pop("format", None)
        if name is None:
            return
        expression = (PYDANTIC if self.pydantic else FORMATS).get(name) if isinstance(name, str) else None
        if expression is not None:
            pattern = f"^(?:{expression})$"
            if "pattern" in node:
                self._also(node, {"pattern": pattern})
            else:
                node["pattern"] = pattern
            if name in ("email", "hostname", "uri", "iri", "uri-template", "idn-email", "idn-hostname"):
                self._gap(path, "format", f"common spellings of {name!r} only", narrower=True)
        elif name == "regex":
            self._gap(path, "format", "the syntax of regular expressions is not a regular language")

    def _numbers(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        constraint, gaps = numbers(node)
        if constraint is not None:
            self._also(node, constraint)
        for keyword, why, narrower in gaps:
            self._gap(path, keyword, why, narrower=narrower)

    def _unique(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        if node.get("uniqueItems") is not True:
            node.pop("uniqueItems", None)
            return
        if isinstance(node.get("maxItems"), int) and node["maxItems"] <= 1:
            del node["uniqueItems"]
            return
        listed = self.values(node.get("items"))
        if listed is not None and len(listed) <= _MOST_UNIQUE and "prefixItems" not in node:
            values = self._different(listed)
            least, most = node.get("minItems", 0), node.get("maxItems", len(values))
            rows = [list(row) for n in range(least, min(most, len(values)) + 1) for row in permutations(values, n)]
            if rows:
                del node["uniqueItems"]
                for key in ("items", "minItems", "maxItems"):
                    node.pop(key, None)
                self._also(node, {"anyOf": [{"enum": rows}, {"type": [one for one in TYPES if one != "array"]}]})
                return
        del node["uniqueItems"]
        self._gap(path, "uniqueItems", "a grammar does not remember earlier items")

    def values(self, node: Any) -> list[Any] | None:
        """The values that a subschema lists and accepts; None if it lists no values, or if that is unknown."""
        node = self.resolve(node)
        if not isinstance(node, Mapping):
            return None
        listed = [node["const"]] if "const" in node else node.get("enum")
        if listed is None and node.get("type") == "boolean":
            listed = [True, False]
        if not isinstance(listed, list):
            return None
        judge = self._judge(node)
        return None if judge is None else [value for value in listed if judge.is_valid(value)]

    def _different(self, values: Sequence[Any]) -> list[Any]:
        """The values without those that equal an earlier value, as 1 and 1.0 do."""
        return [
            one for place, one in enumerate(values) if not any(self.fits({"const": o}, one) for o in values[:place])
        ]

    def _names(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        names = node.get("propertyNames")
        if names is None:
            return
        names = self.resolve(names)
        others = node.get("additionalProperties", True)
        kinds = names.get("type", "string") if isinstance(names, Mapping) else "string" * (names is True)
        may_be_text = "string" in ([kinds] if isinstance(kinds, str) else kinds)  # each name is a string
        rest = set(names) - {"type", "title", "description", "format"} if isinstance(names, Mapping) else {"?"}
        if names is True or (may_be_text and not rest and "format" not in names):
            del node["propertyNames"]
            return
        listed = self.values(names) if may_be_text else []
        if listed is not None and not node.get("patternProperties"):
            declared = node.get("properties", {})
            node["properties"] = {
                **{name: schema if name in listed else False for name, schema in declared.items()},
                **{name: others for name in listed if isinstance(name, str) and name not in declared},
            }
            node["additionalProperties"] = False
            del node["propertyNames"]
            return
        pattern = names.get("pattern") if isinstance(names, Mapping) and rest == {"pattern"} else None
        if isinstance(names, Mapping) and rest and rest <= {"minLength", "maxLength"}:
            pattern = rf"^[\s\S]{{{names.get('minLength', 0)},{names.get('maxLength', '')}}}$"
        if pattern is not None and not node.get("patternProperties"):
            try:
                fits = jsonschema_rs.validator_for({"pattern": pattern}).is_valid
                declared = node.get("properties", {})
                node["properties"] = {name: schema if fits(name) else False for name, schema in declared.items()}
                node["patternProperties"] = {pattern: others}
                node["additionalProperties"] = False
                del node["propertyNames"]
                return
            except jsonschema_rs.ValidationError:
                pass
        del node["propertyNames"]
        self._gap(path, "propertyNames", "a pattern cannot express these names")

    def _counts(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        """Drop counts that the engine gets wrong: it counts only if all members are required, or no others allowed."""
        declared, required = node.get("properties") or {}, node.get("required", [])
        counted = [key for key in ("minProperties", "maxProperties") if key in node]
        if not counted or set(declared) <= set(required) or node.get("additionalProperties") is False:
            return
        for key in counted:
            if key == "maxProperties" or node[key] > len(required):
                self._gap(path, key, "the engine cannot count optional members beside undeclared members")
            del node[key]

    def _dependencies(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        for key in ("dependencies", "dependentRequired", "dependentSchemas"):
            for name, wanted in node.pop(key, {}).items():
                follows = {"required": wanted} if isinstance(wanted, list) else self.visit(wanted, (*path, key, name))
                self._also(node, {"anyOf": [{"properties": {name: False}}, follows]})

    def _condition(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        condition, then, other = node.pop("if", None), node.pop("then", True), node.pop("else", True)
        if condition is None or (then is True and other is True):
            return
        against = negated(condition, self)
        if against is None:
            self._gap(path, "if", "the condition cannot be negated")
            return
        parts = [self.visit(part, (*path, key)) for part, key in ((condition, "if"), (then, "then"), (other, "else"))]
        self._also(node, {"anyOf": [{"allOf": [parts[0], parts[1]]}, {"allOf": [against, parts[2]]}]})

    def _not(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        if "not" not in node:
            return
        refused = node.pop("not")
        listed = self.values(refused)
        if listed is not None and isinstance(node.get("enum"), list) and set(refused) <= {"enum", "const", "type"}:
            node["enum"] = [value for value in node["enum"] if not self.fits(refused, value)]
            return
        against = negated(refused, self)
        if against is None:
            self._gap(path, "not", "the engine does not support negation")
        else:
            self._also(node, against)

    def _one_of(self, node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        branches = node.get("oneOf")
        if not isinstance(branches, list) or len(branches) < 2:
            return
        node.pop("oneOf")
        context = {key: value for key, value in node.items() if key in ("type", "required", "properties")}
        overlapping = [
            (i, j)
            for i in range(len(branches))
            for j in range(i)
            if len(branches) > _MOST_COMPARED or not disjoint(branches[i], branches[j], context, self)
        ]
        if not overlapping:
            self._also(node, {"anyOf": branches})
            return
        against = {k: negated(branches[k], self) for k in {k for pair in overlapping for k in pair}}
        if len(branches) <= _MOST_BRANCHES and all(value is not None for value in against.values()):
            apart = [
                {"allOf": [branch, *(against[j if i == k else i] for i, j in overlapping if k in (i, j))]}
                for k, branch in enumerate(branches)
            ]
            self._also(node, {"anyOf": apart})
            return
        self._also(node, {"anyOf": branches})
        self._gap(path, "oneOf", "the alternatives overlap: a document may fit several")

    def resolve(self, node: Any) -> Any:
        """The target of a `$ref` without siblings; the node itself if the target is missing."""
        seen: set[str] = set()
        while isinstance(node, Mapping) and set(node) <= {"$ref", "title", "description"} and "$ref" in node:
            found = target(self.root, place_of(node["$ref"])) if node["$ref"] not in seen else None
            if found is None:
                return node
            seen.add(node["$ref"])
            node = found
        return node

    def fits(self, node: Any, value: Any) -> bool:
        """Whether a value fits a subschema; True if that is unknown."""
        judge = self._judge(node)
        return judge is None or bool(judge.is_valid(value))

    def _judge(self, node: Any) -> Any | None:
        """A validator of a subschema; None if it cannot be made."""
        definitions = {key: self.root[key] for key in ("$defs", "definitions", "$schema") if key in self.root}
        try:
            return jsonschema_rs.validator_for({**definitions, "allOf": [node]}, retriever=refuse)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            return None
