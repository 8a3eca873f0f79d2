"""What each provider does with a schema: the words in which it refuses one, and the keywords that it enforces.

Facts as of 2026-11, from the providers' guides to structured outputs and from users' reports of their errors.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.emulated.holding import held
from benchmarks.emulated.keywords import LISTS, NUMBERS, SHAPE, WORDS, enforced, walk

Refusal = Callable[[Any, str], str]  # of a schema and the name of its place; "" if the provider takes the schema


def nothing(schema: Any, name: str) -> str:
    return ""


@dataclass(frozen=True)
class Rules:
    """How a provider treats the schemas that it holds answers to."""

    refusal: Refusal = nothing
    keywords: frozenset[str] = SHAPE | NUMBERS | LISTS | WORDS | {"pattern", "prefixItems", "uniqueItems"}
    formats: frozenset[str] = frozenset(
        ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"]
    )

    def hold(self, schema: Any, text: str) -> str:
        """What the model writes if the decoder enforces its part of the schema."""
        return held(enforced(schema, self.keywords, self.formats), text)


# OpenAI, in its strict mode.
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
    "minLength",
    "maxLength",
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
_OPENAI_FORMATS = Rules().formats
_TYPED = ("type", "$ref", "anyOf", "enum", "const")


def openai_refusal(schema: Any, name: str) -> str:
    """OpenAI's words for a schema that strict mode does not take, after `Invalid schema for <name>: `."""
    fault = _openai_fault(schema)
    return f"Invalid schema for {name}: {fault}" if fault else ""


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
        if not any(key in inner for key in _TYPED):
            return f"{context}schema must have a 'type' key."
        if "format" in inner and inner["format"] not in _OPENAI_FORMATS:
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


OPENAI = Rules(openai_refusal, SHAPE | NUMBERS | LISTS | {"pattern"})

# Anthropic: objects closed, keys may be optional, few constraints.
_OF_NUMBERS = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]
_UNSUPPORTED = {"string": ["maxLength", "minLength"], "number": _OF_NUMBERS, "integer": _OF_NUMBERS}
_ANTHROPIC_FORMATS = _OPENAI_FORMATS | {"uri"}


def anthropic_refusal(schema: Any, name: str) -> str:
    """Anthropic's words for a schema that it does not compile, after the field that holds the schema."""
    fault = _anthropic_fault(schema)
    return f"{name}: {fault}" if fault else ""


def _anthropic_fault(schema: Any) -> str:
    optional = unions = 0
    for _, inner in walk(schema):
        kind = inner.get("type")
        if isinstance(kind, str) and (found := [key for key in _UNSUPPORTED.get(kind, ()) if key in inner]):
            words = "property" if len(found) == 1 else "properties"
            verb = "is" if len(found) == 1 else "are"
            return f"For '{kind}' type, {words} {', '.join(repr(key) for key in found)} {verb} not supported"
        if kind == "array":
            if inner.get("minItems", 0) not in (0, 1):
                return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
            if found := [key for key in ("maxItems", "uniqueItems", "prefixItems", "contains") if key in inner]:
                return f"For 'array' type, property '{found[0]}' is not supported"
        if kind == "object" or "properties" in inner:
            if inner.get("additionalProperties") is not False:
                return "For 'object' type, 'additionalProperties' must be explicitly set to false"
            if found := [key for key in ("patternProperties", "propertyNames", "minProperties") if key in inner]:
                return f"For 'object' type, property '{found[0]}' is not supported"
            for key, one in inner.get("properties", {}).items():
                optional += key not in inner.get("required", ())
                unions += isinstance(one, dict) and ("anyOf" in one or isinstance(one.get("type"), list))
        if found := [key for key in ("oneOf", "not", "if") if key in inner]:
            return f"Schema type '{found[0]}' is not supported"
        if "format" in inner and inner["format"] not in _ANTHROPIC_FORMATS:
            return f"String format '{inner['format']}' is not supported"
        if any(isinstance(one, dict | list) for one in inner.get("enum", ())):
            return "Enum values must be strings, numbers, booleans or nulls"
        if not any(key in inner for key in (*_TYPED, "allOf", "properties")):
            return f"Schema type '' is not supported: {json.dumps(inner)[:80]}"
    if _recursive(schema):
        return "Recursive schemas are not supported"
    if optional > 24:
        return f"Schemas contains too many optional parameters ({optional}), which would make compilation inefficient."
    if unions > 16:
        return f"Schemas contains too many parameters with union types ({unions}), which would cause exponential cost."
    return ""


