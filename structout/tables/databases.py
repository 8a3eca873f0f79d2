"""Connections to PostgreSQL, and the rows of its tables and queries."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from structout.document import Json, load_json
from structout.errors import DataError, MissingExtraError, SpecError, StructoutError, UnavailableError
from structout.language import quoted
from structout.surfaces import is_utf8
from structout.tables.columnar import BATCH, Bad, arrow_rows, check_names, constant
from structout.tables.place import Place

_ADDRESS = re.compile(r"postgres(?:ql)?://(?:[^/@?]*@)?[^@]*", re.IGNORECASE)
_REASON = re.compile(r"(?:ERROR|FATAL|PANIC): +([^\n]*)")
_INVALID = re.compile(r"Failed to connect: (?:invalid|missing|unexpected|unrecognized|forbidden)")
_STATE = re.compile(r"[. ]*SQLSTATE: \w+$")
_PLAIN = frozenset(("int2", "int4", "int8", "float8", "bool", "text", "varchar", "bpchar", "name", "bytea"))
_NUMBERS = frozenset(("numeric", "float4"))
_JSON = frozenset(("json", "jsonb"))
_PRIMARY_KEY = """
    SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
    WHERE i.indisprimary AND i.indrelid = $1::text::regclass ORDER BY array_position(i.indkey::int2[], a.attnum)
