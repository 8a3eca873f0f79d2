"""Input rows from files, pipes and queries, read one at a time."""

import gzip
import hashlib
import io
import json
import re
import sys
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, time
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar

from structout.document import Json, load_json
from structout.errors import DataError, MissingExtraError
from structout.language import quoted
from structout.surfaces import is_utf8
from structout.tables.csv import check_columns, read_table

T = TypeVar("T")

_BATCH = 1024  # rows that a columnar reader holds
_FIRST = 100  # rows among which each wanted column must appear, in formats without a header
_ITS_OWN: dict[str, Any] = {"enable_external_access": "false"}  # a view cannot read other files
_NO_UTF8 = re.compile("[\udc80-\udcff]")  # bytes that `opened_file` could not decode
_KINDS = (
    "JSONL (.jsonl), CSV (.csv), either with .gz, Parquet (.parquet), .sql, NAME.duckdb#TABLE, sql:QUERY, text or -"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One input row: its position from 0, its key, its text (None: missing), the whole record, and its problem. A row
    with a problem (`wrong`) is not asked.
    """

    position: int
    key: Json
    text: Any
    record: Json
    wrong: str = ""

    @property
    def digest(self) -> bytes:
        """A hash of key and text that shows whether the row has changed."""
        return hashlib.blake2b(json.dumps([self.key, self.text]).encode(), digest_size=8).digest()


@dataclass(frozen=True, slots=True)
class _Bad:
    """The content of a bad row, and its problem."""

    record: Json
    wrong: str


def read_rows(source: str, *, text: str = "text", key: str | None = None, limit: int | None = None) -> Iterator[Row]:
    """The rows of JSONL or CSV (optionally .gz), Parquet, a table or query of DuckDB, plain text or stdin (`-`).

    `text` names the column to read, `key` the column that identifies a row (default: row numbers from 1). A bad line is
    yielded as a row with its problem in `wrong`, for the pipeline to report. Raises `MissingExtraError`, and
    `DataError` if the source cannot be read or lacks a column.
    """
    for position, found in enumerate(islice(_records(source, text, key), limit)):
        record, wrong = (found.record, found.wrong) if isinstance(found, _Bad) else (found, "")
        fields = record if isinstance(record, dict) else {}
        content = None if wrong else fields.get(text)
        if isinstance(content, str) and (byte := _NO_UTF8.search(content)):
            wrong = f"the text is not UTF-8 at character {byte.start()}: convert the file to UTF-8"
        yield Row(position, fields.get(key) if key else position + 1, content, record, wrong)


def count_rows(source: str, *, limit: int | None = None) -> int | None:
    """The number of rows, or None if only reading them would tell: a pipe, a query."""
    name = source.removesuffix(".gz")
    if source == "-" or is_query(source):
        return None
    if source.endswith(".parquet"):
        count: int = _parquet_file(source).metadata.num_rows
    elif name.endswith((".csv", ".tsv")):
        count = sum(1 for _ in _csv(source, [], "\t" if name.endswith(".tsv") else ","))
    else:
        with opened_file(source) as stream:
            count = sum(1 for line in stream if not line.isspace())
    return count if limit is None else min(count, limit)


def rows_of(texts: Iterable[Any]) -> Iterator[Row]:
    """Texts as rows with keys from 1."""
    return (Row(place, place + 1, text, text if isinstance(text, str) else None) for place, text in enumerate(texts))


def _records(source: str, text: str, key: str | None) -> "Iterator[Json | _Bad]":
    """The records of the rows; bad rows as `_Bad`."""
    wanted = [text, *([key] if key else [])]
    name = source.removesuffix(".gz")
    if is_query(source):
        return queried_rows(source, wanted)
    if source.endswith(".parquet"):
        return parquet_rows(source, wanted)
    if name.endswith((".csv", ".tsv")):
        return _csv(source, wanted, "\t" if name.endswith(".tsv") else ",")
    jsonl = name.endswith((".jsonl", ".ndjson"))
    if not jsonl and source != "-" and Path(name).suffix not in ("", ".txt"):
        raise DataError(f"unknown input format: {source}", hint=f"give {_KINDS}")
    return with_columns(source, _lines(source, text, jsonl=jsonl), wanted, _fields)


def _fields(record: "Json | _Bad") -> Json:
    return None if isinstance(record, _Bad) else record


def _lines(source: str, text: str, *, jsonl: bool) -> "Iterator[Json | _Bad]":
    with opened_file(source) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            if jsonl or (source == "-" and line.lstrip().startswith("{")):
                try:
                    record = load_json(line, _constant)
                except ValueError as error:
                    yield _Bad(line.rstrip("\r\n"), f"line {number} is not JSON: {error}")
                else:
                    yield record if isinstance(record, dict) else _Bad(record, f"line {number} is not a JSON object")
            else:
                yield {text: line.rstrip("\r\n")}


def _csv(source: str, wanted: list[str], delimiter: str) -> "Iterator[Json | _Bad]":
    with opened_file(source, newline="") as stream:
        for line in read_table(source, stream, delimiter, wanted):
            cells: Json = line.cells if isinstance(line.cells, str) else {**line.cells}
            yield _Bad(cells, line.wrong) if line.wrong else cells


def parquet_rows(source: str, wanted: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file with the `wanted` columns. Raises `DataError`, `MissingExtraError`."""
    with _parquet_file(source) as file:
        check_columns(source, file.schema_arrow.names, wanted)
        try:
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from map(_plain, batch.to_pylist())
        except (OSError, ValueError) as error:  # Arrow's errors are subclasses
            raise DataError(f"cannot read {source}: {_first_line(error)}", hint="replace the damaged file") from error


def parquet_names(source: str) -> list[str]:
    """The columns of a Parquet file. Raises `DataError`, `MissingExtraError`."""
    with _parquet_file(source) as file:
        names: list[str] = file.schema_arrow.names
    return names


def _parquet_file(source: str) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow", "pipeline") from error
    try:
        return pq.ParquetFile(source)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"cannot read {source}: {_first_line(error)}", hint="give a Parquet file") from error


