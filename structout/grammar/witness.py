"""The search for small documents of a JSON Schema, from which the search through a grammar starts."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, product
from typing import Any

import jsonschema_rs

from structout.grammar.numbers import whole_counts
from structout.grammar.samples import word
from structout.grammar.strings import FORMATS, PYDANTIC
from structout.schema.formats import formats_for
from structout.schema.patterns import with_unicode_patterns
from structout.schema.references import refuse, resolve
from structout.schema.walk import matches

_CHECKS = 12_000  # values that are checked in one search
_VARIANTS = 12  # ways to choose among alternatives
_MOST_PARTS = 120  # subschemas that apply to one value
_DEEPEST = 14  # levels of nesting
_KEPT = 3  # values that are kept for the same set of fitting subschemas
_DOCUMENTS = 12  # ... at the top of the document
_POOL = 24  # values of one place
_LONGEST_LIST = 60  # items
_BASIC: tuple[Any, ...] = (None, 0, "", [], {}, True, False, 1)
_CHOOSING = ("anyOf", "oneOf")


class Witness:
    """Searches for documents of one JSON Schema; `pydantic` says whether a Pydantic type wrote the schema.

    For the surrounding document, a value matters only by the set of subschemas that it fits. So the search keeps a few
    values for each set of fitting subschemas, from the leaves up, and builds arrays and objects from the kept values.
    This also serves `not`, `oneOf` and conditions, whose parts must not all fit. The search is bounded, so it may miss
    documents. The documents that it finds are validated, but not always the shortest.
    """

    def __init__(self, json_schema: Any, *, pydantic: bool = False) -> None:
        written = with_unicode_patterns(json_schema) if pydantic else json_schema
        self._root = _moved(written if isinstance(written, Mapping) else {"allOf": [written]})
        self._strings = PYDANTIC if pydantic else FORMATS
        self._draft = {"$schema": self._root["$schema"]} if "$schema" in self._root else {}
        self._formats = formats_for(json_schema, pydantic=pydantic)
        self._wide = False  # whether to search beyond values that fit one choice of alternatives
        self._left = 0
        self._pools: dict[tuple[int, ...], tuple[Any, ...]] = {}
        self._checks: dict[int, Any] = {}

    def documents(self) -> Iterator[str]:
        """A few documents that comply, the shortest first."""
        check = self._check(self._root)
        for self._wide in (False, True):
            self._left, self._pools = _CHECKS, {}
            found = [value for value in self._pool((self._root,), 0) if check(value)]
            if found:
                yield from (json.dumps(value, ensure_ascii=False) for value in found)
                return

    def _check(self, node: Any) -> Any:
        if id(node) not in self._checks:
            schema = {**self._draft, "$defs": {"root": self._root}, "allOf": [node]}
            try:
                self._checks[id(node)] = jsonschema_rs.validator_for(
                    schema, validate_formats=True, formats=self._formats, retriever=refuse,
                    pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=20_000),
                ).is_valid  # fmt: skip
            except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
                self._checks[id(node)] = lambda _: True
        return self._checks[id(node)]

    def _pool(self, nodes: tuple[Any, ...], depth: int) -> tuple[Any, ...]:
        """Values for a place to which `nodes` apply, sorted by the number of fitting nodes, then by length."""
        key = tuple(sorted({id(node) for node in nodes}))
        if key in self._pools or depth > _DEEPEST:
            return self._pools.get(key, _BASIC)
        self._pools[key] = _BASIC  # the values that a recursive schema uses for itself
        checks = [self._check(node) for node in nodes]
        kept: dict[tuple[bool, ...], dict[str, Any]] = {}
        seen: set[str] = set()
        for value in self._candidates(nodes, depth):
            text = json.dumps(value)
            if text in seen:
                continue
            seen.add(text)
            self._left -= 1
            if self._left < 0:
                break
            alike = kept.setdefault(tuple(check(value) for check in checks), {})
            alike[text] = value
            if len(alike) > (_KEPT if depth else _DOCUMENTS):
                del alike[max(alike, key=len)]
        ranked = sorted(
            (-sum(fits), len(text), i, value)
            for i, (fits, alike) in enumerate(kept.items())
            for text, value in ((text, _Hidden(value)) for text, value in alike.items())
        )
        self._pools[key] = tuple(hidden.value for *_, hidden in ranked[:_POOL]) or _BASIC
        return self._pools[key]

    def _candidates(self, nodes: tuple[Any, ...], depth: int) -> Iterator[Any]:
        everything = self._parts(nodes)
        yield from self._atoms(everything)
        for variant in range(_VARIANTS):
            chosen = self._parts(nodes, variant)
            if variant and chosen == self._parts(nodes, 0):
                break
            yield from self._arrays(chosen, everything, depth)
            yield from self._objects(chosen, everything, depth)

    def _parts(self, nodes: Sequence[Any], variant: int | None = None) -> list[Mapping[str, Any]]:
        """The subschemas that apply to the same value: with `variant` one alternative per choice, else all."""
        found: list[Mapping[str, Any]] = []
        queue, seen = list(nodes), set()
        while queue and len(found) < _MOST_PARTS:
            node = queue.pop(0)
            if not isinstance(node, Mapping) or id(node) in seen:
                continue
            seen.add(id(node))
            found.append(node)
            queue += [self._resolve(node["$ref"])] if isinstance(node.get("$ref"), str) else []
            queue += node.get("allOf", [])
            for key in _CHOOSING:
                branches = node.get(key, [])
                queue += branches if variant is None else branches[variant % len(branches) :][:1] if branches else []
            if variant is None:
                queue += [node[key] for key in ("not", "if", "then", "else") if key in node]
                for key in ("dependentSchemas", "dependencies"):
                    queue += node.get(key, {}).values()
        return found

    def _resolve(self, reference: str) -> Any:
        return resolve(self._root, "#" + reference.removeprefix("#/$defs/root").removeprefix("#"))

    def _atoms(self, parts: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
        for part in parts:
            if "const" in part:
                yield part["const"]
            for key in ("enum", "examples"):
                if isinstance(part.get(key), list):
                    yield from sorted(part[key], key=lambda value: len(json.dumps(value)))[:12]
            if "default" in part:
                yield part["default"]
        yield from _BASIC
        yield from _numbers(parts)
        least = max((part.get("minLength", 0) for part in parts), default=0)
        most = min((part["maxLength"] for part in parts if "maxLength" in part), default=None)
        yield "a" * min(least, 2_000)
        patterns = [part["pattern"] for part in parts if "pattern" in part]
        for part in parts:
            if isinstance(part.get("format"), str) and part["format"] in self._strings:
                whole = f"^(?:{self._strings[part['format']]})$"
                yield word((whole,))
                if patterns:
                    yield word((whole, *patterns[:4]))
        yield from _words(patterns, least, most)
        yield from ("2999-01-01", "2999-01-01T00:00:00Z", "2999-01-01T00:00:00", "https://a.b", "10.0.0.0/8", "P1D")

    def _arrays(self, chosen: Sequence[Any], everything: Sequence[Any], depth: int) -> Iterator[Any]:
        keywords = ("items", "prefixItems", "contains", "minItems", "uniqueItems", "maxItems")
        if not any(part.get("type") == "array" or part.keys() & set(keywords) for part in everything):
            return
        first = max(map(len, map(_prefix, everything)))
        pools = [self._pool(_items(chosen, place), depth + 1) for place in range(first)]
        rest = self._pool(_items(chosen, first), depth + 1)
        wide = self._pool(_items(everything, first), depth + 1) if self._wide else ()
        counts = {0, 1, 2, first}
        for part in everything:
            for key in ("minItems", "minContains", "maxItems", "maxContains"):
                if isinstance(part.get(key), int) and part[key] <= _LONGEST_LIST:
                    counts |= {part[key], part[key] + 1}
        for count in sorted(counts):
            start = [pool[0] for pool in pools[:count]]
            more = count - len(start)
            yield start + list(rest[:1]) * more
            if more:
                for value in wide:
                    yield start + [value] * more
                if any(part.get("uniqueItems") for part in everything):
                    fits = [self._check(node) for node in _items(chosen, first)]
                    spare = (value for n in range(2, 2 + count) for value in (n, str(n)))
                    found = [value for value in (*rest, *spare) if all(check(value) for check in fits)]
                    yield start + list({json.dumps(value): value for value in found}.values())[:more]
            if more > 1:
                for one, other in product(wide[:14], repeat=2):
                    yield start + [one] * (more - 1) + [other]

    def _objects(self, chosen: Sequence[Any], everything: Sequence[Any], depth: int) -> Iterator[Any]:
        keywords = ("properties", "required", "patternProperties", "propertyNames", "minProperties")
        if not any(part.get("type") == "object" or part.keys() & set(keywords) for part in everything):
            return
        declared = [name for part in everything for name in part.get("properties", {})]
        wanted = {name for part in chosen for name in part.get("required", [])}
        for part in chosen:
            for key in ("dependentRequired", "dependencies"):
                for name, names in part.get(key, {}).items():
                    if name in wanted and isinstance(names, list):
                        wanted.update(names)
        optional = list(dict.fromkeys([*self._names(everything), *(name for name in declared if name not in wanted)]))
        order = {name: place for place, name in enumerate(dict.fromkeys([*declared, *sorted(wanted), *optional]))}

        def values(name: str, parts: Sequence[Any]) -> tuple[Any, ...]:
            return self._pool(self._children(parts, name), depth + 1)

        def written(members: Mapping[str, Any]) -> dict[str, Any]:
            return dict(sorted(members.items(), key=lambda item: order.get(item[0], 0)))

        base = {name: values(name, chosen)[0] for name in sorted(wanted)}
        yield written(base)
        least = max((part.get("minProperties", 0) for part in everything), default=0)
        filler = {name: values(name, chosen)[0] for name in optional[: max(least - len(base), 0)]}
        yield written(base | filler)
        if not self._wide:
            return
        for name in list(base)[:12]:
            for value in values(name, everything):
                yield written(base | {name: value})
        some = {name: values(name, everything)[:8] for name in optional[:16]}
        for name in some:
            for value in some[name]:
                yield written(base | {name: value})
        for one, other in combinations(list(some)[:8], 2):
            for first, second in product(some[one][:3], some[other][:3]):
                yield written(base | {one: first, other: second})
        for three in combinations(list(some)[:6], 3):
            yield written(base | {name: some[name][0] for name in three})

    def _names(self, parts: Sequence[Any]) -> Iterator[str]:
        """Names that some part mentions, but no part declares."""
        naming = self._parts([part["propertyNames"] for part in parts if "propertyNames" in part])
        for part in naming:
            yield from (name for name in [part.get("const"), *part.get("enum", [])] if isinstance(name, str))
        patterns = [pattern for part in parts for pattern in part.get("patternProperties", {})]
        patterns += [part["pattern"] for part in naming if "pattern" in part]
        least = max((part.get("minLength", 0) for part in naming), default=0)
        yield from _words(list(dict.fromkeys(patterns)), least, None)
        for part in parts:
            for key in ("required", "dependentRequired", "dependencies"):
                yield from part.get(key, ())
        yield "a" * max(least, 1)
        yield from ("b", "c", "d")

    def _children(self, parts: Sequence[Any], name: str) -> tuple[Any, ...]:
        """The subschemas that apply to the value of the member `name`."""
        found: list[Any] = []
        for part in parts:
            own = [part["properties"][name]] if name in part.get("properties", {}) else []
            own += [node for pattern, node in part.get("patternProperties", {}).items() if matches(pattern, name)]
            found += own or [part[key] for key in ("additionalProperties", "unevaluatedProperties") if key in part]
        return tuple(found)


class _Hidden:
    """A value that sorting ignores."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, _: object) -> bool:
        return False


