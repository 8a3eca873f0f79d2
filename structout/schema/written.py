"""A value as the JSON document that it was read from, with its defaults: what is scored and written.

Pydantic writes some values otherwise than it reads them: secrets as asterisks, excluded fields not at all, computed
fields and other aliases besides. What it writes is then no document of the schema.
"""

import json
from typing import Any, NamedTuple

from structout.document import Json
from structout.schema.walk import inner, meant


class _Parts(NamedTuple):
    """What the subschemas that may apply to a value say of its parts: the subschemas of its `declared` keys, of its
    `others`, of its `first` items and of all its `items`; and the keys that have a default.
    """

    declared: dict[str, list[Any]]
    others: list[Any]
    first: list[list[Any]]
    items: list[Any]
    defaults: frozenset[str]


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

    def _merged(self, document: Json, dumped: Json, nodes: list[Any]) -> Json:
        if document == dumped:
            return dumped
        if isinstance(document, dict) and isinstance(dumped, dict):
            return self._object(document, dumped, self._parts(nodes))
        if isinstance(document, list) and isinstance(dumped, list) and len(document) == len(dumped):
            parts = self._parts(nodes)
            return [
                self._merged(item, other, (parts.first[index] if index < len(parts.first) else []) or parts.items)
                for index, (item, other) in enumerate(zip(document, dumped, strict=True))
            ]
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
        )


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