def is_query(source: str) -> bool:
    """Whether DuckDB reads the source: a query or a table."""
    return source.startswith("sql:") or source.endswith(".sql") or ".duckdb#" in source


def queried_rows(source: str, wanted: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of a table or query of DuckDB with the `wanted` columns. Raises `DataError`, `MissingExtraError`.

    A query comes from the user and may read anything. A table is data: its name is only a name, and a view reads only
    its own database.
    """
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise MissingExtraError("duckdb", "pipeline") from error
    database, _, table = source.partition(".duckdb#")
    if source.startswith("sql:"):
        place, query = ":memory:", source.removeprefix("sql:")
    elif table:
        place, query = f"{database}.duckdb", f"SELECT * FROM {quoted(table)}"
        if not Path(place).is_file():
            raise DataError(f"cannot read {place}: No such file or directory", hint="check the path")
    else:
        with opened_file(source) as stream:
            place, query = ":memory:", stream.read()
    if not is_utf8(place + query):
        raise DataError(f"{source} is not UTF-8", hint="use a UTF-8 name and query for DuckDB")
    try:
        with duckdb.connect(place, read_only=bool(table), config=_ITS_OWN if table else {}) as connection:
            found = connection.execute(query)
            if found is None:
                raise DataError(f"{source} returns no rows", hint="write a SELECT")
            names = [column[0] for column in found.description or []]
            check_columns(source, names, wanted)
            if any("TIME ZONE" in str(column[1]) for column in found.description or []):  # DuckDB would need pytz
                other = connection.cursor()
                other.execute("SET TimeZone = 'UTC'")
                relation = other.sql(query)
                read: Any = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader  # before DuckDB 2
                for batch in read(_BATCH):
                    yield from map(_plain, batch.to_pylist())
                return
            while rows := found.fetchmany(_BATCH):
                yield from (_plain(dict(zip(names, row, strict=True))) for row in rows)
    except duckdb.PermissionException as error:
        hint = "name a table of the database, or write a query: 'sql:SELECT ...'"
        raise DataError(f"{source} reads more than its database: {_first_line(error)}", hint=hint) from error
    except duckdb.Error as error:
        hint = "name a table of the database" if table else "write the query in DuckDB's SQL"
        raise DataError(f"{source}: {_first_line(error)}", hint=hint) from error


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row with JSON values only: dates (RFC 3339), decimals and bytes become text, and NaN becomes null."""
    if all(isinstance(value, str | int | None) or _is_finite(value) for value in row.values()):
        return row
    plain: dict[str, Any] = json.loads(json.dumps(row, default=_written), parse_constant=_constant)
    return plain


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and isfinite(value)


def _constant(name: str) -> str | None:
    """The replacement of a number that JSON lacks: null for NaN, which marks missing values, and infinities by name."""
    return None if name == "NaN" else name


def _written(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | time) else str(value)  # a datetime is a date


def with_columns(source: str, records: Iterator[T], wanted: Sequence[str], row: Callable[[T], Json]) -> Iterator[T]:
    """The same records, after a check that each wanted column appears in one of the first records. `row` makes an
    object of a record. Raises `DataError`.
    """
    first, names = [], dict[str, None]()
    for record in islice(records, _FIRST):
        first.append(record)
        found = row(record)
        names.update(dict.fromkeys(found if isinstance(found, dict) else ()))
        if names.keys() >= set(wanted):
            break
    if names:
        check_columns(source, list(names), wanted)
    yield from first
    yield from records


@contextmanager
def opened_file(source: str, newline: str | None = None) -> Iterator[TextIO]:
    """A text file, plain or .gz, or stdin (`-`), for reading. Bytes that are not UTF-8 become unpaired surrogates, so
    that they are kept. A byte order mark is removed. Raises `DataError`, also during reading.
    """
    with opened_bytes(source) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline=newline)
        try:
            yield text
        finally:
            if not raw.closed:  # it is closed already if unread rows were discarded
                text.detach()


@contextmanager
def opened_bytes(source: str) -> Iterator[BinaryIO]:
    """A file, plain or .gz, or stdin (`-`), for reading bytes. Raises `DataError`, also during reading."""
    if source == "-":
        yield _utf8(source, sys.stdin.buffer)
        return
    try:
        opener: Any = gzip.open if source.endswith(".gz") else open
        with opener(source, "rb") as stream:
            yield _utf8(source, stream)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot read {source}: {reason}", hint=f"check the path; give {_KINDS}") from error


def _utf8(source: str, stream: Any) -> Any:
    """The stream itself. Raises `DataError` if a byte order mark shows that it is UTF-16."""
    peek = getattr(stream, "peek", None)
    if peek is not None and peek(2)[:2] in (BOM_UTF16_BE, BOM_UTF16_LE):
        raise DataError(f"{source} is UTF-16", hint="convert it to UTF-8: iconv -f UTF-16 -t UTF-8")
    return stream


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:200]