def _prefix(part: Mapping[str, Any]) -> list[Any]:
    items = part.get("prefixItems", part.get("items"))
    return items if isinstance(items, list) else []


def _items(parts: Iterable[Mapping[str, Any]], place: int) -> tuple[Any, ...]:
    """The subschemas that apply to the item at `place`."""
    found: list[Any] = []
    for part in parts:
        prefix = _prefix(part)
        rest = part.get("additionalItems") if isinstance(part.get("items"), list) else part.get("items")
        if place < len(prefix):
            found.append(prefix[place])
        elif rest is not None:
            found.append(rest)
        found += [part["contains"]] if "contains" in part else []
    return tuple(found)


def _numbers(parts: Sequence[Mapping[str, Any]]) -> Iterator[float]:
    bounds: set[float] = {0}
    steps: list[float] = []
    for part in parts:
        for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if isinstance(part.get(key), int | float) and not isinstance(part[key], bool):
                bounds.add(part[key])
        if isinstance(part.get("multipleOf"), int | float):
            steps.append(part["multipleOf"])
    steps += [_common(one, other) for one, other in combinations(steps[:4], 2)]
    for bound in sorted(bounds, key=abs):
        yield from (bound, bound + 1, bound - 1)
        if abs(bound) < 1e15:
            yield from (bound + 0.5, math.floor(bound) + 1, math.ceil(bound) - 1)
            for step in steps:
                for n in (math.ceil(bound / step), math.floor(bound / step) + 1, math.floor(bound / step) - 1):
                    yield n * step if isinstance(step, int) else round(n * step, 12)


