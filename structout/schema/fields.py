"""The fields of a schema in a notebook."""

import json
from collections.abc import Mapping
from typing import Any

from structout import pages

_MOST = 20_000  # characters of the JSON Schema


def notebook(name: str, json_schema: Mapping[str, Any] | bool) -> str:
    """The top-level fields as a table, and the JSON Schema to unfold."""
    schema = json_schema if isinstance(json_schema, Mapping) else {}
    fields, required = schema.get("properties", {}), schema.get("required", [])
    lines = [
        [field, _kind(part), "yes" if field in required else "", str(_get(part, "description") or "")]
        for field, part in fields.items()
    ]
    grid = pages.table(["field", "type", "required", "description"], lines, "fields") if lines else ""
    written = json.dumps(json_schema, indent=2)
    cut = f"{written[:_MOST]}\n..." if len(written) > _MOST else written
    whole = f"<details><summary>JSON Schema</summary><pre>{pages.cell(cut)}</pre></details>"
    return pages.fragment(pages.Html(f"<p><b>{pages.cell(name)}</b></p>{grid}{whole}"))


def _kind(part: Any) -> str:
    """The type of a field in a few words."""
    if values := _get(part, "enum"):
        return "one of " + ", ".join(map(str, values[:12])) + (", ..." if len(values) > 12 else "")
    if choices := _get(part, "anyOf") or _get(part, "oneOf"):
        return " or ".join(map(_kind, choices[:12]))
    if reference := _get(part, "$ref"):
        return str(reference).rpartition("/")[2]
    kind = _get(part, "type")
    if kind == "array" and isinstance(_get(part, "items"), Mapping):
        return f"list of {_kind(part['items'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind or "anything")


def _get(part: Any, keyword: str) -> Any:
    return part.get(keyword) if isinstance(part, Mapping) else None
