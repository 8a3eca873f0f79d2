"""Typed Arrow columns for the fields of a schema."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from structout.document import Json
from structout.errors import DataError
from structout.schema import Schema
from structout.schema.references import resolve
from structout.schema.walk import kinds_of
from structout.tables.decimals import bounded, bounds_of, exact_text, is_decimal
from structout.tables.kept_columns import Kept
from structout.tables.layout import ABSENT, MORE, Layout, beside, is_open, read_text, unpacked

PROVENANCE = (
    ("_status", pa.string()),
    ("_edits", pa.string()),
    ("_confidence", pa.float64()),
    ("_strategy", pa.string()),
    ("_attempts", pa.int64()),
    ("_tokens", pa.int64()),
    ("_cost", pa.float64()),
    ("_seconds", pa.float64()),
    ("_fingerprint", pa.string()),
    ("_version", pa.string()),
    ("_estimated", pa.int64()),
)


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Column:
    """An Arrow type with its conversions. `convert` turns a JSON value into a value of the type, and raises
    `ValueError`, `TypeError` or `OverflowError` if the type cannot hold it. `restore` turns the value, with dates as
    text, back into JSON. Null in a column that is not `nullable` means that the field is absent. A `json` column holds
    the JSON text of its values.
    """

    type: pa.DataType
    convert: Callable[[Any], Any]
    restore: Callable[[Any], Json] = _same
    nullable: bool = True
    json: bool = False


def columns_of(schema: Schema[Any]) -> dict[str, Column]:
    """The columns of written records, named as `Layout` names them.

    A field without a single type (a union, a recursion, a free-form object) becomes JSON text. A decimal is a decimal
    if the schema bounds its digits, otherwise text; so is a union of texts. Timestamps are stored in UTC; a timestamp
    without an offset counts as UTC.
    """
    return _columns(Layout.of(schema))


def _columns(layout: Layout) -> dict[str, Column]:
    reader = _Reader(layout.root, layout.extras)
    try:
        return {name: reader.column(node, ()) for name, node in layout.columns.items()}
    except RecursionError as error:
        raise DataError(
            "the schema is nested too deep for typed columns", hint="write JSONL, which holds any record"
        ) from error


def reader_of(schema: Schema[Any], parsed: Collection[str] = ()) -> Callable[[dict[str, Json]], Json]:
    """A function that restores a record from a row of `Table`, with dates as text. A row of another program is taken as
    the record, except that text which can only be JSON is parsed, and null which can only mean absence is dropped. The
    `parsed` columns hold JSON values already.
    """
    layout = Layout.of(schema)
    columns = _columns(layout)
    columns |= {name: Column(_TEXT.type, _same, nullable=columns[name].nullable) for name in parsed if name in columns}
    return lambda row: layout.record({name: _restored(columns.get(name), value) for name, value in row.items()})


def _restored(column: Column | None, value: Json) -> Json:
    if value is None:
        return None if column is None or column.nullable else ABSENT
    return value if column is None else column.restore(value)


class Table:
    """Records in typed columns, after the `kept` columns, and followed by their provenance columns unless the table is
    `bare`. In a `flat` table, a nested value is text: `json` names the columns of JSON.
    """

    def __init__(
        self, schema: Schema[Any], *, bare: bool, flat: bool = False, kept: Kept = MappingProxyType({})
    ) -> None:
        self._layout = Layout.of(schema)
        self._columns = _columns(self._layout)
        if flat:
            nested = [name for name, one in self._columns.items() if one.json or pa.types.is_nested(one.type)]
            self._columns |= {name: replace(_TEXT, nullable=self._columns[name].nullable) for name in nested}
        self.json = {name for name, one in self._columns.items() if one.json} | (set() if bare else {"_edits"})
        self._provenance = {} if bare else {"_key": pa.string(), **dict(PROVENANCE)}
        types = {name: column.type for name, column in self._columns.items()}
        before = {name: _KEPT[kind].type for name, kind in kept.items()}
        self.schema = pa.schema({**before, **types, **self._provenance})

    def row(self, record: Json, provenance: dict[str, Any]) -> dict[str, Any]:
        """One record as a row of `schema`. Raises `DataError` if a column cannot hold its value."""
        values = self._layout.row(record)
        row = {name: _held(name, column, values.get(name)) for name, column in self._columns.items()}
        if self._provenance:
            key = provenance["_key"]
            row |= {name: provenance.get(name) for name in self._provenance}
            row["_key"] = _held("_key", _STRING, key if isinstance(key, str) else json.dumps(key))
            row["_edits"] = json.dumps(provenance["_edits"])
        return row


def kept_part(kept: Kept, cells: Mapping[str, Json]) -> dict[str, Any]:
    """The kept cells of an input row, as a part of a row. Raises `DataError` if a column cannot hold its value."""
    return {name: _held(name, _KEPT[kind], cells.get(name)) for name, kind in kept.items()}


def _held(name: str, column: Column, value: Json) -> Any:
    try:
        return _optional(column, value)
    except (ValueError, TypeError, OverflowError) as error:
        shown = json.dumps(value)
        shown = shown if len(shown) <= 60 else shown[:59] + "…"
        raise DataError(
            f"the typed column {name!r} cannot hold {shown}", hint="write JSONL, which holds any value"
        ) from error


class _Reader:
    """Reads the columns of a schema. References point into `root`; `extras` is the one of the layout."""

    def __init__(self, root: Any, extras: bool) -> None:
        self._root = root
        self._extras = extras
        self._columns = 0

    def column(self, node: Any, seen: tuple[str, ...]) -> Column:
        self._columns += 1
        if self._columns > _MOST_COLUMNS:
            problem = f"the schema has more than {_MOST_COLUMNS:,} typed columns"
            raise DataError(problem, hint="write JSONL, which holds any record")
        kinds = kinds_of(node, self._root)
        found = self._typed(node, seen)
        if found is _TEXT and is_decimal(node, self._root):
            found = _DECIMAL
        elif found is _TEXT and kinds <= {"string", "null"}:
            found = _PLAIN
        elif found is _TEXT:
            found = replace(_TEXT, restore=lambda value: read_text(value, kinds) if isinstance(value, str) else value)
        return replace(found, nullable="null" in kinds)

    def _typed(self, node: Any, seen: tuple[str, ...]) -> Column:
        if isinstance(node, dict) and "$ref" in node:
            ref = node["$ref"]
            return _TEXT if ref in seen else self._typed(resolve(self._root, ref), (*seen, ref))
        if not isinstance(node, dict):
            return _TEXT
        options = [one for one in node.get("anyOf") or node.get("oneOf") or [] if one != {"type": "null"}]
        if len(options) == 1:
            return self._typed(options[0], seen)
        if (bounds := bounds_of(node)) is not None:
            return _bounded(*bounds)
        kind = node.get("type")
        if isinstance(kind, list):
            kinds = [one for one in kind if one != "null"]
            return self._typed({**node, "type": kinds[0]}, seen) if len(kinds) == 1 else _TEXT
        if options:
            return _TEXT
        if kind == "string":
            return _FORMATS.get(node.get("format", ""), _STRING)
        if kind == "array" and isinstance(node.get("items"), dict) and "prefixItems" not in node:
            return _list(self.column(node["items"], seen))
        if kind == "object" and node.get("properties"):
            return self._struct(node, seen)
        if kind is None and all(isinstance(value, str) for value in _choices(node)):
            return _STRING
        return _SCALARS.get(str(kind), _TEXT)

    def _struct(self, node: dict[str, Any], seen: tuple[str, ...]) -> Column:
        more = is_open(node, self._extras)
        if MORE in node["properties"] and more:
            return _TEXT
        columns = {name: self.column(part, seen) for name, part in node["properties"].items()}
        if not more:
            return _struct(columns)
        whole = _struct({**columns, MORE: self.column(True, seen)})
        return Column(
            whole.type,
            lambda row: whole.convert({**row, MORE: beside(row, columns) or None}),
            lambda row: unpacked(found) if isinstance(found := whole.restore(row), dict) else found,
        )


def _bounded(digits: int, places: int) -> Column:
    return Column(pa.decimal128(digits, places), lambda value: bounded(value, digits, places))


def _choices(node: dict[str, Any]) -> list[Json]:
    return node["enum"] if "enum" in node else [node.get("const")]


def _list(item: Column) -> Column:
    def restore(values: Any) -> Json:
        if not isinstance(values, list):
            return values  # type: ignore[no-any-return]
        return [None if value is None else item.restore(value) for value in values]

    return Column(pa.list_(item.type), lambda values: [_optional(item, value) for value in values], restore)


def _struct(columns: dict[str, Column]) -> Column:
    def restore(row: Any) -> Json:
        if not isinstance(row, dict):
            return row  # type: ignore[no-any-return]
        found = {name: _restored(columns.get(name), value) for name, value in row.items()}
        return {name: value for name, value in found.items() if value is not ABSENT}

    fields = pa.struct([(name, column.type) for name, column in columns.items()])
    return Column(
        fields, lambda row: {name: _optional(column, row.get(name)) for name, column in columns.items()}, restore
    )


def _optional(column: Column, value: Json) -> Any:
    return None if value is None else column.convert(value)


def _whole(value: Any) -> int:
    if not -(2**63) <= value < 2**63:
        raise OverflowError
    return int(value)


def _real(value: Any) -> float:
    if float(value) != value:
        raise ValueError("it would be rounded")
    return float(value)


def _string(text: str) -> str:
    text.encode()  # an unpaired surrogate has no UTF-8
    return text


def _plain(text: str) -> str:
    """Text as it is, but a text that is itself a JSON string as JSON, so that both are read as they were written."""
    return _string(text if _unquoted(text) == text else json.dumps(text, ensure_ascii=False))


def _unquoted(value: Any) -> Any:
    return read_text(value, frozenset({"string"})) if isinstance(value, str) else value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _rfc3339(moment: Any) -> Any:
    """A moment as RFC 3339 writes it: DuckDB casts those within lists and structs to `2026-01-02 03:04:05+00`."""
    found = _SQL_MOMENT.fullmatch(moment) if isinstance(moment, str) else None
    return f"{found[1]}T{found[2]}{'Z' if found[3] else ''}" if found else moment


_SQL_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(\+00)?")
_MOST_COLUMNS = 10_000  # including nested columns
_TEXT = Column(pa.string(), lambda value: _string(json.dumps(value, ensure_ascii=False)), json=True)
_STRING = Column(pa.string(), _string)
# structout 0.1 wrote unions of texts and decimals as JSON, which these columns still read.
_PLAIN = Column(pa.string(), _plain, _unquoted)
_DECIMAL = Column(pa.string(), lambda value: _plain(exact_text(value)), _unquoted)
_SCALARS = {
    "integer": Column(pa.int64(), _whole),
    "number": Column(pa.float64(), _real),
    "boolean": Column(pa.bool_(), bool),
}
_KEPT: dict[str, Column] = {**_SCALARS, "string": _STRING, "json": _TEXT}
_FORMATS = {
    "date": Column(pa.date32(), date.fromisoformat),
    "date-time": Column(pa.timestamp("us", tz="UTC"), _moment, _rfc3339),
}
