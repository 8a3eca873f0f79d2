"""The rules and the counts that the facts about providers name (`providers.toml`): where a schema breaks a rule."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from structout.schema.references import place_of, target

Place = tuple[str, str]  # the JSON Pointer of a subschema, and the keyword in it

_NAMED: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_ONES: Final = ("items", "contains", "not", "if", "then", "else", "propertyNames")
_CLOSING: Final = ("additionalProperties", "additionalItems", "unevaluatedProperties", "unevaluatedItems")
_DEFINITIONS: Final = ("/$defs/", "/definitions/")


def parts(schema: Any) -> Iterator[tuple[str, Any]]:
    """Each subschema with its JSON Pointer, outer before inner; true and false too, where they are whole subschemas."""
    stack: list[tuple[str, Any]] = [("", schema)]
    while stack:
        place, node = stack.pop()
        yield place, node
        if not isinstance(node, Mapping):
            continue
        inner: list[tuple[str, Any]] = []
        for key, value in node.items():
            at = f"{place}/{_step(key)}"
            if key in _NAMED and isinstance(value, Mapping):
                inner += [(f"{at}/{_step(name)}", one) for name, one in value.items()]
            elif key in _LISTS and isinstance(value, list):
                inner += [(f"{at}/{index}", one) for index, one in enumerate(value)]
            elif key in _ONES or (key in _CLOSING and isinstance(value, Mapping)):
                inner.append((at, value))
        stack += reversed([(at, one) for at, one in inner if isinstance(one, Mapping | bool)])


def nodes(schema: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each subschema that is an object, with its JSON Pointer."""
    yield from ((place, node) for place, node in parts(schema) if isinstance(node, Mapping))


