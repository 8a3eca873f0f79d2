"""The keywords of JSON Schema: what restricts documents, what describes them, and what only looks like a keyword."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

# Keywords of drafts 4 to 2020-12 that restrict documents.
RESTRICTING: Final = frozenset({
    "$ref", "$dynamicRef", "$recursiveRef", "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum",
    "minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern", "format", "items", "prefixItems",
    "additionalItems", "unevaluatedItems", "maxItems", "minItems", "uniqueItems", "contains", "maxContains",
    "minContains", "maxProperties", "minProperties", "required", "properties", "patternProperties",
    "additionalProperties", "unevaluatedProperties", "dependencies", "dependentRequired", "dependentSchemas",
    "propertyNames", "if", "then", "else", "allOf", "anyOf", "oneOf", "not",
})  # fmt: skip
# Keywords that identify, describe or annotate.
DESCRIBING: Final = frozenset({
    "$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary", "$comment", "$defs",
    "definitions", "title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly",
    "contentMediaType", "contentEncoding", "contentSchema", "discriminator", "externalDocs", "xml",
})  # fmt: skip
KNOWN: Final = RESTRICTING | DESCRIBING
_TYPES: Final = {
    "float": "number", "double": "number", "decimal": "number", "int": "integer", "long": "integer", "str": "string",
    "text": "string", "date": "string", "bool": "boolean", "list": "array", "tuple": "array", "dict": "object",
    "map": "object", "none": "null", "nil": "null",
}  # fmt: skip


def spelled_like(keyword: str) -> str:
    """The keyword that an unknown keyword is probably meant to be; "" for none."""
    return next(iter(get_close_matches(keyword, RESTRICTING, n=1, cutoff=0.8)), "")


def is_own(keyword: str) -> bool:
    """Whether a keyword is an extension that its name declares, such as `x-unit`."""
    return keyword.startswith(("x-", "$"))


def wrapped(given: Mapping[str, Any]) -> str:
    """Why a mapping is not a JSON Schema but holds one, or is a document: what to give instead; "" for a schema."""
    if given.get("type") == "json_schema" and isinstance(given.get("json_schema"), Mapping):
        return "a response format of OpenAI: give its json_schema['schema']"
    if given.get("type") == "function" and isinstance(given.get("function"), Mapping):
        return "a tool of OpenAI: give its function['parameters']"
    if not given or not KNOWN.isdisjoint(given):
        return ""
    for name in ("schema", "parameters", "input_schema", "json_schema"):
        if isinstance(given.get(name), Mapping):
            return f"a wrapper around a schema: give its {name!r}"
    if all(is_own(key) for key in given):
        return ""
    return "no keyword of JSON Schema is in it: for a document as an example, write its schema or a Pydantic model"


def remedy(path: list[Any], value: Any, *, has_draft: bool) -> str:
    """What to write instead of an invalid value of the keyword at the end of a path; "" where it is unclear."""
    keyword = path[-1] if path and isinstance(path[-1], str) else ""
    draft_4 = '"$schema": "http://json-schema.org/draft-04/schema#"'
    if keyword in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool):
        return f"give the bound itself, or say that the schema is of draft 4: {draft_4}"
    if keyword == "items" and isinstance(value, list) and not has_draft:
        return 'write prefixItems for a tuple, or add "$schema": "http://json-schema.org/draft-07/schema#"'
    if keyword == "required" and isinstance(value, bool):
        return 'list the required keys beside "properties": "required": ["name"]'
    if keyword == "type" and isinstance(value, str):
        meant = _TYPES.get(value.lower(), value.lower())
        return f"write {meant!r}" if meant != value else ""
    return ""


def with_exclusive_bounds(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A subschema whose exclusive bounds are numbers, as they are since draft 6: draft 4 says true beside the bound."""
    found = dict(node)
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(node.get(exclusive), bool):
            is_exclusive = found.pop(exclusive)
            if is_exclusive and bound in node:
                found[exclusive] = found.pop(bound)
    return found
