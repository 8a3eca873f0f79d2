"""What each provider does with a schema: the words in which it refuses one, and the keywords that it enforces.

Read in 2026-11 in the providers' SDKs, in clients that test against the providers, and in users' reports of errors.
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