def _recursive(schema: Any) -> bool:
    """Whether a definition leads to itself."""
    spots = {"#": schema} | {
        f"#/{key}/{name}": inner
        for key in ("$defs", "definitions")
        for name, inner in ((schema.get(key) or {}).items() if isinstance(schema, dict) else ())
    }
    leads = {
        spot: {one["$ref"] for place, one in walk(inner) if "$ref" in one and not {"$defs", "definitions"} & set(place)}
        for spot, inner in spots.items()
    }
    for spot in spots:
        reached, waiting = set(), set(leads[spot])
        while waiting:
            reached.add(one := waiting.pop())
            waiting |= leads.get(one, set()) - reached
        if spot in reached:
            return True
    return False


ANTHROPIC = Rules(anthropic_refusal, SHAPE | {"minItems", "pattern"}, _ANTHROPIC_FORMATS)

# Google: the JSON Schema of `responseJsonSchema`, where unknown keywords are ignored, and the older `responseSchema`.
GOOGLE_JSON = Rules(
    keywords=(SHAPE - {"const", "allOf"}) | LISTS | {"minimum", "maximum", "prefixItems"},
    formats=frozenset({"date-time", "date", "time"}),
)
_OPENAPI = frozenset(
    [
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "maxItems",
        "minItems",
        "properties",
        "required",
        "minProperties",
        "maxProperties",
        "minLength",
        "maxLength",
        "pattern",
        "example",
        "anyOf",
        "propertyOrdering",
        "default",
        "items",
        "minimum",
        "maximum",
    ]
)


def google_refusal(schema: Any, name: str) -> str:
    """Google's words for a `responseSchema` with keywords that OpenAPI 3.0 does not have."""
    for place, inner in walk(schema):
        spot = ".".join((name, *place))
        if unknown := [key for key in inner if key not in _OPENAPI]:
            return f"Invalid JSON payload received. Unknown name \"{unknown[0]}\" at '{spot}': Cannot find field."
        if inner.get("type", "").upper() == "OBJECT" and not inner.get("properties"):
            return f"* GenerateContentRequest.{spot}.properties: should be non-empty for OBJECT type\n"
    return ""


GOOGLE = Rules(
    google_refusal, SHAPE | NUMBERS | LISTS | {"pattern", "minLength", "maxLength"}, frozenset({"date-time"})
)


_GROQ_CLOSED = "`additionalProperties:false` must be set on every object"


# Groq, strict: as OpenAI, in its own words.
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


# llama.cpp: a grammar made of the schema.
def llama_refusal(schema: Any, name: str) -> str:
    for _, inner in walk(schema):
        pattern = inner.get("pattern")
        if isinstance(pattern, str) and not (pattern.startswith("^") and pattern.endswith("$")):
            return "JSON schema conversion failed:\nPattern must start with '^' and end with '$'"
        if found := [key for key in ("not", "if", "patternProperties") if key in inner]:
            return f"JSON schema conversion failed:\nUnrecognized schema: {json.dumps({found[0]: inner[found[0]]})}"
    return ""


LLAMA = Rules(
    llama_refusal,
    (SHAPE | LISTS | WORDS | {"pattern", "prefixItems"}) | NUMBERS - {"multipleOf"},
    frozenset({"date", "time", "date-time", "uuid"}),
)
VLLM = Rules(nothing, SHAPE | NUMBERS | LISTS | WORDS | {"pattern", "prefixItems", "patternProperties"})
MISTRAL = Rules(nothing, SHAPE | NUMBERS | LISTS | {"pattern"}, frozenset())
