"""A value as the JSON document that it was read from, with its defaults: what is scored and written.

Pydantic writes some values otherwise than it reads them: secrets as asterisks, excluded fields not at all, computed
fields and other aliases besides. What it writes is then no document of the schema. It writes the members of a set in an
order that differs from process to process.
"""

import json
from collections.abc import Mapping
from math import inf
from typing import Any, NamedTuple

from structout.document import Json, leaves
from structout.schema.walk import inner, meant

_MOST_CHANGED = 300  # members of a set that were read as something else: each is compared with each


class _Parts(NamedTuple):
    """What the subschemas that may apply to a value say of its parts: the subschemas of its `declared` keys, of its
    `others`, of its `first` items and of all its `items`; the keys that have a default; and whether its items
    are a set.
    """

    declared: dict[str, list[Any]]
    others: list[Any]
    first: list[list[Any]]
    items: list[Any]
    defaults: frozenset[str]
    a_set: bool

    def item(self, index: int) -> list[Any]:
        """The subschemas of the item at this index."""
        return (self.first[index] if index < len(self.first) else []) or self.items


class Restored:
    """Writes what Pydantic dumped as documents of the schema `root`, with what Pydantic hides.

    Defaults that the dump fills in stay if the schema states them; a value made by a factory may differ each time.
    """

    def __init__(self, root: Any) -> None:
        self._root = root
        self._top = [root]
        self._known: dict[tuple[int, ...], _Parts] = {}  # by the ids of parts of `root`, which stay

    def of(self, document: Json, dumped: Json) -> Json:
        """The document of a value that was read from `document` and then dumped."""
        return self._merged(document, dumped, self._top)

    def ordered(self, dumped: Json) -> Json:
        """What Pydantic dumped, with the members of sets sorted: numbers first, then by their JSON."""
        return self._sorted(dumped, self._top)

    def _sorted(self, dumped: Json, nodes: list[Any]) -> Json:
        if not isinstance(dumped, dict | list):
            return dumped
        parts = self._parts(nodes)
        if isinstance(dumped, dict):
            return {key: self._sorted(value, parts.declared.get(key, parts.others)) for key, value in dumped.items()}
        items = [self._sorted(item, parts.item(index)) for index, item in enumerate(dumped)]
        return sorted(items, key=_rank) if parts.a_set else items

    def _merged(self, document: Json, dumped: Json, nodes: list[Any]) -> Json:
        if document == dumped:
            return dumped
        if isinstance(document, dict) and isinstance(dumped, dict):
            return self._object(document, dumped, self._parts(nodes))
        if isinstance(document, list) and isinstance(dumped, list) and len(document) == len(dumped):
            parts = self._parts(nodes)
            others = _aligned(document, dumped) if parts.a_set else dumped
            if others is None:
                return document
            pairs = enumerate(zip(document, others, strict=True))
            return [self._merged(item, other, parts.item(index)) for index, (item, other) in pairs]
        if isinstance(document, str) and isinstance(dumped, str):
            return document if dumped.strip("*") == "" else dumped  # a secret
        return document if isinstance(document, dict | list) or isinstance(dumped, dict | list) else dumped

    def _object(self, document: dict[str, Json], dumped: dict[str, Json], parts: _Parts) -> Json:
        made: dict[str, Json] = {}
        for key, value in dumped.items():
            if key in document:
                made[key] = self._merged(document[key], value, parts.declared.get(key, parts.others))
            elif key in parts.defaults:
                made[key] = value
        for key, value in document.items():  # what the dump leaves out, but for keys that the type ignores
            if key not in made and (key in parts.declared or any(other is not False for other in parts.others)):
                made[key] = value
        return made

    def _parts(self, nodes: list[Any]) -> _Parts:
        ids = tuple(map(id, nodes))
        found = self._known.get(ids)
        if found is None:
            found = self._known[ids] = self._found(meant(nodes, self._root))
        return found

    def _found(self, parts: list[dict[str, Any]]) -> _Parts:
        declared: dict[str, list[Any]] = {}
        for part in parts:
            for key, node in part.get("properties", {}).items():
                declared.setdefault(key, []).append(node)
        others = [part["additionalProperties"] for part in parts if "additionalProperties" in part]
        others += [node for part in parts for node in part.get("patternProperties", {}).values()]
        longest = max((len(part.get("prefixItems", ())) for part in parts), default=0)
        return _Parts(
            declared=declared,
            others=others,
            first=[
                [part["prefixItems"][index] for part in parts if index < len(part.get("prefixItems", ()))]
                for index in range(longest)
            ],
            items=[part["items"] for part in parts if "items" in part],
            defaults=frozenset(
                key for key, own in declared.items() if any("default" in one for one in meant(own, self._root))
            ),
            a_set=any(is_set(part) for part in parts),
        )


def is_set(node: Mapping[str, Any]) -> bool:
    """Whether a subschema says that the order of the items of a list says nothing: Pydantic writes `set` so."""
    return node.get("uniqueItems") is True and "prefixItems" not in node


def _rank(member: Json) -> tuple[float, str]:
    return member if isinstance(member, int | float) else inf, _name(member)


def _name(member: Json) -> str:
    return json.dumps(member, sort_keys=True)


def _aligned(document: list[Json], dumped: list[Json]) -> list[Json] | None:
    """The members of a dumped set, each in the place of the member of the document that it was read from: an equal one,
    else the one that shares the most leaves. Scalars that were read as other ones take the places left, in order. None
    where it is not clear which members belong together: a wrong pair would give a member another one's secret.
    """
    left: dict[str, list[Json]] = {}
    for other in dumped:
        left.setdefault(_name(other), []).append(other)
    found = {place: some.pop() for place, one in enumerate(document) if (some := left.get(_name(one)))}
    rest = [other for some in left.values() for other in some]
    if len(rest) > _MOST_CHANGED:
        return None
    for place in sorted({*range(len(document))} - {*found}, key=lambda place: _rank(document[place])):
        shared = [_shared(document[place], other) for other in rest]
        best = [other for other, count in zip(rest, shared, strict=True) if count == max(shared)]
        if isinstance(document[place], dict | list) and not (max(shared) and all(one == best[0] for one in best)):
            return None
        found[place] = rest.pop(shared.index(max(shared)))
    return [found[place] for place in range(len(document))]


def _shared(one: Json, other: Json) -> int:
    mine, theirs = leaves(one), leaves(other)
    return sum(theirs.get(place) == leaf for place, leaf in mine.items())


def without_defaults(document: Json, root: Any) -> Json:
    """The document of the schema `root` without optional members whose value is the default."""
    return _slim(document, [root], root)


def _slim(value: Json, nodes: list[Any], root: Any) -> Json:
    parts = meant(nodes, root)
    if isinstance(value, list):
        return [_slim(item, [one for part in parts for one in inner(part, n)], root) for n, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    required = {key for part in parts for key in part.get("required", ())}
    made: dict[str, Json] = {}
    for key, item in value.items():
        own = [one for part in parts for one in inner(part, key)]
        slim = _slim(item, own, root)
        defaults = [part["default"] for part in meant(own, root) if "default" in part]
        if key in required or not any(_alike(default, one) for default in defaults for one in (item, slim)):
            made[key] = slim
    return made


def _alike(one: Json, other: Json) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
