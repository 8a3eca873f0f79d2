"""The schema for one part of a long text: what stands in the other parts may be missing."""

from typing import Any

from structout.schema.contract import Schema
from structout.schema.references import DATA, place_of, resolve, target
from structout.schema.validator import Validator
from structout.schema.walk import kinds_of

# What a part alone cannot keep: it may have few items and few keys.
_OF_THE_WHOLE = frozenset({
    "minItems", "contains", "minContains", "minProperties", "dependentRequired", "dependentSchemas", "dependencies",
    "if", "then", "else", "not",
})  # fmt: skip
_CONTAINERS = frozenset({"array", "object", "null"})
_NOTES = ("title", "description")


def part_of(schema: Schema[Any], note: str) -> Schema[Any]:
    """The schema with scalars outside lists nullable and optional, and with lists of any length. Items stay.

    `note` is added to the description that models read. A schema that says so already is returned itself. Otherwise,
    the functions of a Pydantic type take no part in the new schema: they judge the whole document.
    """
    root = schema.json_schema
    made = _relaxed(root, root, ())
    if made == root or not isinstance(made, dict):
        return schema
    described = f"{made.get('description', '')}\n{note}".strip()
    part: Schema[Any] = Schema(schema.name, _without_unused({**made, "description": described}))
    part.validator = Validator(part.json_schema, pydantic=schema.adapter is not None)
    return part


def is_tuple(node: Any) -> bool:
    """Whether an array has a meaning for each position, so that it is one value."""
    return isinstance(node, dict) and bool(node.get("prefixItems") or isinstance(node.get("items"), list))


def _relaxed(node: Any, root: Any, opened: tuple[str, ...]) -> Any:
    if not isinstance(node, dict) or is_tuple(node):
        return node
    if isinstance(node.get("$ref"), str):
        reference = node["$ref"]
        found = resolve(root, reference)
        if reference in opened or not isinstance(found, dict):
            return node  # a recursive type stays as it is
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _relaxed({**found, **beside}, root, (*opened, reference))
    made = {key: value for key, value in node.items() if key not in _OF_THE_WHOLE}
    for key in ("anyOf", "allOf"):
        if key in made:
            made[key] = [_relaxed(branch, root, opened) for branch in made[key]]
    if "oneOf" in made:  # with fewer keys, an object may fit several alternatives
        branches = [_relaxed(branch, root, opened) for branch in made.pop("oneOf")]
        if "anyOf" in made:
            made["allOf"] = [*made.get("allOf", ()), {"anyOf": branches}]
        else:
            made["anyOf"] = branches
    if isinstance(made.get("properties"), dict):
        own = made["properties"]
        free = {key for key, value in own.items() if not _is_kept(value, root)}
        made["properties"] = {
            key: _nullable(value, root) if key in free else _relaxed(value, root, opened) for key, value in own.items()
        }
        if isinstance(required := made.get("required"), list):
            made["required"] = [key for key in required if key not in free]
    return made


def _is_kept(node: Any, root: Any) -> bool:
    """Whether a member is a list, an object or a constant, which no part needs to leave out."""
    if isinstance(node, dict) and "const" in node:
        return True
    return kinds_of(node, root) <= _CONTAINERS and not _is_fixed(node, root)


def _is_fixed(node: Any, root: Any) -> bool:
    return is_tuple(resolve(root, node["$ref"]) if isinstance(node, dict) and "$ref" in node else node)


def _nullable(node: Any, root: Any) -> Any:
    if not isinstance(node, dict):
        return node
    plain = {key: value for key, value in node.items() if key != "default"}
    if "null" in kinds_of(node, root):
        return plain
    notes = {key: plain.pop(key) for key in _NOTES if key in plain}
    return {**notes, "anyOf": [plain, {"type": "null"}]}


def _without_unused(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without the definitions to which nothing refers any more."""
    body = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
    used: set[str] = set()
    stack: list[Any] = [body]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack += node
        elif isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str) and reference not in used:
                used.add(reference)
                stack.append(target(schema, place_of(reference)))
            stack += [value for key, value in node.items() if key not in DATA]
    places = [place_of(reference) for reference in used]
    for name in ("$defs", "definitions"):
        kept = {
            key: value
            for key, value in schema.get(name, {}).items()
            if any(place == f"/{name}/{_step(key)}" or place.startswith(f"/{name}/{_step(key)}/") for place in places)
        }
        if kept:
            body[name] = kept
    return body


def _step(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
