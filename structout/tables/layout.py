"""The layout of records in the columns of a table."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from structout.document import Json, parse_json
from structout.errors import DataError
from structout.schema import Schema
from structout.schema.references import resolve
from structout.schema.walk import ANY, kind_of, kinds_of, meant
from structout.tables.decimals import is_decimal, with_decimals

PROVENANCE = (
    "_key", "_status", "_edits", "_confidence", "_strategy", "_attempts", "_tokens", "_cost", "_seconds",
    "_fingerprint", "_version", "_estimated",
)  # fmt: skip
_ALWAYS = frozenset(PROVENANCE) - {"_confidence", "_version", "_estimated"}  # which early outputs lacked
_WHOLE_NUMBER = re.compile(r"-?[0-9]+\.0+")
WHOLE, MORE = "value", "_more"
ABSENT: Any = object()  # the value of an empty cell of an optional field


@dataclass(frozen=True)
class Layout:
    """The columns of a schema's records, each with the JSON Schema of its values: a column per property, and `_more`
    for all other fields if a record may have them. If a record is not an object with properties (`whole`), the only
    column is `value`. `root` is the schema that references point into; `extras` says whether an object may hold fields
    that the schema does not mention.
    """

    columns: Mapping[str, Any]
    root: Any
    whole: bool = False
    extras: bool = False
    required: frozenset[str] = frozenset((WHOLE,))

    @classmethod
    def of(cls, schema: Schema[Any]) -> "Layout":
        """The columns of the documents of a schema."""
        root, extras = with_decimals(schema), schema.adapter is None
        node = _root(root)
        if not (isinstance(node, dict) and node.get("properties") and node.get("type", "object") == "object"):
            return cls({WHOLE: node}, root, True, extras)
        more = {MORE: True} if is_open(node, extras) else {}
        return cls({**node["properties"], **more}, root, False, extras, frozenset(node.get("required", ())))

    def row(self, record: Json) -> dict[str, Json]:
        """The values of the columns. Raises `DataError` if a field of the record has no column."""
        if self.whole:
            return {WHOLE: record}
        if not isinstance(record, dict):
            raise DataError("a record must be an object to have columns", hint="write JSONL, which holds any record")
        row = {name: value for name, value in record.items() if name in self.columns and name != MORE}
        if MORE in self.columns:
            return {**row, MORE: beside(record, self.columns) or None}
        if lost := beside(record, self.columns):
            raise DataError(f"the field {next(iter(lost))!r} has no column", hint="write JSONL, which holds any record")
        return row

    def record(self, values: Mapping[str, Json]) -> Json:
        """The record in the values of a row. Its provenance and `kept` columns are dropped."""
        if self._is_of_run(values):
            beside_it = {*PROVENANCE, *self.kept(values)}
            values = {name: value for name, value in values.items() if name not in beside_it}
        values = {name: value for name, value in values.items() if value is not ABSENT}
        if self.whole and values.keys() == {WHOLE} and kind_of(values[WHOLE]) in kinds_of(self.root, self.root):
            return values[WHOLE]
        return unpacked(values) if MORE in self.columns else dict(values)

    def kept(self, names: Collection[str]) -> list[str]:
        """The columns of the input that `structout run` kept in a row with these columns. The list is empty if they
        cannot be told from fields that the schema does not name.
        """
        if not self._is_of_run(names):
            return []
        if self.whole:
            is_told = WHOLE in names and "object" not in kinds_of(self.root, self.root)
        else:
            is_told = MORE not in self.columns or MORE in names
        return [name for name in names if name not in self.columns and name not in PROVENANCE] if is_told else []

    def _is_of_run(self, names: Collection[str]) -> bool:
        own = not self.whole and any(name in self.columns for name in PROVENANCE)
        return not own and has_provenance(names)

    def cells(self) -> Callable[[str, str | None], Json]:
        """A function that reads a text cell of a column. A cell that may be a string is one, unless it parses as
        another JSON type that the column allows. An empty cell is null if the column allows null. In a column without
        strings, cells may also be written as pandas and DuckDB write them: `True`, `6.0` for a whole number, `NaN`.
        A decimal stays text: a float would round it.
        """
        kinds = {name: kinds_of(node, self.root) for name, node in self.columns.items()}
        whole = {name for name, node in self.columns.items() if _is_whole(node, self.root)}
        exact = {name for name, node in self.columns.items() if is_decimal(node, self.root)}

        def read(name: str, cell: str | None) -> Json:
            known = kinds.get(name, ANY)
            if not cell:
                if name in kinds and "null" in known:
                    return None
                return "" if cell is not None and known == {"string"} and name in self.required else ABSENT
            if known <= {"string", "null"} or name in exact:
                return cell
            return read_text(cell if "string" in known else _as_json(cell, known, name in whole), known)

        return read


def _is_whole(node: Any, root: Any) -> bool:
    """Whether all numbers of a schema are whole."""
    types = [part["type"] for part in meant([node], root) if "type" in part]
    return "integer" in types and "number" not in types and not any(isinstance(one, list) for one in types)


def _as_json(cell: str, kinds: frozenset[str], is_whole: bool) -> str:
    """A cell that another program wrote, as JSON, if it can only mean one value of the kinds."""
    if cell in ("True", "False") and "boolean" in kinds:
        return cell.lower()
    if cell in ("NaN", "nan", "NULL", "None", "<NA>", r"\N") and "null" in kinds:
        return "null"
    return cell.partition(".")[0] if is_whole and _WHOLE_NUMBER.fullmatch(cell) else cell


def strangers(schema: Schema[Any], names: Iterable[str]) -> list[str]:
    """The names, of a record or of columns, that are not fields of the schema and may be misspelt. Empty if the schema
    itself says whether other fields are allowed, but for columns that a run kept: they are not judged.
    """
    layout, names = Layout.of(schema), list(names)
    if kept := layout.kept(names):
        return kept
    node = _root(layout.root)
    if layout.whole or "patternProperties" in node or "additionalProperties" in node:
        return []
    found = [name for name in names if name not in layout.columns and name != MORE]
    return [name for name in found if not (name in PROVENANCE and has_provenance(found))]


def is_of_run(names: Iterable[str]) -> bool:
    """Whether the names include the provenance columns of `structout run`."""
    return set(names) >= _ALWAYS


def has_provenance(names: Iterable[str]) -> bool:
    """Whether the names include the provenance columns of `structout run` or of the gate, which writes two of them."""
    found = set(names)
    return is_of_run(found) or found.intersection(PROVENANCE) == {"_status", "_edits"}


def unpacked(values: Mapping[str, Json]) -> dict[str, Json]:
    """The fields of a record, with the fields in `_more` merged in."""
    more = values.get(MORE)
    rest = {name: value for name, value in values.items() if name != MORE}
    return {**rest, **more} if isinstance(more, dict) else rest if more is None else dict(values)


def read_text(text: str, kinds: frozenset[str]) -> Json:
    """The text parsed as JSON if `kinds` allows the result, otherwise the text."""
    document, issue = parse_json(text)
    return text if issue or ("string" in kinds and kind_of(document) not in kinds) else document


def beside(record: dict[str, Json], columns: Mapping[str, Any]) -> dict[str, Json]:
    """The fields of a record without a column."""
    return {name: value for name, value in record.items() if name == MORE or name not in columns}


def is_open(node: Mapping[str, Any], extras: bool) -> bool:
    """Whether an object may hold fields other than its properties. `extras` decides if the schema does not say."""
    return bool(node.get("patternProperties")) or node.get("additionalProperties", extras) is not False


def _root(root: Any) -> Any:
    return resolve(root, root["$ref"]) if isinstance(root, dict) and "$ref" in root else root


def fields(schema: Schema[Any]) -> list[str]:
    """The fields that a record may have, over all alternatives at the root."""
    root = schema.json_schema
    return list(dict.fromkeys(name for node in meant([root], root) for name in node.get("properties", ())))
