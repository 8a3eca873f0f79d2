"""Rows of Parquet files and of DuckDB, as records of JSON values."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, time
from math import isfinite
from pathlib import Path
from typing import Any

from structout.document import Json
from structout.errors import DataError, MissingExtraError
from structout.language import quoted
from structout.surfaces import is_utf8
from structout.tables.csv import check_columns
from structout.tables.place import Place
from structout.tables.streams import opened_file, opened_text

BATCH = 1024  # rows that a reader holds
_ITS_OWN: dict[str, Any] = {"enable_external_access": "false"}  # a view cannot read other files
_MOMENT = re.compile(r"TIMESTAMP(?: WITH TIME ZONE|_NS|_MS|_S)?")
_DATES = re.compile(rf'"(?:[^"]|"")*"|\b(?:{_MOMENT.pattern}|DATE)(?=[][,)]|$)')
_UNREADABLE = (OverflowError, ValueError)  # a date after the year 9999, text that is not UTF-8


@dataclass(frozen=True, slots=True)
class Bad:
    """The content of a bad row, and its problem."""

    record: Json
    wrong: str


def parquet_rows(place: Place, wanted: list[str]) -> Iterator[dict[str, Any] | Bad]:
    """The rows of a Parquet file with the `wanted` columns. A row with a value that Python cannot hold is `Bad`.

    Raises `DataError`, `MissingExtraError`.
    """
    with parquet_file(place) as file:
        check_names(place.shown, file.schema_arrow.names, wanted)
        try:
            for batch in file.iter_batches(batch_size=BATCH):
                yield from arrow_rows(batch)
        except (OSError, ValueError) as error:  # Arrow's errors are subclasses
            hint = "replace the damaged file"
            raise DataError(f"cannot read {place.shown}: {_first_line(error)}", hint=hint) from error


def parquet_names(place: Place) -> list[str]:
    """The columns of a Parquet file. Raises `DataError`, `MissingExtraError`."""
    with parquet_file(place) as file:
        names: list[str] = file.schema_arrow.names
    return names


@contextmanager
def parquet_file(place: Place) -> Iterator[Any]:
    """An open Parquet file. Raises `DataError`, `MissingExtraError`."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow", "pipeline") from error
    with opened_file(place) if place.is_remote else nullcontext(place.file) as source:
        try:
            file = pq.ParquetFile(source)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise DataError(f"cannot read {place.shown}: {_first_line(error)}", hint="give a Parquet file") from error
        with file:
            yield file


def queried_rows(place: Place, wanted: list[str]) -> Iterator[dict[str, Any] | Bad]:
    """The rows of a table or query of DuckDB with the `wanted` columns. Raises `DataError`, `MissingExtraError`.

    A query comes from the user and may read anything. A table is data: its name is only a name, and a view reads only
    its own database.
    """
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise MissingExtraError("duckdb", "pipeline") from error
    source, file, query = place.name, ":memory:", ""
    if place.is_table:
        file = place.file
        if not Path(file).is_file():
            raise DataError(f"cannot read {file}: No such file or directory", hint="check the path")
    elif source.startswith("sql:"):
        query = source.removeprefix("sql:")
    else:
        with opened_text(place) as stream:
            query = stream.read()
    if not is_utf8(file + place.table + query):
        raise DataError(f"{source} is not UTF-8", hint="use a UTF-8 name and query for DuckDB")
    try:
        config = _ITS_OWN if place.is_table else {}
        with duckdb.connect(file, read_only=place.is_table, config=config) as connection:
            query = query or f"SELECT * FROM {relation(connection, place)}"
            connection.execute("SET TimeZone = 'UTC'")
            found = connection.sql(query)
            if found is None:
                raise DataError(f"{source} returns no rows", hint="write a SELECT")
            names, types = found.columns, list(map(str, found.types))
            check_names(source, names, wanted)
            # DuckDB makes another date of a date after the year 9999, and needs pytz for a zone: dates become text.
            if any("TIMESTAMP" in one or "DATE" in one for one in types):
                found = found.project(", ".join(map(_dated, names, types)))
            read = connection.execute(found.sql_query())
            while rows := read.fetchmany(BATCH):
                yield from (plain(dict(zip(names, row, strict=True))) for row in rows)
    except duckdb.PermissionException as error:
        hint = "name a table of the database, or write a query: 'sql:SELECT ...'"
        raise DataError(f"{source} reads more than its database: {_first_line(error)}", hint=hint) from error
    except duckdb.Error as error:
        hint = "name a table of the database" if place.is_table else "write the query in DuckDB's SQL"
        raise DataError(f"{source}: {_first_line(error)}", hint=hint) from error


