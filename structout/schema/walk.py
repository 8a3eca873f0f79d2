"""Walks through a `local` schema: the subschemas that apply to one value, and the types that they allow."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import jsonschema_rs

from structout.document import Json
from structout.schema.references import resolve

ALTERNATIVES = ("anyOf", "oneOf")
ANY = frozenset({"null", "boolean", "number", "string", "array", "object"})


def meant(nodes: Iterable[Any], root: Any) -> list[dict[str, Any]]:
    """All subschemas that may apply to the value of `nodes`, each once: references and alternatives are followed.

    `root` is the whole schema.
    """
    found: dict[int, dict[str, Any]] = {}
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if not isinstance(node, dict) or id(node) in found:
            continue
        found[id(node)] = node
        stack += [resolve(root, node["$ref"])] if "$ref" in node else []
        stack += [branch for key in (*ALTERNATIVES, "allOf") for branch in node.get(key, ())]
        stack += [node[key] for key in ("then", "else") if key in node]
    return list(found.values())


def inner(node: dict[str, Any], step: str | int) -> Iterator[Any]:
    """The subschemas for one item, by its index, or for one key; None where the subschema has none."""
    if isinstance(step, int):
        first = node.get("prefixItems", ())
        yield first[step] if step < len(first) else node.get("items")
        return
    own = [node["properties"][step]] if step in node.get("properties", {}) else []
    own += [one for pattern, one in node.get("patternProperties", {}).items() if matches(pattern, step)]
    yield from own or [node.get("additionalProperties")]


@lru_cache(maxsize=1024)
def matches(pattern: str, key: str) -> bool:
    """Whether a key matches a pattern of `patternProperties`; an invalid pattern matches nothing."""
    try:
        return bool(jsonschema_rs.validator_for({"pattern": pattern}).is_valid(key))
    except (jsonschema_rs.ValidationError, ValueError):
        return False


def kind_of(value: Json) -> str:
    """The JSON type of a value, where integers count as "number"."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def kinds_of(node: Any, root: Any, seen: tuple[str, ...] = ()) -> frozenset[str]:
    """The JSON types that a subschema allows, with the names of `kind_of`."""
    if not isinstance(node, dict):
        return ANY if node else frozenset()
    kinds = ANY
    if "$ref" in node and node["$ref"] not in seen:
        kinds &= kinds_of(resolve(root, node["$ref"]), root, (*seen, node["$ref"]))
    if "type" in node:
        names = node["type"] if isinstance(node["type"], list) else [node["type"]]
        kinds &= {"number" if name == "integer" else name for name in names}
    if "enum" in node or "const" in node:
        kinds &= set(map(kind_of, node["enum"] if "enum" in node else [node["const"]]))
    for keyword in ALTERNATIVES:
        if node.get(keyword):
            kinds &= frozenset().union(*(kinds_of(part, root, seen) for part in node[keyword]))
    for part in node.get("allOf", ()):
        kinds &= kinds_of(part, root, seen)
    return kinds
