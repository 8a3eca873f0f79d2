"""Documents from files and pipes, read one at a time."""

import json
import math
import warnings
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from structout.document import Json, one_line, parse_json
from structout.errors import DataError, SpecError, StructoutWarning
from structout.issue import Issue, IssueKind
from structout.schema import Schema
from structout.schema.walk import kinds_of
from structout.tables.batch_answers import BatchAnswer, batch_answers, batch_format
from structout.tables.columnar import Bad, parquet_rows, queried_rows
from structout.tables.csv import read_table
from structout.tables.databases import database_rows, json_columns
from structout.tables.kept_columns import KeptColumns
from structout.tables.layout import Layout, fields, strangers
from structout.tables.place import BATCHES, KINDS, DocumentFormat, Place
from structout.tables.rows import with_columns
from structout.tables.streams import opened_bytes, opened_text
from structout.tables.yaml import yaml_documents

_WITHOUT_COLUMNS = ("yaml", *BATCHES)
Rows = Iterator[dict[str, Any] | Bad]


class Document(NamedTuple):
    """One document and its line or row. `data` is its JSON in UTF-8; a document from a typed file is already `parsed`.

    `wrong` is the problem of a row that cannot hold a document, and `kind` the kind of its issue: then the document is
    invalid, and `data` or `parsed` is the row. `kept` holds the kept cells of its row. (A tuple, because creating
    documents is a large part of the cost of small documents.)
    """

    line: int
    data: bytes | None
    parsed: Json = None
    wrong: str = ""
    kind: IssueKind = "unreadable"
    kept: Mapping[str, Json] | None = None

    @property
    def text(self) -> str:
        """The document as JSON. Bytes that are not UTF-8 become unpaired surrogates."""
        return json.dumps(self.parsed) if self.data is None else self.data.decode("utf-8", "surrogateescape")

    def beginning(self, length: int) -> str:
        """The first characters of the text, with an ellipsis if there are more."""
        if self.data is not None:
            text = self.data[: 4 * length + 4].decode("utf-8", "surrogateescape")  # four bytes a character at most
        else:
            text = self.text
        return text if len(text) <= length else text[: length - 1] + "…"

    def json_line(self, schema: Schema[Any]) -> bytes:
        """A valid document as one line of JSON: the original text, with each string and number as it is written."""
        if schema.language is not None:
            return json.dumps(self.text if self.data is not None else self.parsed).encode()
        if self.data is not None and b"\n" not in self.data and b"\r" not in self.data:
            return self.data
        return json.dumps(self.parsed).encode() if self.data is None else one_line(self.data)


def read_documents(
    source: str | Place,
    schema: Schema[Any],
    *,
    column: str | None = None,
    format: DocumentFormat | None = None,  # noqa: A002
    keep: KeptColumns | None = None,
    blank: Callable[[], None] = lambda: None,
) -> Iterator[Document]:
    """The documents of a `.json` file (one, or an array of them), of YAML, of JSONL, CSV, Parquet, DuckDB and
    PostgreSQL (one per row), of a provider's batch output (an answer each), or of JSONL on stdin (`-`).

    With a `column`, each document is the JSON text in that column, and has the cells of the columns to `keep`.
    Otherwise a row of a table is a document, whose cells are read as the schema's types, as `structout run` writes
    them; its provenance columns are skipped, and so are the columns that the run kept of its input. `blank` is called
    for each blank line of JSONL, where a document may be lost. Only a `format` makes a file a batch output: lines that
    look like one are refused without any. Raises `DataError`, also during reading.
    """
    place = source if isinstance(source, Place) else Place.of(source, format)
    wanted = [] if column is None else [column, *(keep.names or () if keep else ())]
    if column is not None and place.format in _WITHOUT_COLUMNS:
        raise SpecError(f"--column is for tables, and {place.shown} has no columns", hint="leave it out")
    if place.is_database:
        return _typed(place.shown, database_rows(place, wanted), schema, column, keep, json_columns(place))
    if place.is_query:
        return _typed(place.shown, queried_rows(place, wanted), schema, column, keep)
    if place.format == "parquet":
        return _typed(place.shown, parquet_rows(place, wanted), schema, column, keep)
    if place.format in ("csv", "tsv"):
        return _csv(place, schema, column, keep)
    if place.format == "json":
        return _whole(place, schema)
    if place.format == "yaml":
        return _yaml(place, schema)
    if place.format in BATCHES:
        return (_answered(one) for one in batch_answers(place))
    if not place.is_known:
        raise DataError(f"unknown input format: {place.shown}", hint=f"give {KINDS}, or name the format with --format")
    if column is None:
        lines = _lines(place, blank)
        return lines if format is not None else _checked(place, lines, schema)
    documents = with_columns(place.shown, _lines(place, blank), wanted, lambda document: parse_json(document.text)[0])
    return (_nested(document, column, keep) for document in documents)


