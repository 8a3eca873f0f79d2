"""Schemas that hold together, as one schema."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from structout.schema.keywords import with_exclusive_bounds
from structout.schema.references import place_of, target

# Keywords that describe a value, or that only a validator with the whole document judges.
QUIET: Final = frozenset({
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema", "$id",
    "$defs", "definitions", "discriminator", "contentMediaType", "contentSchema", "contentEncoding",
    "unevaluatedProperties", "unevaluatedItems",
})  # fmt: skip
# Keywords that no strict form says, and that a validator judges.
JUDGED: Final = ("not", "if", "then", "else", "dependentSchemas", "dependentRequired", "dependencies")
LEFT_OUT: Final = QUIET | {*JUDGED}
BESIDE: Final = " judged"  # in a merged schema: a list of what its schemas say with keywords of `JUDGED`


def merged(nodes: Iterable[Any], root: Any, seen: frozenset[str] = frozenset()) -> dict[str, Any] | None:
    """One schema for values that have all of these schemas of the schema `root`; None if no simple schema says so.

    `seen` are the references on the way here.
    """
    made: dict[str, Any] = {}
    for node in nodes:
        if node is True:
            continue
        if not isinstance(node, Mapping):
            return None
        node = with_exclusive_bounds(node)
        reference = node.get("$ref")
        if reference in seen:
            return None
        inner: list[Any] = list(node.get("allOf", ()))
        inner += [target(root, place_of(reference))] if isinstance(reference, str) else []
        further = merged(inner, root, seen | {str(reference)} if reference else seen)
        own = {key: value for key, value in node.items() if key not in {*LEFT_OUT, "$ref", "allOf", "oneOf"}}
        if judged := {key: node[key] for key in JUDGED if key in node}:
            own[BESIDE] = [*own.get(BESIDE, ()), judged]
        if "oneOf" in node:
            if "anyOf" in own:
                return None
            own["anyOf"] = node["oneOf"]
        for one in (further, own):
            if one is None or not _merge(made, one):
                return None
    return made


def _merge(made: dict[str, Any], other: Mapping[str, Any]) -> bool:
    """Add the keywords of another schema; False if both say something that cannot be said in one schema."""
    closing = ("additionalProperties", "patternProperties")
    for one, against in ((made, other), (other, made)):
        if any(key in one for key in closing) and against.get("properties", {}).keys() - one.get("properties", {}):
            return False
    for key, value in other.items():
        if key not in made:
            made[key] = value
        elif key == "properties":
            both = made[key].keys() & value.keys()
            made[key] = {**made[key], **value, **{name: {"allOf": [made[key][name], value[name]]} for name in both}}
        elif key == BESIDE:
            made[key] = [*made[key], *value]
        elif key == "required":
            made[key] = [*made[key], *(one for one in value if one not in made[key])]
        elif key in ("minimum", "exclusiveMinimum", "minItems", "minLength", "minProperties"):
            made[key] = max(made[key], value)
        elif key in ("maximum", "exclusiveMaximum", "maxItems", "maxLength", "maxProperties"):
            made[key] = min(made[key], value)
        elif made[key] != value and key != "uniqueItems":
            return False
    return True
