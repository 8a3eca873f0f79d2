"""What a schema says of one place in its documents."""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import jsonschema_rs

from structout.document import Json
from structout.prompts import resolve
from structout.schema import Schema

_DEEPEST = 16  # references in a row


def enumerates(schema: Schema[Any], steps: Sequence[str | int], value: Json) -> bool:
    """Whether the schema itself names the value that stands at a place."""
    root = schema.json_schema
    nodes = _meant([root], root)
    for step in steps:
        nodes = _meant((inner for node in nodes for inner in _children(node, step)), root)
    return any(value in node.get("enum", ()) or node.get("const", ...) == value for node in nodes)


def _meant(nodes: Any, root: Any) -> list[dict[str, Any]]:
    """Some schemas with all that they may stand for, each once: a reference may lead back to itself."""
    found: dict[int, dict[str, Any]] = {}
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if not isinstance(node, dict) or id(node) in found:
            continue
        found[id(node)] = node
        stack += [resolve(root, node["$ref"])] if "$ref" in node else []
        stack += [branch for key in ("anyOf", "oneOf", "allOf") for branch in node.get(key, ())]
        stack += [node[key] for key in ("then", "else") if key in node]
    return list(found.values())


def _children(node: dict[str, Any], step: str | int) -> Iterator[Any]:
    """What a schema says of one of its items, or of one of its keys."""
    if isinstance(step, int):
        first = node.get("prefixItems", ())
        yield first[step] if step < len(first) else node.get("items")
        return
    own = [node["properties"][step]] if step in node.get("properties", {}) else []
    own += [inner for pattern, inner in node.get("patternProperties", {}).items() if _matches(pattern, step)]
    yield from own or [node.get("additionalProperties")]


@lru_cache(maxsize=1024)
def _matches(pattern: str, key: str) -> bool:
    try:
        return bool(jsonschema_rs.validator_for({"pattern": pattern}).is_valid(key))
    except (jsonschema_rs.ValidationError, ValueError):
        return False


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
    return any(_admits(inner, steps[1:], root, is_open=is_open) for inner in _below(node, steps[0], is_open=is_open))


def _below(node: dict[str, Any], step: str, *, is_open: bool) -> Iterator[Any]:
    """What may stand under a step: a key or an index, as far as one can tell."""
    kinds = node.get("type", ("array", "object"))
    if "array" in kinds and (step == "*" or step.isdecimal()):
        yield from node.get("prefixItems", ())
        yield node.get("items", True)
    if "object" not in kinds:
        return
    properties = node.get("properties", {})
    yield from (inner for key, inner in properties.items() if key == step or (step == "*" and key.isdecimal()))
    if node.get("patternProperties"):
        yield True
    elif step not in properties:
        yield node.get("additionalProperties", is_open or "properties" not in node)
