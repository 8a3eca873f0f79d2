"""Documents from files and pipes, read one at a time."""

import json
import warnings
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from structout.document import Json, parse_json
from structout.errors import StructoutWarning
from structout.schema import Schema
from structout.tables.csv import read_table
from structout.tables.layout import Layout, strangers
from structout.tables.rows import is_query, opened_bytes, opened_file, parquet_rows, queried_rows, with_columns


class Document(NamedTuple):
    """One document and its line or row. `data` is its JSON in UTF-8; a document from a typed file is already `parsed`.

    `wrong` is the problem of a row that cannot hold a document. (A tuple, because creating documents is a large part of
    the cost of small documents.)
    """

    line: int
    data: bytes | None
    parsed: Json = None
    wrong: str = ""

    @property
    def text(self) -> str:
        """The document as JSON. Bytes that are not UTF-8 become unpaired surrogates."""
        return json.dumps(self.parsed) if self.data is None else self.data.decode("utf-8", "surrogateescape")

    def json_line(self, schema: Schema[Any]) -> bytes:
        """A valid document as one line of JSON: the original text if it is a single line."""
        if schema.language is not None:
            return json.dumps(self.text if self.data is not None else self.parsed).encode()
        if self.data is not None and b"\n" not in self.data and b"\r" not in self.data:
            return self.data
        return json.dumps(self.parsed if self.data is None else parse_json(self.text)[0]).encode()


def read_documents(source: str, schema: Schema[Any], *, column: str | None = None) -> Iterator[Document]:
    """The documents of a `.json` file (one), of JSONL, CSV, Parquet and DuckDB (one per row), or of JSONL on stdin
    (`-`).

    With a `column`, each document is the JSON text in that column. Otherwise a row of a table is a document, whose
    cells are read as the schema's types, as `structout run` writes them; its provenance columns are skipped. Raises
    `DataError`, also during reading.
    """
    name, wanted = source.removesuffix(".gz"), [] if column is None else [column]
    if source.endswith(".parquet"):
        return _typed(source, parquet_rows(source, wanted), schema, column)
    if is_query(source):
        return _typed(source, queried_rows(source, wanted), schema, column)
    if name.endswith((".csv", ".tsv")):
        return _csv(source, schema, column, "\t" if name.endswith(".tsv") else ",")
    if name.endswith(".json"):
        return _whole(source)
    if column is None:
        return _lines(source)
    documents = with_columns(source, _lines(source), [column], lambda document: parse_json(document.text)[0])
    return (_nested(document, column) for document in documents)


def _typed(source: str, rows: Iterator[dict[str, Any]], schema: Schema[Any], column: str | None) -> Iterator[Document]:
    for line, row in enumerate(rows, 1):
        if column is not None:
            yield _in_column(row, column, line)
            continue
        if line == 1:  # the first row shows that pyarrow is installed
            from structout.tables.arrow import reader_of

            read = reader_of(schema)
            _warn(source, schema, row)
        yield Document(line, None, read(row))


def _whole(source: str) -> Iterator[Document]:
    with opened_bytes(source) as stream:
        data = stream.read().removeprefix(BOM_UTF8)
    if data and not data.isspace():
        yield Document(1, data)


def _lines(source: str) -> Iterator[Document]:
    with opened_bytes(source) as stream:
        for number, line in enumerate(stream, 1):
            if number == 1:
                line = line.removeprefix(BOM_UTF8)
            if not line.isspace():
                yield Document(number, line.rstrip(b"\r\n"))


def _nested(document: Document, column: str) -> Document:
    row, issue = parse_json(document.text)
    if issue is not None or not isinstance(row, dict):
        return document
    return _in_column(row, column, document.line)


def _in_column(row: Any, column: str, line: int) -> Document:
    value = row.get(column)
    if isinstance(value, str):
        return Document(line, value.encode("utf-8", "surrogateescape"))
    return Document(line, None, value)


def _csv(source: str, schema: Schema[Any], column: str | None, delimiter: str) -> Iterator[Document]:
    layout = Layout.of(schema)
    read = layout.cells()
    warned = column is not None
    with opened_file(source, newline="") as stream:
        for line in read_table(source, stream, delimiter, [] if column is None else [column]):
            cells = line.cells
            if line.wrong or isinstance(cells, str):
                yield Document(line.number, None, cells if isinstance(cells, str) else {**cells}, line.wrong)
                continue
            warned = warned or _warn(source, schema, cells)
            if column is not None:
                yield _in_column(cells, column, line.number)
            else:
                row = {name: read(name, cell) for name, cell in cells.items()}
                yield Document(line.number, None, layout.record(row))


def _warn(source: str, schema: Schema[Any], names: Iterable[str]) -> bool:
    """Warn of columns without a field in the schema. A misspelt column would otherwise stay unchecked. Always True."""
    if others := strangers(schema, names):
        message = f"{source} has columns without a field in {schema.name}: {', '.join(others[:12])}"
        warnings.warn(message, StructoutWarning, stacklevel=2)
    return True
