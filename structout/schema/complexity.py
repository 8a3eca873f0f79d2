"""The cost of a schema: its depth, its size, and the number of its parts that apply to a document."""

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from pydantic_core import to_json

from structout.document import DEEPEST
from structout.errors import SchemaError
from structout.issue import Steps, pointer
from structout.schema.references import References

_MOST_VALUES = 1_000_000  # in a schema; a value shared by several places counts once for each place
_LONGEST_CHAIN = 100  # subschemas that lead from one to the next and apply to the same value
_MOST_AT_ONCE = 20_000  # subschemas that apply to one value
_MOST_UNEVALUATED = 2_000  # the same, if a validator is built for each subschema
_ENDLESS = 10**12
_MOST_STEPS = 400_000  # of computing the cost: about a third of a second
_LARGE = 1_000  # subschemas; with more, a separate validator for each part costs too much
_GENTLE = 500  # a count of subschemas that is harmless
_BITS = 1024  # an integer with this many bits or more exceeds the range of doubles
_MANY = re.compile(rb"\d{308}")  # the digits of such an integer
_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLE = ("not", "if", "then", "else")
_MAPS = ("dependentSchemas", "dependencies")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_FEWER = "use fewer references and alternatives"
_SHALLOWER = "move nested parts to $defs"


def check_form(schema: Any) -> None:
    """Raise `SchemaError` for a schema that is not JSON, too deep or too large. Later code may then safely recurse."""
    _measure(schema, (), {})


def _measure(node: Any, path: Steps, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """The number of values in a part of a schema, and its depth. `known` caches both by `id()` of the containers."""
    if not isinstance(node, dict | list | tuple):
        _check_scalar(node, path)
        return 1, 0
    size, height = known.get(id(node), (0, 0))
    if not size and len(path) <= DEEPEST:
        size = 1
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(node, dict) and not isinstance(key, str):
                raise _invalid(f"got a key of type {type(key).__name__}, expected a text", path)
            more, deep = _measure(value, (*path, key), known)
            size, height = size + more, max(height, deep + 1)
        known[id(node)] = size, height
    if len(path) + height > DEEPEST:
        raise _invalid(f"nested too deep, expected {DEEPEST} levels at most", hint=_SHALLOWER)
    if size > _MOST_VALUES:
        raise _invalid(f"too large, expected {_MOST_VALUES:,} values at most", hint=_FEWER)
    return size, height


def _check_scalar(value: Any, path: Steps) -> None:
    if not isinstance(value, str | int | float | None):
        raise _invalid(f"got a {type(value).__name__}, expected JSON", path)
    if not is_written(value):
        found = f"an integer of {value.bit_length()} bits" if isinstance(value, int) else str(value)
        raise _invalid(f"got {found}, expected a number within the range of doubles", path)


def is_written(value: Any) -> bool:
    """Whether every JSON reader can read the numbers in a value: they are finite and within the range of doubles."""
    if isinstance(value, dict | list):
        with suppress(ValueError):  # half of a character, or many levels
            text = to_json(value)  # faster than a look at every part
            if not (b"NaN" in text or b"Infinity" in text or _MANY.search(text)):
                return True
    parts = [value]
    for one in parts:  # which grows
        if isinstance(one, str):
            continue
        if isinstance(one, dict):
            parts.extend(one.values())
        elif isinstance(one, list | tuple):
            parts.extend(one)
        elif isinstance(one, float):
            if not math.isfinite(one):
                return False
        elif isinstance(one, int) and one.bit_length() >= _BITS:
            return False
    return True


def _invalid(problem: str, path: Steps = (), *, hint: str = "use only values that JSON can hold") -> SchemaError:
    return SchemaError(f"invalid schema{' at ' + pointer(path) if path else ''}: {problem}", hint=hint)


class _Part(NamedTuple):
    """A subschema for computing the cost: the `id()`s of the subschemas that it leads to.

    The subschemas in `beside` apply to the same value. `objects` and `arrays` hold two lists each, of subschemas that
    apply to parts of the value: at most one of the first list, and all of the second, apply to the same part.
    """

    beside: list[int]
    objects: tuple[list[int], list[int]]
    arrays: tuple[list[int], list[int]]

    def all(self) -> list[int]:
        """The ids of all subschemas."""
        return [*self.beside, *self.objects[0], *self.objects[1], *self.arrays[0], *self.arrays[1]]


class _Step(NamedTuple):
    """A `_Part` with positions in the list of counts instead of ids."""

    beside: tuple[int, ...]
    groups: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]


