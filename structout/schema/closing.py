"""Closed objects: a schema for masks in which objects hold declared keys only.

An object schema that says nothing of other keys admits any. Held to it, a small model invents keys without end.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from structout.schema.references import DATA, place_of, target

# Keywords that say something of other keys, or combine an object with other schemas.
_SPEAKS: Final = frozenset({
    "additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames", "$ref", "$dynamicRef",
    "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies",
    "dependentRequired",
})  # fmt: skip
_OWN: Final = frozenset({
    "properties", "patternProperties", "required", "additionalProperties", "unevaluatedProperties",
})  # fmt: skip
_APPLIED: Final = ("allOf", "anyOf", "oneOf", "$ref", "if", "not", "dependentSchemas")
_LISTS: Final = ("anyOf", "oneOf", "prefixItems")
_MAPS: Final = ("properties", "patternProperties", "$defs", "definitions")
_ONES: Final = ("additionalProperties", "items", "additionalItems")


def closed(schema: Any) -> Any:
    """The schema with every object closed that declares properties and says nothing of other keys.

    An object that is combined with other schemas (`allOf`, or `anyOf` beside its own keys) stays open, since its keys
    may be declared there. The result is the schema itself if nothing is closed.
    """
    kept = _combined(schema)
    return _closed(schema, kept)


def _closed(node: Any, kept: frozenset[int]) -> Any:
    if not isinstance(node, Mapping):
        return node
    made: dict[str, Any] = {}
    for key, value in node.items():
        if key in _MAPS and isinstance(value, Mapping):
            made[key] = {name: _closed(inner, kept) for name, inner in value.items()}
        elif (key in _LISTS or key == "items") and isinstance(value, list):
            made[key] = [_closed(inner, kept) for inner in value]
        elif key in _ONES:
            made[key] = _closed(value, kept)
        else:
            made[key] = value
    declared = node.get("properties")
    if id(node) not in kept and isinstance(declared, Mapping) and declared and _SPEAKS.isdisjoint(node):
        required, least = node.get("required", []), node.get("minProperties", 0)
        if isinstance(required, list) and set(required) <= declared.keys() and least <= len(declared):
            made["additionalProperties"] = False
    return made if made != node else node


def _combined(schema: Any) -> frozenset[int]:
    """The ids of the object schemas that apply beside others to one value."""
    found: set[int] = set()
    stack: list[tuple[Any, bool]] = [(schema, False)]
    seen: set[tuple[int, bool]] = set()
    while stack:
        node, beside = stack.pop()
        if not isinstance(node, Mapping) or (id(node), beside) in seen:
            continue
        seen.add((id(node), beside))
        if beside:
            found.add(id(node))
        stack += _inner(node, schema, beside)
    return frozenset(found)


def _inner(node: Mapping[str, Any], root: Any, beside: bool) -> Iterator[tuple[Any, bool]]:
    """The schemas in a schema, each with whether it applies beside another to one value."""
    own = not _OWN.isdisjoint(node)
    applied = [key for key in _APPLIED if key in node]
    together = beside or own or len(applied) > 1 or len(node.get("allOf", ())) > 1
    if isinstance(node.get("$ref"), str):
        yield target(root, place_of(node["$ref"])), together
    for key in ("allOf", "anyOf", "oneOf"):
        for inner in node.get(key, ()):
            yield inner, together
    for key in ("not", "if", "then", "else"):
        yield node.get(key), True
    for inner in (node.get("dependentSchemas") or {}).values():
        yield inner, True
    for key in (*_MAPS, "dependencies"):
        if key not in DATA and isinstance(node.get(key), Mapping):
            for inner in node[key].values():
                yield inner, False
    for key in (*_ONES, "prefixItems", "contains", "unevaluatedItems", "unevaluatedProperties"):
        value = node.get(key)
        for inner in value if isinstance(value, list) else [value]:
            yield inner, False