def types_of(node: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that a subschema declares."""
    declared = node.get("type", ())
    return (declared,) if isinstance(declared, str) else tuple(declared)


def _step(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _is_object(node: Mapping[str, Any]) -> bool:
    return "object" in types_of(node) or ("type" not in node and "properties" in node)


def _not_an_object(schema: Any) -> Iterator[Place]:
    if isinstance(schema, Mapping) and (schema.get("type") != "object" or "anyOf" in schema):
        yield "", "anyOf" if "anyOf" in schema else "type"


def _open(schema: Any) -> Iterator[Place]:
    for place, node in nodes(schema):
        if _is_object(node) and node.get("additionalProperties", True) is not False:
            yield place, "additionalProperties"


def _optional(schema: Any) -> Iterator[Place]:
    for place, node in nodes(schema):
        for name in node.get("properties", {}):
            if name not in node.get("required", ()):
                yield f"{place}/properties/{_step(name)}", "required"


def _without(*telling: str) -> Callable[[Any], Iterator[Place]]:
    """A rule against subschemas that have none of these keywords."""

    def broken(schema: Any) -> Iterator[Place]:
        for place, node in parts(schema):
            if not isinstance(node, Mapping) or not any(key in node for key in telling):
                yield place, "type"

    return broken


def _untyped_items(schema: Any) -> Iterator[Place]:
    yield from ((place, "items") for place, node in nodes(schema) if "array" in types_of(node) and "items" not in node)


def _references(schema: Any) -> Iterator[tuple[str, str]]:
    """The place of each reference, and the place where it leads."""
    for place, node in nodes(schema):
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            yield place, place_of(reference)


def _recursive(schema: Any) -> Iterator[Place]:
    found = list(_references(schema))
    leads = {to: {other for at, other in found if _is_within(at, to)} for _, to in found}
    for at, to in found:
        reached, waiting = {to}, [to]
        while waiting:
            new = leads[waiting.pop()] - reached
            reached |= new
            waiting += new
        if any(_is_within(at, one) for one in reached):
            yield at, "$ref"


def _recursive_through_required(schema: Any) -> Iterator[Place]:
    for place, keyword in _recursive(schema):
        holder, is_property, name = place.rpartition("/properties/")
        required = (target(schema, holder) or {}).get("required", ()) if is_property else ()
        if not is_property or name.partition("/")[0].replace("~1", "/").replace("~0", "~") in required:
            yield place, keyword


def _is_within(place: str, outer: str) -> bool:
    return place == outer or place.startswith(f"{outer}/")


def _accompanied(schema: Any) -> Iterator[Place]:
    for place, node in nodes(schema):
        if "$ref" in node and any(not key.startswith("$") and key != "definitions" for key in node):
            yield place, "$ref"


def _not_to_a_definition(schema: Any) -> Iterator[Place]:
    for place, to in _references(schema):
        if to and not (to.startswith(_DEFINITIONS) and to.count("/") == 2):
            yield place, "$ref"


def _nested_values(schema: Any) -> Iterator[Place]:
    for place, node in nodes(schema):
        for key, values in (("enum", node.get("enum", ())), ("const", [node.get("const")])):
            if any(isinstance(value, dict | list) for value in values):
                yield place, key


def _all_of_references(schema: Any) -> Iterator[Place]:
    for place, node in nodes(schema):
        if any(isinstance(one, Mapping) and "$ref" in one for one in node.get("allOf", ())):
            yield place, "allOf"


def _unanchored(schema: Any) -> Iterator[Place]:
    for place, node in nodes(schema):
        pattern = node.get("pattern")
        if isinstance(pattern, str) and not (pattern.startswith("^") and pattern.endswith("$")):
            yield place, "pattern"


def _properties(schema: Any) -> int:
    return sum(len(node.get("properties", ())) for _, node in nodes(schema))


def _levels(schema: Any) -> int:
    """The levels of nested objects, in the schema or in one definition; no reference is followed."""
    objects = {place for place, node in nodes(schema) if _is_object(node)}
    return max((_level(place, objects) for place in objects), default=0)


def _level(place: str, objects: set[str]) -> int:
    steps = place.split("/")
    least = 3 if place.startswith(_DEFINITIONS) else 1
    return sum("/".join(steps[:end]) in objects for end in range(least, len(steps) + 1))


def _enum_values(schema: Any) -> int:
    return sum(len(node.get("enum", ())) for _, node in nodes(schema))


def _long_enum(schema: Any) -> int:
    """The characters of the longest enum that holds more than 250 values, all of them texts."""
    enums = [node["enum"] for _, node in nodes(schema) if len(node.get("enum", ())) > 250]
    return max((sum(map(len, one)) for one in enums if all(isinstance(value, str) for value in one)), default=0)


def _characters(schema: Any) -> int:
    """The characters of the names of properties and definitions, and of the texts in enum and const."""
    total = 0
    for _, node in nodes(schema):
        names = [name for key in ("properties", "$defs", "definitions") for name in node.get(key, ())]
        total += sum(len(one) for one in [*names, *node.get("enum", ()), node.get("const")] if isinstance(one, str))
    return total


def _inline(schema: Any) -> Iterator[Mapping[str, Any]]:
    """The subschemas outside of the definitions."""
    yield from (node for place, node in nodes(schema) if not place.startswith(_DEFINITIONS))


def _optional_keys(schema: Any) -> int:
    return sum(len(node.get("properties", {}).keys() - set(node.get("required", ()))) for node in _inline(schema))


def _union_keys(schema: Any) -> int:
    keys = [one for node in _inline(schema) for one in node.get("properties", {}).values() if isinstance(one, Mapping)]
    return sum("anyOf" in one or isinstance(one.get("type"), list) for one in keys)


def _bounded_places(schema: Any) -> int:
    return sum(most for _, node in nodes(schema) if isinstance(most := node.get("maxItems"), int))


_UNIONS: Final = ("$ref", "anyOf", "oneOf", "allOf")
RULES: Final[Mapping[str, Callable[[Any], Iterator[Place]]]] = {
    "root object": _not_an_object,
    "closed": _open,
    "all required": _optional,
    "typed": _without("type", *_UNIONS),
    "typed or enumerated": _without("type", "enum", "const", *_UNIONS),
    "typed items": _untyped_items,
    "recursion": _recursive,
    "recursion through required keys": _recursive_through_required,
    "lone reference": _accompanied,
    "reference to a definition": _not_to_a_definition,
    "plain enum": _nested_values,
    "allOf without references": _all_of_references,
    "anchored pattern": _unanchored,
}
COUNTS: Final[Mapping[str, Callable[[Any], int]]] = {
    "properties": _properties,
    "levels of objects": _levels,
    "enum values": _enum_values,
    "characters of a long enum": _long_enum,
    "characters of names and values": _characters,
    "optional keys": _optional_keys,
    "keys with a union": _union_keys,
    "places in bounded lists": _bounded_places,
}
