"""Documents that others produced, one at a time, from files and pipes."""

import json
import warnings
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from structout.document import Json, parse_json
from structout.errors import StructoutWarning
from structout.schema import Schema
from structout.tables.csv import read_table
from structout.tables.layout import Layout, strangers
from structout.tables.rows import is_query, opened_bytes, opened_file, parquet_rows, queried_rows, with_columns


@dataclass(frozen=True, slots=True)
class Document:
    """One document and the line or row where it stands: its JSON in UTF-8, or, from a typed file, already parsed; and
    what is wrong with a row that cannot hold one.
    """

    line: int
    data: bytes | None
    parsed: Json = None
    wrong: str = ""

    @property
    def text(self) -> str:
        """The document as JSON; bytes that are not UTF-8 are unpaired surrogates."""
        return json.dumps(self.parsed) if self.data is None else self.data.decode("utf-8", "surrogateescape")

    def json_line(self, schema: Schema[Any]) -> bytes:
        """The document, which complies, as one line of JSON: as it is written, if that is one line."""
        if schema.language is not None:
            return json.dumps(self.text if self.data is not None else self.parsed).encode()
        if self.data is not None and b"\n" not in self.data and b"\r" not in self.data:
            return self.data
        return json.dumps(self.parsed if self.data is None else parse_json(self.text)[0]).encode()


def read_documents(source: str, schema: Schema[Any], *, column: str | None = None) -> Iterator[Document]:
    """The documents of a `.json` file (one), of JSONL, CSV, Parquet and DuckDB (one a row), or of JSONL on stdin (`-`).

    With a `column`, each document is the JSON text that stands in it. A row of a table without one is a document
    whose cells are read as the schema's types, as `structout run` writes them; what that wrote beside the record is
    left out. Raises `DataError`, also while it is read.
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
        if line == 1:  # with the first row pyarrow is known to be there
            from structout.tables.arrow import reader_of

            read = reader_of(schema)
            _tell(source, schema, row)
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
    told = column is not None
    with opened_file(source, newline="") as stream:
        for line in read_table(source, stream, delimiter, [] if column is None else [column]):
            cells = line.cells
            if line.wrong or isinstance(cells, str):
                yield Document(line.number, None, cells if isinstance(cells, str) else {**cells}, line.wrong)
                continue
            told = told or _tell(source, schema, cells)
            if column is not None:
                yield _in_column(cells, column, line.number)
            else:
                row = {name: read(name, cell) for name, cell in cells.items()}
                yield Document(line.number, None, layout.record(row))


def _tell(source: str, schema: Schema[Any], names: Iterable[str]) -> bool:
    """Warn of columns that the schema has no field for: of one that is misspelt, the values are not checked."""
    if others := strangers(schema, names):
        said = f"{source} has columns that are no field of {schema.name}: {', '.join(others[:12])}"
        warnings.warn(said, StructoutWarning, stacklevel=2)
    return True
