"""A schema as a compact TypeScript-like type, with what TypeScript cannot say in comments."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from structout.schema.references import resolve

_TYPES: Final = ("string", "integer", "number", "boolean", "null")
_BOUNDS: Final = {
    "minimum": ">= {}",
    "maximum": "<= {}",
    "exclusiveMinimum": "> {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}",
    "minLength": ">= {} characters",
    "maxLength": "<= {} characters",
    "minItems": ">= {} items",
    "maxItems": "<= {} items",
    "minProperties": ">= {} keys",
    "maxProperties": "<= {} keys",
    "pattern": "matches {}",
    "format": "{}",
    "contentEncoding": "{}",
}
_COMBINED: Final = (("allOf", " & "), ("anyOf", " | "), ("oneOf", " | "))
_SHAPES: Final = ("properties", "patternProperties", "required", "items", "prefixItems", "enum", "const", "$ref")
_MOST_EXAMPLES: Final = 3
_ATOM, _COMMENTED, _ALL, _ANY = range(4)  # how tightly the parts of a type are bound


class _Written(NamedTuple):
    text: str
    bound: int = _ATOM

    def within(self, bound: int) -> str:
        """The text, in brackets if its parts are bound less tightly."""
        return f"({self.text})" if self.bound > bound else self.text


class TypeScript:
    """Writes one schema: definitions that are used once in place, other definitions by name."""

    def __init__(self, root: dict[str, Any] | bool) -> None:
        self._root = root
        self._uses = Counter(_references(root))
        self._named: dict[str, str] = {}  # the definitions, by reference
        self._names: dict[str, str] = {}  # the names of references
        self._open: set[str] = set()

    def text(self) -> str:
        """The whole schema."""
        body = self._type(self._root).text
        about = self._note(self._root)
        lines = [f"// {about}"] if about else []
        lines += self._named.values()
        own = [f"type {self._name('#')} = {body}", self._name("#")] if self._uses["#"] else [body]
        return "\n".join([*lines, *own])

    def _type(self, node: Any) -> _Written:
        """The type of a subschema, without a note about it."""
        if not isinstance(node, dict):
            return _Written("any" if node else "never")
        parts = [self._reference(node["$ref"])] if isinstance(node.get("$ref"), str) else []
        combined = [(key, sign) for key, sign in _COMBINED if node.get(key)]
        own = self._own(node)
        if own is not None and not (own.text in ("any", "{\n  [key: string]: any\n}") and (parts or combined)):
            parts.append(own)
        for key, sign in combined:
            branches = [self._noted(_typed(branch, node)) for branch in node[key]]
            is_scalar = own is not None and own.text in _TYPES
            parts = [part for part in parts if not (is_scalar and part is own)]  # the branches say it
            parts.append(_joined(branches, sign))
        return _joined(parts, " & ") if parts else _Written("any")

    def _own(self, node: dict[str, Any]) -> _Written | None:
        """What a subschema says itself; None if it only refers to others."""
        if "const" in node:
            return _Written(_json(node["const"]))
        if "enum" in node:
            return _joined([_Written(_json(value)) for value in node["enum"]], " | ")
        kind = node.get("type")
        if isinstance(kind, list):
            return _joined([self._own({**node, "type": one}) or _Written("any") for one in kind], " | ")
        is_object = kind is None and any(key in node for key in ("properties", "patternProperties", "required"))
        if kind == "object" or is_object:
            return self._object(node)
        if kind == "array" or (kind is None and any(key in node for key in ("items", "prefixItems"))):
            return self._array(node)
        return _Written(kind if kind in _TYPES else "any") if kind is not None else None

    def _noted(self, node: Any) -> _Written:
        """The type of a subschema with a note about it."""
        written, note = self._type(node), self._note(node)
        if not note:
            return written
        return _Written(f"{written.text} /* {note.replace('*/', '* /')} */", max(_COMMENTED, written.bound))

    def _reference(self, ref: str) -> _Written:
        if ref in self._named or ref == "#" or ref in self._open:
            return _Written(self._name(ref))  # a recursive type is written where it began
        self._open.add(ref)
        own = resolve(self._root, ref)
        written = self._type(own)
        self._open.discard(ref)
        if self._uses[ref] > 1 or ref in self._names:
            about = self._note(own)
            self._named[ref] = (f"// {about}\n" if about else "") + f"type {self._name(ref)} = {written.text}"
            return _Written(self._name(ref))
        return written

    def _name(self, ref: str) -> str:
        if ref not in self._names:
            plain = re.sub(r"\W", "_", ref.rsplit("/", 1)[-1]) if ref != "#" else "Document"
            taken = sum(name.rstrip("_") == plain for name in self._names.values())
            self._names[ref] = plain + "_" * taken
        return self._names[ref]

    def _array(self, node: dict[str, Any]) -> _Written:
        rest = node.get("items", True)
        first = node.get("prefixItems") or ()
        if isinstance(rest, list):  # as tuples were written up to draft 2019-09
            first, rest = rest, node.get("additionalItems", True)
        if not first:
            return _Written(f"{self._type(rest).within(_ATOM)}[]")  # the note about the list speaks of its items
        least, most = node.get("minItems", 0), node.get("maxItems", len(first) + 1)
        parts = [self._noted(item).text + ("?" if place >= least else "") for place, item in enumerate(first[:most])]
        if rest is not False and most > len(first):
            parts.append(f"...{self._noted(rest).within(_ATOM)}[]")
        return _Written(f"[{', '.join(parts)}]")

    def _object(self, node: dict[str, Any]) -> _Written:
        declared, required = node.get("properties", {}), node.get("required", [])
        required = required if isinstance(required, list) else []
        lines = []
        for key, value in [*declared.items(), *((key, True) for key in required if key not in declared)]:
            name = key if key.isidentifier() else _json(key)
            lines.append(self._line(name + ("" if key in required else "?"), value, is_optional=key not in required))
        for pattern, value in node.get("patternProperties", {}).items():
            lines.append(self._line(f"[key matching {pattern}]", value))
        extra = node.get("additionalProperties", None if lines else True)
        if extra not in (None, False):
            names = node.get("propertyNames")
            kind = self._noted(_typed(names, {"type": "string"})).text if isinstance(names, dict) else "string"
            lines.append(self._line(f"[key: {kind}]", extra))
        inner = "\n".join("  " + line for text in lines for line in text.split("\n"))
        return _Written(f"{{\n{inner}\n}}" if lines else "{}")

    def _line(self, name: str, value: Any, *, is_optional: bool = False) -> str:
        """One field, with its note behind it."""
        folded = _folded(value)
        written = self._type(value) if folded is None else _joined([self._type(one) for one in folded], " | ")
        note = self._note(value, is_optional=is_optional)
        return f"{name}: {written.text}{'  // ' + note if note else ''}"

    def _note(self, node: Any, *, is_optional: bool = False) -> str:
        """What the type of a subschema does not say: its description, bounds and conditions."""
        if not isinstance(node, dict):
            return ""
        found = list(dict.fromkeys(note for one in (node, *(_folded(node) or ())) for note in self._notes(one)))
        if is_optional and node.get("default") not in (None, [], {}):
            found.append(f"default {_json(node['default'])}")
        examples = node.get("examples")
        if isinstance(examples, list) and examples:
            found.append(f"for example {', '.join(map(_json, examples[:_MOST_EXAMPLES]))}")
        return "; ".join([*(note.removesuffix(".") for note in found[:-1]), *found[-1:]])

    def _notes(self, node: Any) -> Iterator[str]:
        if not isinstance(node, dict):
            return
        ref = node.get("$ref")
        target = resolve(self._root, ref) if isinstance(ref, str) and ref not in self._names else None
        if about := description(node) or description(target):
            yield about
        yield from _bounds(node)
        if isinstance(target, dict):
            yield from (bound for bound in _bounds(target) if ref != "#")
        items = self._note(node["items"]) if isinstance(node.get("items"), dict) and not node.get("prefixItems") else ""
        if items:
            yield f"each: {items}"
        if "contains" in node:
            yield f"at least {node.get('minContains', 1)} of: {self._flat(node['contains'])}"
            if "maxContains" in node:
                yield f"at most {node['maxContains']} of these"
        if "not" in node:
            yield f"not: {self._flat(node['not'])}"
        if "if" in node:
            ways = [("then", ""), ("else", "otherwise ")]
            said = [f"{word}{self._flat(node[key])}" for key, word in ways if key in node]
            yield f"if {self._flat(node['if'])}: {'; '.join(said)}"
        for key in ("dependentRequired", "dependentSchemas", "dependencies"):
            for name, wanted in (node.get(key) or {}).items():
                yield f"with {name}: {', '.join(wanted) if isinstance(wanted, list) else self._flat(wanted)}"

    def _flat(self, node: Any) -> str:
        """A type on one line."""
        commented = re.sub("  // (.*)$", r" /* \1 */", self._noted(node).text, flags=re.MULTILINE)
        return " ".join(commented.split())


def _folded(node: Any) -> list[Any] | None:
    """The alternatives of a value that may be null, if only one other alternative remains: notes speak of that one."""
    if not isinstance(node, dict) or not isinstance(node.get("anyOf"), list):
        return None
    branches = node["anyOf"]
    others = [one for one in branches if not (isinstance(one, dict) and one.get("type") == "null")]
    is_alone = not any(key in node for key in ("type", "allOf", "oneOf", *_SHAPES))
    return branches if len(others) == 1 and is_alone else None


def _typed(branch: Any, node: dict[str, Any]) -> Any:
    """A branch with the scalar type of the node around it, if it names none itself."""
    says = ("type", "anyOf", "oneOf", "allOf", *_SHAPES)
    if not isinstance(branch, dict) or node.get("type") not in _TYPES or any(key in branch for key in says):
        return branch
    return {**branch, "type": node["type"]}


def _joined(parts: list[_Written], sign: str) -> _Written:
    """Several types as one: alternatives, or all at once."""
    bound = _ANY if sign == " | " else _ALL
    texts = list(dict.fromkeys(part.text if sign == " | " else part.within(_ALL) for part in parts))
    if len(texts) == 1:
        return parts[0]
    return _Written(sign.join(texts), bound)


def _bounds(node: dict[str, Any]) -> Iterator[str]:
    for key, text in _BOUNDS.items():
        exclusive = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}.get(key, "")
        if key not in node or isinstance(node[key], bool):
            continue
        if node.get(exclusive) is True:  # draft 4
            yield _BOUNDS[exclusive].format(node[key])
        elif key == "minLength" and node[key] == 1:
            yield "not empty"
        else:
            yield text.format(node[key])
    if node.get("uniqueItems") is True:
        yield "all different"


def description(node: Any) -> str:
    """The description of a subschema on one line."""
    return " ".join(str(node.get("description", "")).split()) if isinstance(node, dict) else ""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