def _typed(
    source: str,
    rows: Rows,
    schema: Schema[Any],
    column: str | None,
    keep: KeptColumns | None,
    parsed: Sequence[str] = (),
) -> Iterator[Document]:
    read: Callable[[dict[str, Any]], Json] | None = None
    for line, row in enumerate(rows, 1):
        if isinstance(row, Bad):
            yield Document(line, None, row.record, row.wrong, kept=_kept(keep, row.record))
            continue
        if column is not None:
            yield _in_column(row, column, line, keep)
            continue
        if read is None:  # the first row shows that pyarrow is installed
            from structout.tables.arrow import reader_of

            read = reader_of(schema, parsed)
            _warn(source, schema, row)
        yield Document(line, None, read(row))


def _yaml(place: Place, schema: Schema[Any]) -> Iterator[Document]:
    for one in yaml_documents(place):
        if isinstance(one.value, list) and not one.wrong and _divides(schema):
            yield from (Document(line, None, item) for line, item in zip(one.items, one.value, strict=True))
        else:
            found = Document(one.line, None, one.value)
            yield found._replace(wrong=one.wrong, kind=one.kind) if one.wrong else found


def _answered(one: BatchAnswer) -> Document:
    if one.wrong:
        return Document(one.line, None, one.entry, one.wrong, one.kind)
    if one.text is not None:
        return Document(one.line, one.text.encode("utf-8", "surrogatepass"))
    return Document(one.line, None, one.tool)


def _checked(place: Place, lines: Iterator[Document], schema: Schema[Any]) -> Iterator[Document]:
    """The same lines. Raises `DataError` if the first is an entry of a batch output, unless the schema describes it."""
    first = next(lines, None)
    if first is None:
        return
    found = parse_json(first.text)[0]
    if (kind := batch_format(found)) and isinstance(found, dict) and not set(fields(schema)) & found.keys():
        hint = f"add --format {kind} to judge its answers, or --format jsonl to judge its lines"
        raise DataError(f"{place.shown} looks like a batch output of a provider", hint=hint)
    yield first
    yield from lines


def _divides(schema: Schema[Any]) -> bool:
    """Whether an array holds documents: no document of the schema is an array."""
    return not Layout.of(schema).whole or "array" not in kinds_of(schema.json_schema, schema.json_schema)


def _whole(place: Place, schema: Schema[Any]) -> Iterator[Document]:
    """The document in a file; the items of an array, if no document of the schema is an array."""
    with opened_bytes(place) as stream:
        data = stream.read().removeprefix(BOM_UTF8)
    if data[:1].isspace() or data[:1] == b"[":
        found, _ = parse_json(data.decode("utf-8", "surrogateescape"))
        if isinstance(found, list) and _divides(schema):
            yield from (Document(number, None, one) for number, one in enumerate(found, 1))
            return
    if data and not data.isspace():
        yield Document(1, data)


def _lines(place: Place, blank: Callable[[], None]) -> Iterator[Document]:
    with opened_bytes(place) as stream:
        for number, line in enumerate(stream, 1):
            if number == 1:
                line = line.removeprefix(BOM_UTF8)
            if line and not line.isspace():
                yield Document(number, line.rstrip(b"\r\n"))
            else:
                blank()


