"""A value as the JSON document that it was read from, with its defaults: what is scored and written.

Pydantic writes some values otherwise than it reads them: secrets as asterisks, excluded fields not at all, computed
fields and other aliases besides. What it writes is then no document of the schema.
"""

from typing import Any

from structout.document import Json
from structout.schema.walk import meant


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
