"""The keywords of JSON Schema that decoders enforce, and the part of a schema that one enforces."""

from collections.abc import Collection
from typing import Any

SHAPE = frozenset(
    [
        "$ref",
        "$defs",
        "definitions",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "allOf",
        "oneOf",
    ]
)
NUMBERS = frozenset(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"])
LISTS = frozenset(("minItems", "maxItems"))
WORDS = frozenset(("minLength", "maxLength"))
_NAMED = ("properties", "patternProperties", "$defs", "definitions")
_LISTED = ("anyOf", "allOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "propertyNames", "not")


def walk(schema: Any, place: tuple[str, ...] = ()) -> "list[tuple[tuple[str, ...], dict[str, Any]]]":
    """Each schema within a schema with its place, the outermost first."""
    if not isinstance(schema, dict):
        return []
    found = [(place, schema)]
    for key in _NAMED:
        for name, inner in (schema.get(key) or {}).items():
            found += walk(inner, (*place, key, name))
    for key in _LISTED:
        for number, inner in enumerate(schema.get(key) or ()):
            found += walk(inner, (*place, key, str(number)))
    for key in _SINGLE:
        found += walk(schema.get(key), (*place, key))
    return found


def enforced(schema: Any, keywords: Collection[str], formats: Collection[str] = ()) -> Any:
    """The part of a schema that a decoder with these keywords and formats enforces."""
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "format" and value in formats:
            kept[key] = value
        elif key not in keywords:
            continue
        elif key in _NAMED:
            kept[key] = {name: enforced(inner, keywords, formats) for name, inner in value.items()}
        elif key in _LISTED:
            kept[key] = [enforced(inner, keywords, formats) for inner in value]
        else:
            kept[key] = enforced(value, keywords, formats) if key in _SINGLE else value
    return kept
