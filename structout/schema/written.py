"""A value as the JSON document that it was read from, with its defaults: what is scored and written.

Pydantic writes some values otherwise than it reads them: secrets as asterisks, excluded fields not at all, computed
fields and other aliases besides. What it writes is then no document of the schema.
"""

import json
from typing import Any

from structout.document import Json
from structout.schema.walk import inner, meant


def restored(document: Json, dumped: Json, root: Any) -> Json:
    """What Pydantic dumped, as a document of the schema `root`: with what `document` holds and Pydantic hides.

    Defaults that the dump fills in stay if the schema states them; a value made by a factory may differ each time.
    """
    return (
        document
        if document == dumped and not isinstance(document, dict | list)
        else _merged(document, dumped, [root], root)
    )


def _merged(document: Json, dumped: Json, nodes: list[Any], root: Any) -> Json:
    if isinstance(document, dict) and isinstance(dumped, dict):
        return _object(document, dumped, nodes, root)
    if isinstance(document, list) and isinstance(dumped, list) and len(document) == len(dumped):
        parts = meant(nodes, root)
        made: list[Json] = []
        for index, (item, other) in enumerate(zip(document, dumped, strict=True)):
            first = [part["prefixItems"][index] for part in parts if index < len(part.get("prefixItems", ()))]
            inner = first or [part["items"] for part in parts if "items" in part]
            made.append(_merged(item, other, inner, root))
        return made
    if isinstance(document, str) and isinstance(dumped, str):
        return document if dumped.strip("*") == "" else dumped  # a secret
    return document if isinstance(document, dict | list) or isinstance(dumped, dict | list) else dumped


def _object(document: dict[str, Json], dumped: dict[str, Json], nodes: list[Any], root: Any) -> Json:
    parts = meant(nodes, root)
    declared: dict[str, list[Any]] = {}
    for part in parts:
        for key, node in part.get("properties", {}).items():
            declared.setdefault(key, []).append(node)
    others = [part["additionalProperties"] for part in parts if "additionalProperties" in part]
    others += [node for part in parts for node in part.get("patternProperties", {}).values()]
    made: dict[str, Json] = {}
    for key, value in dumped.items():
        if key in document:
            made[key] = _merged(document[key], value, declared.get(key, others), root)
        elif any("default" in part for part in meant(declared.get(key, []), root)):
            made[key] = value
    for key, value in document.items():  # what the dump leaves out, but for keys that the type ignores
        if key not in made and (key in declared or any(other is not False for other in others)):
            made[key] = value
    return made


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
