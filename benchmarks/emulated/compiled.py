"""The schemas that Anthropic compiles: objects are closed, keys may be optional, and few constraints are known."""

import json
from typing import Any

from benchmarks.emulated.keywords import SHAPE, walk
from benchmarks.emulated.rules import Rules
from benchmarks.emulated.strict import TYPED

_OF_NUMBERS = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]
_UNSUPPORTED = {"string": ["maxLength", "minLength"], "number": _OF_NUMBERS, "integer": _OF_NUMBERS}
_FORMATS = Rules().formats | {"uri"}


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
        if "format" in inner and inner["format"] not in _FORMATS:
            return f"String format '{inner['format']}' is not supported"
        if any(isinstance(one, dict | list) for one in inner.get("enum", ())):
            return "Enum values must be strings, numbers, booleans or nulls"
        if not any(key in inner for key in (*TYPED, "allOf", "properties")):
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


ANTHROPIC = Rules(anthropic_refusal, SHAPE | {"minItems", "pattern"}, _FORMATS)