def _dated(name: str, kind: str) -> str:
    """A column as SQL, in which dates are text (RFC 3339)."""
    column = quoted(name)
    if kind == "DATE":
        return f"{column}::VARCHAR AS {column}"
    if _MOMENT.fullmatch(kind):
        zone = "Z" if "TIME ZONE" in kind else ""
        written = f"replace(regexp_replace({column}::VARCHAR, '[+]00$', '{zone}'), ' ', 'T')"
        return f"{written} AS {column}"
    texts = _DATES.sub(lambda found: found[0] if found[0][0] == '"' else "VARCHAR", kind)  # within lists and structs
    return column if texts == kind else f"{column}::{texts} AS {column}"


def relation(connection: Any, place: Place) -> str:
    """A table of a database as SQL. A dot separates the schema, unless a table has the whole name."""
    query = "SELECT 1 FROM information_schema.tables WHERE table_name = ?"
    whole = connection.execute(query, [place.table]).fetchone() is not None
    return ".".join(map(quoted, [place.table] if whole else place.parts))


def check_names(source: str, names: list[str], wanted: list[str]) -> None:
    """Check that all wanted columns are there, and that no two columns have one name. Raises `DataError`."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"{source} has two columns {twice!r}", hint="rename or remove one of them")
    check_columns(source, names, wanted)


def arrow_rows(batch: Any) -> Iterator[dict[str, Any] | Bad]:
    """The rows of a record batch of Arrow. A date that Python cannot hold becomes text."""
    try:
        yield from map(plain, batch.to_pylist())
        return
    except _UNREADABLE:
        pass
    for number in range(batch.num_rows):
        yield _row(batch.slice(number, 1))


def _row(batch: Any) -> dict[str, Any] | Bad:
    found: dict[str, Any] = {}
    wrong = ""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            found[name] = _cell(column)
        except _UNREADABLE as error:
            found[name] = None
            wrong = wrong or f"the column {name!r} cannot be read: {_first_line(error)}"
    return Bad(plain(found), wrong) if wrong else plain(found)


def _cell(column: Any) -> Any:
    try:
        return column[0].as_py()
    except UnicodeDecodeError:
        raise
    except _UNREADABLE:
        import pyarrow as pa

        try:
            return column.cast(pa.string())[0].as_py()
        except pa.ArrowException as error:  # a date within a list or a struct
            raise ValueError(str(error)) from error


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row with JSON values only: dates (RFC 3339), decimals and bytes become text, and NaN becomes null. Bytes that
    are not UTF-8 become unpaired surrogates.
    """
    if all(isinstance(value, str | int | None) or _is_finite(value) for value in row.values()):
        return row
    try:
        text = json.dumps(row, default=_written)
    except TypeError:  # a map of DuckDB may have any keys
        text = json.dumps(_with_texts(row), default=_written)
    made: dict[str, Any] = json.loads(text, parse_constant=constant)
    return made


def _with_texts(value: Any) -> Any:
    """A value in which the keys of all dicts are texts."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else _written(key): _with_texts(one) for key, one in value.items()}
    return [_with_texts(one) for one in value] if isinstance(value, list) else value


def constant(name: str) -> str | None:
    """The replacement of a number that JSON lacks: null for NaN, which marks missing values, and infinities by name."""
    return None if name == "NaN" else name


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and isfinite(value)


def _written(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "surrogateescape")
    return value.isoformat() if isinstance(value, date | time) else str(value)  # a datetime is a date


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:200]
