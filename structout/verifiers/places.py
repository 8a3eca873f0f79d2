"""What a schema says of one place in its documents."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from structout.document import Json
from structout.schema import Schema
from structout.schema.references import resolve
from structout.schema.walk import inner, meant

_DEEPEST = 16  # references in a row


def enumerates(schema: Schema[Any], steps: Sequence[str | int], value: Json) -> bool:
    """Whether the schema itself names the value that stands at a place."""
    root = schema.json_schema
    nodes = meant([root], root)
    for step in steps:
        nodes = meant((one for node in nodes for one in inner(node, step)), root)
    return any(value in node.get("enum", ()) or node.get("const", ...) == value for node in nodes)


def admits(schema: Schema[Any], field: str) -> bool:
    """Whether there may be such a place (a JSON Pointer, with `*` for any index) in the schema's documents.

    Only what is closed has surely no other keys; but one of Pydantic's models drops those that it does not list.
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
    """What may stand under a step: a key or an index, as far as one can tell."""
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
