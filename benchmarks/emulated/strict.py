"""The strict schemas of OpenAI, of Azure and of Groq: objects are closed, and every key is required."""

from typing import Any

from benchmarks.emulated.keywords import LISTS, NUMBERS, SHAPE, WORDS, walk
from benchmarks.emulated.rules import Rules

_NOT_STRICT = [
    "default",
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "unevaluatedProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "unevaluatedItems",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
    "prefixItems",
]
_FORMATS = Rules().formats
TYPED = ("type", "$ref", "anyOf", "enum", "const")


def openai_refusal(schema: Any, name: str) -> str:
    """OpenAI's words for a schema that strict mode does not take, after `Invalid schema for <name>: `."""
    fault = _openai_fault(schema)
    return f"Invalid schema for {name}: {fault}" if fault else ""


def azure_refusal(schema: Any, name: str) -> str:
    """The words of OpenAI's models on Azure, which do not know the lengths of texts."""
    for place, inner in walk(schema):
        if found := [key for key in ("minLength", "maxLength") if key in inner]:
            return f"Invalid schema for {name}: In context={place!r}, '{found[0]}' is not permitted."
    return openai_refusal(schema, name)


def _openai_fault(schema: Any) -> str:
    root = schema if isinstance(schema, dict) else {}
    if root.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{root.get('type')}\"'."
    if found := [key for key in ("anyOf", "oneOf", "allOf", "enum", "not") if key in root]:
        return f"schema must have type 'object' and not have '{found[0]}' at the top level."
    for place, inner in walk(schema):
        context = f"In context={place!r}, "
        if found := [key for key in _NOT_STRICT if key in inner]:
            return f"{context}'{found[0]}' is not permitted."
        if "$ref" in inner and len(inner) > 1 and place:
            return f"{context}$ref cannot have keywords {set(inner) - {'$ref'}!r}."
        if not any(key in inner for key in TYPED):
            return f"{context}schema must have a 'type' key."
        if "format" in inner and inner["format"] not in _FORMATS:
            return f"{context}'{inner['format']}' is not a valid format."
        if any(look in str(inner.get("pattern", "")) for look in ("(?=", "(?!", "(?<=", "(?<!")):
            return f"{context}'pattern' has a regex that is not supported: lookaround."
        if inner.get("type") == "array" and not isinstance(inner.get("items"), dict):
            return f"{context}array schema missing items."
        if fault := _open_object(inner):
            return context + fault
    return _size_fault(schema)


def _open_object(inner: dict[str, Any]) -> str:
    stated = inner.get("type")
    if stated != "object" and not (isinstance(stated, list) and "object" in stated):
        return ""
    if inner.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    if missing := [name for name in inner.get("properties", {}) if name not in inner.get("required", ())]:
        return (
            "'required' is required to be supplied and to be an array including every key in properties. "
            f"Missing '{missing[0]}'."
        )
    if extra := [name for name in inner.get("required", ()) if name not in inner.get("properties", {})]:
        return f"'required' is required to be an array of keys in properties. Extra required key '{extra[0]}' supplied."
    return ""


def _size_fault(schema: Any) -> str:
    names = sum(len(inner.get("properties", {})) for _, inner in walk(schema))
    if names > 5000:
        return f"schema has {names} properties, which exceeds the limit of 5000."
    depth = max(place.count("properties") for place, _ in walk(schema))
    return f"{depth} levels of nesting exceeds limit of 10." if depth > 10 else ""


OPENAI = Rules(openai_refusal, SHAPE | NUMBERS | LISTS | WORDS | {"pattern"})
AZURE = Rules(azure_refusal, SHAPE | NUMBERS | LISTS | {"pattern"})
_GROQ_CLOSED = "`additionalProperties:false` must be set on every object"


def groq_refusal(schema: Any, name: str) -> str:
    """Groq's words for a schema that its strict mode does not take."""
    for place, inner in walk(schema):
        spot = "".join(f"/{step}" for step in place)
        if fault := _open_object(inner):
            words = fault.rstrip(".") if "required to" in fault and "additional" not in fault else _GROQ_CLOSED
            return f"invalid JSON schema for response_format: {name}: {f'{spot}: ' if spot else ''}{words}"
        if found := [key for key in ("minItems", "maxItems", "prefixItems", "oneOf", "default") if key in inner]:
            return f"invalid schema for response format: response_format/json_schema{spot}: {found[0]} is not supported"
    if schema.get("type") != "object":
        return f"invalid JSON schema for response_format: {name}: the root must be an object"
    return ""


GROQ = Rules(groq_refusal, SHAPE)