def _common(one: float, other: float) -> float:
    """The least common multiple of two numbers."""
    a, b = Fraction(str(one)), Fraction(str(other))
    least = Fraction(math.lcm(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)
    return int(least) if least.denominator == 1 else float(least)


def _words(patterns: Sequence[str], least: int, most: int | None) -> Iterator[str]:
    """Texts that match some of the patterns, but not the rest of them."""
    some = patterns[:4]
    for n in range(len(some), 0, -1):
        for matching in combinations(some, n):
            against = tuple(pattern for pattern in some if pattern not in matching)
            yield word(matching, against, least, most) or word(matching)
    for pattern in patterns[4:12]:
        yield word((pattern,), (), least, most) or word((pattern,))
    for one, other in product(some, repeat=2):
        yield word((one,)) + word((other,))


def _moved(node: Any) -> Any:
    """The schema with its references adapted to a place within another schema, at `#/$defs/root`."""
    if isinstance(node, Mapping):
        moved = {
            key: _moved(value) for key, value in node.items() if key not in ("$id", "id") or not isinstance(value, str)
        }
        whole_counts(moved)
        if isinstance(moved.get("$ref"), str) and (moved["$ref"] == "#" or moved["$ref"].startswith("#/")):
            moved["$ref"] = "#/$defs/root" + moved["$ref"][1:]
        return moved
    return [_moved(item) for item in node] if isinstance(node, list) else node
