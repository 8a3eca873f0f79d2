"""A schema's fields as typed columns."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from structout.document import Json
from structout.prompts.render import resolve
from structout.schema import Schema

PROVENANCE = (
    ("_status", pa.string()),
    ("_edits", pa.string()),
    ("_strategy", pa.string()),
    ("_attempts", pa.int64()),
    ("_tokens", pa.int64()),
    ("_cost", pa.float64()),
    ("_seconds", pa.float64()),
    ("_fingerprint", pa.string()),
)


@dataclass(frozen=True)
class Column:
    """An Arrow type, and what turns a JSON value into one of it."""

    type: pa.DataType
    convert: Callable[[Any], Any]


def columns_of(schema: Schema[Any]) -> dict[str, Column]:
    """The columns of a record: an object's properties, else one column `value`.

    Whatever has no one type (a union, a recursion, free-form objects) becomes JSON text. Moments are kept in UTC; one
    without an offset counts as UTC.
    """
    root = schema.json_schema
    node = resolve(root, root["$ref"]) if isinstance(root, dict) and "$ref" in root else root
    if isinstance(node, dict) and node.get("properties") and node.get("type", "object") == "object":
        return {name: _column(part, root, ()) for name, part in node["properties"].items()}
    return {"value": _column(node, root, ())}


def _column(node: Any, root: Any, seen: tuple[str, ...]) -> Column:
    if isinstance(node, dict) and "$ref" in node:
        ref = node["$ref"]
        return _TEXT if ref in seen else _column(resolve(root, ref), root, (*seen, ref))
    if not isinstance(node, dict):
        return _TEXT
    options = [one for one in node.get("anyOf") or node.get("oneOf") or [] if one != {"type": "null"}]
    if len(options) == 1:
        return _column(options[0], root, seen)
    kind = node.get("type")
    if isinstance(kind, list):
        kinds = [one for one in kind if one != "null"]
        return _column({**node, "type": kinds[0]}, root, seen) if len(kinds) == 1 else _TEXT
    if options:
        return _TEXT
    if kind == "string":
        return _FORMATS.get(node.get("format", ""), _STRING)
    if kind == "array" and isinstance(node.get("items"), dict) and "prefixItems" not in node:
        return _list(_column(node["items"], root, seen))
    if kind == "object" and node.get("properties"):
        return _struct({name: _column(part, root, seen) for name, part in node["properties"].items()})
    if kind is None and all(isinstance(value, str) for value in _choices(node)):
        return _STRING
    return _SCALARS.get(str(kind), _TEXT)


def _choices(node: dict[str, Any]) -> list[Json]:
    return node["enum"] if "enum" in node else [node.get("const")]


def _list(item: Column) -> Column:
    return Column(pa.list_(item.type), lambda values: [_optional(item, value) for value in values])


def _struct(columns: dict[str, Column]) -> Column:
    fields = pa.struct([(name, column.type) for name, column in columns.items()])
    return Column(fields, lambda row: {name: _optional(column, row.get(name)) for name, column in columns.items()})


def _optional(column: Column, value: Json) -> Any:
    return None if value is None else column.convert(value)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_TEXT = Column(pa.string(), lambda value: json.dumps(value, ensure_ascii=False))
_STRING = Column(pa.string(), str)
_SCALARS = {
    "integer": Column(pa.int64(), int),
    "number": Column(pa.float64(), float),
    "boolean": Column(pa.bool_(), bool),
}
_FORMATS = {
    "date": Column(pa.date32(), date.fromisoformat),
    "date-time": Column(pa.timestamp("us", tz="UTC"), _moment),
}


def table(rows: list[dict[str, Any]], columns: dict[str, Column], provenance: pa.Schema) -> pa.Table:
    """Rows as an Arrow table: the record's columns, then those that say how it came about."""
    arrays = [
        pa.array([_optional(column, row.get(name)) for row in rows], column.type) for name, column in columns.items()
    ]
    beside = [pa.array([row.get(field.name) for row in rows], field.type) for field in provenance]
    return pa.Table.from_arrays([*arrays, *beside], names=[*columns, *provenance.names])