"""
_TYPE = b"POSTGRESQL:type"  # the driver's name for it
_LONGEST = 300  # digits of a number


@contextmanager
def connected(place: Place, failure: type[StructoutError]) -> Iterator[Any]:
    """A cursor on a connection to the database of a place, in a transaction that is rolled back unless it is committed.

    A server that cannot be reached, or a lock, raises `failure`; any other error of the server raises `DataError` of an
    input, and `SpecError` of an output. No message holds a password. Raises `MissingExtraError`, and `SpecError` for
    an invalid address.
    """
    driver = _driver()
    if not is_utf8(place.name):
        raise SpecError("the address of the database is not UTF-8", hint="percent-encode it")
    if not _ADDRESS.fullmatch(place.file):
        hint = "percent-encode the characters / @ ? # % of a password, or use ~/.pgpass"
        raise SpecError(f"invalid address: {place.shown}", hint=hint)
    scheme, _, rest = place.file.partition("://")
    try:
        with driver.connect(f"{scheme.lower()}://{rest}") as connection, connection.cursor() as cursor:
            yield cursor
    except driver.Error as error:
        raise _explained(place, error, failure) from None  # the driver's own error may quote the address


def _driver() -> Any:
    try:
        import pyarrow  # noqa: F401
        from adbc_driver_postgresql import dbapi
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "adbc-driver-postgresql", "databases") from error
    return dbapi


def _explained(place: Place, error: Any, failure: type[StructoutError]) -> StructoutError:
    """An error of the driver as ours, without the query, the data and the password that the driver may quote."""
    text, state = str(error), getattr(error, "sqlstate", None) or ""
    found = _REASON.search(text)
    reason = found[1] if found else _STATE.sub("", text.partition("\n")[0]).rpartition("[libpq] ")[2]
    for secret in _secrets(place.file):
        reason = reason.replace(secret, "***")
    if state in ("55P03", "57014"):
        return failure(f"{place.shown} is locked: {reason}", hint="end the other session, or try again later")
    if not _INVALID.match(reason) and (not state or state[:2] in ("08", "53", "57", "58", "40")):
        hint = "check that the server runs and lets you in, then run the same command again"
        return failure(f"cannot reach {place.shown}: {reason}", hint=hint)
    other = DataError if issubclass(failure, DataError) else SpecError
    return other(f"{place.shown}: {reason}", hint="fix the table, the query or the permissions")


def _secrets(address: str) -> list[str]:
    user = address.partition("://")[2].rpartition("@")[0]
    found = [user.partition(":")[2], *re.findall(r"[?&](?:ssl)?password=([^&]*)", address)]
    return sorted({text for one in found for text in (one, unquote(one)) if text}, key=len, reverse=True)


def fetched(cursor: Any, query: str, *values: str) -> list[tuple[Any, ...]]:
    """The rows of a short query. A `$1` in it stands for the first of the values."""
    cursor.execute(query, values or None)
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def full_name(cursor: Any, place: Place) -> str:
    """The name of a place's table as SQL, with its schema: an existing table where the search path finds it, and a new
    table in the first schema of the search path. Raises `SpecError` if the place names no table.
    """
    if not place.table or place.query:
        raise SpecError(f"{place.shown} names no table", hint="write postgresql://HOST/DATABASE#TABLE")
    parts = place.parts
    if len(parts) > 1:
        return ".".join(map(quoted, parts))
    named = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass($1)"
    found = fetched(cursor, named, quoted(parts[0])) or fetched(cursor, "SELECT quote_ident(current_schema()::text)")
    if not found[0][0]:
        raise SpecError(f"{place.shown} names no schema", hint="write postgresql://HOST/DATABASE#SCHEMA.TABLE")
    return f"{found[0][0]}.{quoted(parts[0])}"


def database_rows(place: Place, wanted: list[str]) -> Iterator[dict[str, Any] | Bad]:
    """The rows of a table or a query of PostgreSQL with the `wanted` columns, as records of JSON values.

    A table comes in the order of its primary key, or as it lies on the disk. Dates are text (RFC 3339); `jsonb`, arrays
    and composite types are JSON; `numeric` is a number if a double holds it exactly, otherwise text; any other type is
    text as PostgreSQL writes it. The transaction is read-only. Raises `DataError`, `MissingExtraError`, `SpecError`.
    """
    with _query(place) as (cursor, query, columns):
        check_names(place.shown, list(columns), wanted)
        parts = [_part(name, kind) for name, kind in columns.items()]
        cursor.execute(f"SELECT {', '.join(parts)} FROM ({query}\n) AS q")
        read = {name: reader for name, kind in columns.items() if (reader := _reader(kind))}
        for batch in _batches(place, cursor):
            for row in arrow_rows(batch):
                yield _parsed(row, read) if read and isinstance(row, dict) else row


def json_columns(place: Place) -> list[str]:
    """The columns that hold JSON, of a table or a query. Raises as `database_rows` does."""
    with _query(place) as (_, _, columns):
        return [name for name, kind in columns.items() if kind in _JSON]


@contextmanager
def _query(place: Place) -> Iterator[tuple[Any, str, dict[str, str]]]:
    """A cursor, the query of a place, and the types of its columns."""
    with connected(place, UnavailableError) as cursor:
        for setting in ("TRANSACTION READ ONLY", "LOCAL TIME ZONE 'UTC'", "LOCAL synchronize_seqscans = off"):
            cursor.execute(f"SET {setting}")
        query = place.query.rstrip().rstrip(";") or _whole(cursor, place)
        schema = cursor.adbc_execute_schema(query)
        check_names(place.shown, schema.names, [])
        yield cursor, query, {field.name: (field.metadata or {}).get(_TYPE, b"").decode() for field in schema}


def _whole(cursor: Any, place: Place) -> str:
    """A table as a query. Its order is the same when the run goes on."""
    name = full_name(cursor, place)
    if fetched(cursor, "SELECT to_regclass($1)::text", name)[0][0] is None:
        raise DataError(f"{place.shown}: the table {name} does not exist", hint="name a table that you may read")
    keys = [key for (key,) in fetched(cursor, _PRIMARY_KEY, name)]
    return f"SELECT * FROM {name}" + (f" ORDER BY {', '.join(map(quoted, keys))}" if keys else "")


def _part(name: str, kind: str) -> str:
    """A column as SQL. PostgreSQL writes what the driver does not know: `money`, ranges, dates after the year 9999."""
    column = quoted(name)
    if kind in _PLAIN:
        return column
    return f"{column if kind in (*_JSON, *_NUMBERS) else f'to_json({column})'}::text AS {column}"


def _reader(kind: str) -> Any:
    return None if kind in _PLAIN else _number if kind in _NUMBERS else load_json


def _number(text: str) -> Json:
    """A number of any precision: as a double if it holds the number exactly, otherwise as text."""
    if text in ("NaN", "Infinity", "-Infinity"):
        return constant(text)
    if len(text) > _LONGEST:
        return text
    if text.removeprefix("-").isdigit():
        return int(text)
    return float(text) if Decimal(repr(float(text))) == Decimal(text) else text


def _parsed(row: dict[str, Any], read: dict[str, Any]) -> dict[str, Any] | Bad:
    wrong = ""
    for name, reader in read.items():
        try:
            row[name] = None if row[name] is None else reader(row[name])
        except ValueError as error:
            wrong = wrong or f"the column {name!r} cannot be read: {error}"
    return Bad(row, wrong) if wrong else row


def _batches(place: Place, cursor: Any) -> Iterator[Any]:
    """The batches of a result, small enough to be held as records."""
    import pyarrow as pa

    try:
        for batch in cursor.fetch_record_batch():
            for start in range(0, batch.num_rows, BATCH):
                yield batch.slice(start, BATCH)
    except (OSError, pa.ArrowException) as error:
        raise _explained(place, error, UnavailableError) from None
