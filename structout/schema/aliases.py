"""Other names for keys: every choice of `AliasChoices` in a Pydantic type, and the names of fields with aliases."""

from typing import Any, Final

from structout.document import Json
from structout.schema.walk import meant

CHOICES: Final = "x-choices"  # a keyword for the schema here: the other names of a key, each with the first name


def with_first_choices(document: Json, root: Any) -> Json:
    """The document with the first name of each key in place of another choice; `root` is a schema with `CHOICES`."""
    return _renamed(document, [root], root)


def _renamed(value: Json, nodes: list[Any], root: Any) -> Json:
    parts = meant(nodes, root)
    if isinstance(value, list):
        items = [part["items"] for part in parts if "items" in part]
        first = [part["prefixItems"] for part in parts if isinstance(part.get("prefixItems"), list)]
        return [
            _renamed(item, [*items, *(some[index] for some in first if index < len(some))], root)
            for index, item in enumerate(value)
        ]
    if not isinstance(value, dict):
        return value
    names = {name: key for part in parts for name, key in part.get(CHOICES, {}).items()}
    made: dict[str, Json] = {}
    for name, item in value.items():
        key = names.get(name, name)
        key = name if key in value or key in made else key
        inner = [part.get("properties", {}).get(key, part.get("additionalProperties", True)) for part in parts]
        made[key] = _renamed(item, inner, root)
    return made
