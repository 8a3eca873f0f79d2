"""Queries about one place in a schema's documents."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from structout.document import Json
from structout.schema import Schema
from structout.schema.references import resolve
from structout.schema.walk import inner, meant

_DEEPEST = 16  # references in a row


def enumerates(schema: Schema[Any], steps: Sequence[str | int], value: Json) -> bool:
    """Whether the schema lists this value for a place, as an enum or a constant."""
    root = schema.json_schema
    nodes = meant([root], root)
    for step in steps:
        nodes = meant((one for node in nodes for one in inner(node, step)), root)
    return any(value in node.get("enum", ()) or node.get("const", ...) == value for node in nodes)


def admits(schema: Schema[Any], field: str) -> bool:
    """Whether the schema's documents may have this place (a JSON Pointer, with `*` for any index).

    Only a closed object surely has no other keys; a Pydantic model counts as closed, since it drops unlisted keys.
    """
    steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in field.split("/")[1:])
    return _admits(schema.json_schema, steps, schema.json_schema, is_open=schema.adapter is None)


def _admits(node: Any, steps: Sequence[str], root: Any, depth: int = 0, *, is_open: bool) -> bool:
    if not steps or not isinstance(node, dict) or depth > _DEEPEST:
        return node is not False
    here = partial(_admits, steps=steps, root=root, depth=depth + 1, is_open=is_open)
    if "$ref" in node and not here(resolve(root, node["$ref"])):
        return False
    if not all(map(here, node.get("allOf", ()))):
        return False
    if not all(any(map(here, node[key])) for key in ("anyOf", "oneOf") if key in node):
        return False
    return any(_admits(one, steps[1:], root, is_open=is_open) for one in _below(node, steps[0], is_open=is_open))


def _below(node: dict[str, Any], step: str, *, is_open: bool) -> Iterator[Any]:
    """The subschemas that may apply below a step, which is a key or an index."""
    kinds = node.get("type", ("array", "object"))
    if "array" in kinds and (step == "*" or step.isdecimal()):
        yield from node.get("prefixItems", ())
        yield node.get("items", True)
    if "object" not in kinds:
        return
    properties = node.get("properties", {})
    yield from (one for key, one in properties.items() if key == step or (step == "*" and key.isdecimal()))
    if node.get("patternProperties"):
        yield True
    elif step not in properties:
        yield node.get("additionalProperties", is_open or "properties" not in node)
