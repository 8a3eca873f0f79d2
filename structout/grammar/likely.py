"""Short documents made from the schema alone: where the search for a way out may begin."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from structout.language import Sql
from structout.schema import Schema

_VARIANTS = 12  # documents that are made, each with other alternatives
_DEEPEST = 12
_SAMPLES = {
    "date": ("2000-01-01", "2999-01-01"),
    "date-time": ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00", "2999-01-01T00:00:00Z", "2999-01-01T00:00:00"),
    "time": ("00:00:00Z", "00:00:00"),
    "uri": ("http://a.b", "https://a.b"),
    "email": ("a@b.co",),
    "json-string": ("null", "{}", "[]", "0"),
}
_ABSENT = object()


def likely(schema: Schema[Any]) -> Iterator[str]:
    """A few short texts, most of them documents of the schema or nearly so."""
    if isinstance(schema.language, Sql):
        for table, columns in schema.language.tables.items():
            for column in columns[:4]:
                yield f"SELECT {column} FROM {table}"
        return
    if schema.language is not None:
        return
    seen = set()
    for variant in range(_VARIANTS):
        document = _make(schema.json_schema, schema.json_schema, variant, 0)
        text = "" if document is _ABSENT else json.dumps(document, ensure_ascii=False)
        if text and text not in seen:
            seen.add(text)
            yield text


def _make(node: Any, root: Any, variant: int, depth: int) -> Any:
    if not isinstance(node, Mapping) or depth > _DEEPEST:
        return None if node is not False and depth <= _DEEPEST else _ABSENT
    if "const" in node:
        return node["const"]
    if isinstance(node.get("enum"), list) and node["enum"]:
        return node["enum"][variant % len(node["enum"])]
    merged = _merge(node, root, variant, 0)
    if "const" in merged or ("enum" in merged and "enum" not in node):
        return _make({key: merged[key] for key in ("const", "enum") if key in merged}, root, variant, depth)
    kinds = merged.get("type", "object" if "required" in merged or "properties" in merged else "null")
    kind = kinds if isinstance(kinds, str) else kinds[variant % len(kinds)] if kinds else "null"
    if kind == "object":
        made = {}
        names = list(merged.get("required", []))
        properties = merged.get("properties", {})
        for name in [*(n for n in properties if n in names), *(n for n in names if n not in properties)]:
            made[name] = _make(properties.get(name, True), root, variant, depth + 1)
        return _ABSENT if any(value is _ABSENT for value in made.values()) else made
    if kind == "array":
        items = merged.get("items", True)
        wanted = merged.get("contains")
        if wanted is not None:
            items = {"allOf": [items, wanted]} if isinstance(items, Mapping) else wanted
        count = min(max(merged.get("minItems", 0), 0 if wanted is None else merged.get("minContains", 1)), 50)
        first = items if isinstance(items, list) else merged.get("prefixItems", [])
        rest = True if isinstance(items, list) else items
        made_items = [_make(first[i] if i < len(first) else rest, root, variant + i, depth + 1) for i in range(count)]
        return _ABSENT if any(value is _ABSENT for value in made_items) else made_items
    if kind in ("number", "integer"):
        low = merged.get("minimum", merged.get("exclusiveMinimum", 0))
        if not isinstance(low, int | float) or isinstance(low, bool):
            return variant
        return max(int(low) + (1 if "exclusiveMinimum" in merged else 0), 0) + variant
    samples = _SAMPLES.get(str(merged.get("format")))
    if kind == "string" and samples:
        return samples[variant % len(samples)]
    return {"string": "a" * min(merged.get("minLength", 0), 1000), "boolean": bool(variant % 2)}.get(kind)


def _merge(node: Mapping[str, Any], root: Any, variant: int, depth: int) -> dict[str, Any]:
    """A subschema with its references, conjunctions and one of its alternatives folded in, roughly."""
    merged: dict[str, Any] = {}
    parts: list[Any] = [{key: value for key, value in node.items() if key not in ("$ref", "allOf", "anyOf", "oneOf")}]
    if depth < _DEEPEST:
        if isinstance(node.get("$ref"), str):
            parts.append(_resolve(node["$ref"], root))
        parts += node.get("allOf", [])
        for key in ("anyOf", "oneOf"):
            if node.get(key):
                parts.append(node[key][variant % len(node[key])])
    for n, part in enumerate(parts):
        folded = part if n == 0 else _merge(part, root, variant, depth + 1) if isinstance(part, Mapping) else {}
        for key, value in folded.items():
            if key == "required" and isinstance(value, list):
                merged[key] = list(dict.fromkeys([*merged.get(key, []), *value]))
            elif key == "properties" and isinstance(value, Mapping):
                merged[key] = {**merged.get(key, {}), **value}
            else:
                merged.setdefault(key, value)
    return merged


def _resolve(reference: str, root: Any) -> Any:
    target = root
    for step in reference.removeprefix("#").split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        target = target.get(step) if isinstance(target, Mapping) else None
    return target if isinstance(target, Mapping) else {}