class Complexity:
    """The largest number of subschemas that apply to one value of a document and to all containers around the value.

    Each level of nested references can double the count. In a schema that refers to itself at two places, each level of
    the document doubles it. The count is that of the worst document; most documents cost far less. `check_form` must
    have accepted the schema. Raises `SchemaError` for a schema that costs too much for any document.
    """

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        references = References(schema)
        self._parts: dict[int, _Part] = {}
        self.is_local = isinstance(schema, dict)  # all references are JSON Pointers that mean the same everywhere
        self.unevaluated = False
        stack = [schema]
        while stack:
            node = stack.pop()
            if not isinstance(node, dict) or id(node) in self._parts:
                continue
            self.unevaluated |= "unevaluatedProperties" in node or "unevaluatedItems" in node
            self.is_local &= _is_local(node, inner=node is not schema)
            beside = [*_beside(node), *references.of(node)]
            groups = _members(node), _items(node)
            stack += [*beside, *(one for group in groups for nodes in group for one in nodes)]
            objects, arrays = ((_ids(one), _ids(all_)) for one, all_ in groups)
            self._parts[id(node)] = _Part(_ids(beside), objects, arrays)
        order, is_endless = self._sorted()
        order = [key for key in order if any(self._parts[key].all())]
        self._places = dict.fromkeys(self._parts, 0)  # positions in the lists of counts; all leaves share position 0
        self._places |= {key: place for place, key in enumerate(order, 1)}
        self._steps = [_Step((), ()), *(self._step(self._parts[key]) for key in order)]
        self._levels = [self._counts([])]
        self._deepest = None if is_endless else self._counts(None)
        self.is_large = len(self._parts) > _LARGE
        self.at_once = max(self._levels[0])  # the count for a single value
        most = max(len(self._parts), _MOST_UNEVALUATED if self.unevaluated else _MOST_AT_ONCE)
        if self.at_once > most:
            problem = f"references and alternatives multiply, expected {most:,} parts or fewer that apply to one value"
            raise _invalid(problem, hint=_FEWER)

    def cost(self, depth: int, node: Any = None) -> int:
        """The count for a document with `depth` levels of containers, and a subschema (by default the whole schema)."""
        place = self._places.get(id(self._schema if node is None else node), 0)
        depth = min(depth, DEEPEST)
        if self._deepest and (depth == DEEPEST or self._deepest[place] < _GENTLE):
            return self._deepest[place]
        if depth * len(self._steps) > _MOST_STEPS:
            return _ENDLESS
        while len(self._levels) <= depth and self._levels[-1][place] < _ENDLESS:
            self._levels = [*self._levels, self._counts(self._levels[-1])]
        return self._levels[min(depth, len(self._levels) - 1)][place]

    def is_steep(self) -> bool:
        """Whether the count for a deep document may be out of proportion to the size of the schema."""
        return self.cost(DEEPEST) > max(_GENTLE, len(self._parts))

    def _sorted(self) -> tuple[list[int], bool]:
        """The ids of the subschemas, each after the subschemas it leads to, and whether the schema is recursive.

        In a recursive schema, each comes only after the subschemas that apply to the same value.
        """
        beside = {key: part.beside for key, part in self._parts.items()}
        try:
            order = list(TopologicalSorter(beside).static_order())
        except CycleError as error:
            hint = "let a recursive schema refer to itself from a property or an item"
            raise _invalid("a $ref leads back to itself without going deeper", hint=hint) from error
        chains: dict[int, int] = {}
        for key in order:
            chains[key] = 1 + max((chains[one] for one in beside[key]), default=0)
            if chains[key] > _LONGEST_CHAIN:
                raise _invalid(
                    f"the chain of references is too long, expected {_LONGEST_CHAIN} links at most", hint=_FEWER
                )
        try:
            return list(TopologicalSorter({key: part.all() for key, part in self._parts.items()}).static_order()), False
        except CycleError:
            return order, True

    def _step(self, part: _Part) -> _Step:
        places = self._places
        groups = tuple(
            (tuple({places[one] for one in some}), tuple(places[one] for one in every))
            for some, every in (part.objects, part.arrays)
            if some or every
        )
        return _Step(tuple(places[one] for one in part.beside), groups)

    def _counts(self, inner: list[int] | None) -> list[int]:
        """The counts for documents one level deeper than the documents of `inner`.

        An empty `inner` gives the counts for scalars; None gives the counts over all depths.
        """
        found: list[int] = []
        inner = found if inner is None else inner
        for beside, groups in self._steps:
            count = 1
            for one in beside:
                count += found[one]
            deepest = 0
            for some, every in groups if inner else ():
                deeper = max([inner[one] for one in some], default=0)
                for one in every:
                    deeper += inner[one]
                deepest = max(deepest, deeper)
            found.append(min(count + deepest, _ENDLESS))
        return found


def _is_local(node: dict[str, Any], *, inner: bool) -> bool:
    if "unevaluatedProperties" in node or "unevaluatedItems" in node or any(name in node for name in _REFERENCES[1:]):
        return False
    reference = node.get("$ref", "#")
    if not isinstance(reference, str) or (reference != "#" and not reference.startswith("#/")):
        return False
    return not (inner and isinstance(node.get("$id", node.get("id")), str))


def _ids(nodes: list[Any]) -> list[int]:
    return [id(node) for node in nodes if isinstance(node, dict)]


def _beside(node: dict[str, Any]) -> Iterator[Any]:
    for key in _LISTS:
        yield from _listed(node, key)
    yield from (node[key] for key in _SINGLE if key in node)
    for key in _MAPS:
        yield from _named(node, key)


def _members(node: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    others = [node[key] for key in ("additionalProperties", "unevaluatedProperties", "propertyNames") if key in node]
    return [*_named(node, "properties"), *others], _named(node, "patternProperties")


def _items(node: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    others = [node[key] for key in ("items", "additionalItems", "unevaluatedItems") if key in node]
    return [*_listed(node, "prefixItems"), *_listed(node, "items"), *others], [
        node[k] for k in ("contains",) if k in node
    ]


def _listed(node: dict[str, Any], key: str) -> list[Any]:
    return node[key] if isinstance(node.get(key), list) else []


def _named(node: dict[str, Any], key: str) -> list[Any]:
    return list(node[key].values()) if isinstance(node.get(key), dict) else []