def _nested(document: Document, column: str, keep: KeptColumns | None) -> Document:
    """The document in a column of a row, which is given as a document."""
    row, issue = parse_json(document.text)
    if isinstance(row, dict) and column in row:
        return _in_column(row, column, document.line, keep)
    return document._replace(wrong=_why_none(row, issue, column), kept=_kept(keep, row))


def _why_none(row: Json, issue: Issue | None, column: str) -> str:
    """Why a row holds no document in a column. `issue` is the one of the row's text as JSON."""
    if issue is not None:
        return f"the row is not JSON: {issue.message}" if issue.kind == "not_json" else f"invalid row: {issue.message}"
    return f"the row has no column {column!r}" if isinstance(row, dict) else "the row is not a JSON object"


def _in_column(row: dict[str, Any], column: str, line: int, keep: KeptColumns | None) -> Document:
    kept = _kept(keep, row)
    if column not in row:
        return Document(line, None, None, _why_none(row, None, column), kept=kept)
    value = row[column]
    if isinstance(value, str):
        return Document(line, value.encode("utf-8", "surrogateescape"), kept=kept)
    return Document(line, None, value, kept=kept)


def in_column(rows: Iterable[Any], column: str, keep: KeptColumns | None = None) -> Iterator[Document]:
    """The documents in a column of rows: mappings, or JSON texts. NaN, as pandas writes a missing cell, is null. Raises
    `DataError` if no row has a column, and if JSON cannot hold a kept cell.
    """
    wanted = [column, *(keep.names or () if keep else ())]
    given = (one if isinstance(one, str) else {**one} if isinstance(one, Mapping) else None for one in rows)
    for line, row in enumerate(with_columns("the input", given, wanted, _parsed), 1):
        if isinstance(row, str):
            document = _nested(Document(line, row.encode("utf-8", "surrogateescape")), column, keep)
        elif row is None:
            document = Document(line, None, None, _why_none(None, None, column), kept=_kept(keep, None))
        else:
            document = _in_column({name: _not_nan(value) for name, value in row.items()}, column, line, keep)
        for name, value in (document.kept or {}).items():
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError):
                kind, hint = type(value).__name__, "convert the column to texts or numbers"
                raise DataError(f"row {line}: the column {name!r} holds {kind}, expected JSON", hint=hint) from None
        yield document


def _not_nan(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _parsed(row: Json) -> Json:
    return parse_json(row)[0] if isinstance(row, str) else row


def _kept(keep: KeptColumns | None, row: Json) -> Mapping[str, Json] | None:
    """The cells to keep of a row. Raises `SpecError` for a column whose name cannot be kept."""
    if keep is None:
        return None
    cells = keep.cells(row)
    keep.check(cells)
    return cells


def _csv(place: Place, schema: Schema[Any], column: str | None, keep: KeptColumns | None) -> Iterator[Document]:
    layout = Layout.of(schema)
    read = layout.cells()
    warned = column is not None
    with opened_text(place, newline="") as stream:
        for line in read_table(place.shown, stream, place.separator, [] if column is None else [column]):
            cells = line.cells
            if line.wrong or isinstance(cells, str):
                bad: Json = cells if isinstance(cells, str) else {**cells}
                yield Document(line.number, None, bad, line.wrong, kept=_kept(keep, bad))
                continue
            warned = warned or _warn(place.shown, schema, cells)
            if column is not None:
                yield _in_column(cells, column, line.number, keep)
            else:
                values = {name: read(name, cell) for name, cell in cells.items()}
                yield Document(line.number, None, layout.record(values))


def _warn(source: str, schema: Schema[Any], names: Iterable[str]) -> bool:
    """Warn of columns without a field in the schema. A misspelt column would otherwise stay unchecked. Always True."""
    if others := strangers(schema, names):
        message = f"{source} has columns without a field in {schema.shown}: {', '.join(others[:12])}"
        warnings.warn(message, StructoutWarning, stacklevel=2)
    return True
