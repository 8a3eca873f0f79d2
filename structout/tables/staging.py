"""Tables of PostgreSQL as outputs: rows are staged in a temporary table, and reach their table in one transaction."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from structout.document import Json
from structout.errors import DataError, OutputError, SpecError
from structout.language import quoted
from structout.schema import Schema
from structout.tables.databases import connected, fetched, full_name
from structout.tables.keys import news
from structout.tables.place import Place

if TYPE_CHECKING:
    from structout.tables.arrow import Table

Mode = Literal["append", "replace", "upsert"]
Marking = Callable[["Mark"], None]
Fate = Literal["committed", "aborted", "in progress", "unknown", "of another table"]
_STAGE = "structout_staged"
_PATIENCE = "60s"  # how long a lock of another session is waited for
_GROUP = 10_000  # rows that are held in memory
_LONGEST_NAME = 63  # bytes; PostgreSQL cuts off the rest of a name
_LONGEST_KEY = 2600  # bytes that an index holds
_TYPES = {
    "string": "text",
    "int64": "bigint",
    "double": "double precision",
    "bool": "boolean",
    "date32[day]": "date",
    "timestamp[us, tz=UTC]": "timestamp with time zone",
}
_WHOLE = {"smallint": 2**15, "integer": 2**31}
_VARCHAR = re.compile(r"character varying(?:\((\d+)\))?")
_NUMERIC = re.compile(r"numeric(?:\((\d+),(\d+)\))?")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # in JSON
_COLUMNS = """
    SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '', c.relkind IN ('r', 'p')
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.oid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
"""


@dataclass(frozen=True)
class Load:
    """How rows reach a table that may exist: they `replace` its rows, are added to them (`append`), or replace the rows
    with the same key and are added otherwise (`upsert`). `key` is the column of the input that identifies a row.
    """

    mode: Mode = "replace"
    key: str | None = None


@dataclass(frozen=True)
class Mark:
    """What tells later whether rows reached a table: the identity of the table, and the number of the transaction."""

    table: str
    transaction: str


@dataclass(frozen=True)
class _Found:
    """A column of an existing table."""

    name: str
    type: str
    required: bool
    filled: bool  # by the database, if an insert omits it


@dataclass(frozen=True)
class Target:
    """A table of PostgreSQL that takes records of a schema. `load` says what becomes of rows that it has."""

    place: Place
    schema: Schema[Any]
    bare: bool
    load: Load = Load()
    kept: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def table(self) -> "Table":
        """The records in typed columns, as they are staged."""
        from structout.tables.arrow import Table

        return Table(self.schema, bare=self.bare, flat=True, kept=self.kept)

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """The types of the columns of a new table, by name."""
        json = self.table.json
        return {one.name: "jsonb" if one.name in json else _type(one.type) for one in self.table.schema}

    @property
    def key(self) -> str:
        """The column that identifies a row; "" unless rows are upserted."""
        return "" if self.load.mode != "upsert" else "_key" if not self.bare else self.load.key or ""

    def check(self) -> None:
        """Check that the rows can reach the table: do all of it without a row, and undo it. Raises `SpecError`,
        `OutputError` if the server cannot be reached, and `MissingExtraError`.
        """
        if self.load.mode == "upsert" and not self.load.key:
            hint = (
                "name the column that identifies a row in --key: the number of a row is another row in the next input"
            )
            raise SpecError("--mode upsert needs a key", hint=hint)
        if self.key and self.key not in self.columns:
            hint = "give --key the name of a column of the table, or omit --bare: _key then holds the key of the input"
            raise SpecError(f"the table has no column {self.key!r} to upsert by", hint=hint)
        if long := [name for name in self.columns if len(name.encode()) > _LONGEST_NAME]:
            raise SpecError(
                f"PostgreSQL cuts off the name of the field {long[0]!r}", hint="rename it, or write Parquet"
            )
        with connected(self.place, OutputError) as cursor:
            self._stage(cursor)
            self._move(cursor, rehearsal=True)

    def placing(self) -> Callable[[Json, dict[str, Any]], dict[str, Any]]:
        """A function that makes a row of an accepted record and its provenance. It raises `DataError` if no row of the
        table can hold the record.
        """
        with connected(self.place, OutputError) as cursor:
            known = self._existing(cursor, full_name(cursor, self.place))
        limits = [(one, _limit(self.columns[one.name], one.type)) for one in known if one.name in self.columns]
        table, key = self.table, self.key

        def row(record: Json, provenance: dict[str, Any]) -> dict[str, Any]:
            found = table.row(record, provenance)
            for name, value in found.items():
                if isinstance(value, str) and ("\0" in value or (name in table.json and _NUL.search(value))):
                    raise DataError(f"the column {name!r} cannot hold a NUL character", hint="write Parquet or JSONL")
            for one, holds in limits:
                value = found[one.name]
                if one.required and value is None:
                    raise DataError(f"the column {one.name!r} of the table cannot be null", hint="allow null in it")
                if value is not None and not (holds and holds(value)):
                    problem = f"the column {one.name!r} of the table ({one.type}) cannot hold {value!r:.60}"
                    raise DataError(problem, hint="give the column a wider type")
            if key and (found[key] is None or len(str(found[key]).encode()) > _LONGEST_KEY):
                raise DataError(f"the key {key!r} is null or too long", hint="upsert by another key")
            return found

        return row

    @contextmanager
    def writing(self, marking: Marking | None = None) -> Iterator[Callable[[dict[str, Any]], None]]:
        """A function that stages a row of `placing`. At the end of the block, the rows reach the table in one
        transaction; `marking` gets its mark before it is committed. The table is as it was after a failure.

        The function raises `DataError` for a second row with one key, if rows are upserted. Raises `OutputError`.
        """
        import pyarrow as pa

        waiting: list[dict[str, Any]] = []
        with connected(self.place, OutputError) as cursor, news() as is_new:
            self._stage(cursor)

            def flush() -> None:
                if waiting:
                    batch = pa.RecordBatch.from_pylist(waiting, self.table.schema)
                    cursor.adbc_ingest(_STAGE, batch, mode="append", temporary=True)
                    waiting.clear()

            def write(row: dict[str, Any]) -> None:
                if self.key and not is_new(str(row[self.key])):
                    raise DataError(f"an earlier row has the same key: {row[self.key]!r:.60}", hint="make keys unique")
                waiting.append(row)
                if len(waiting) == _GROUP:
                    flush()

            yield write
            flush()
            name = self._move(cursor)
            if marking is not None:
                number = fetched(cursor, "SELECT pg_current_xact_id()::text")[0][0]
                marking(Mark(_identity(cursor, name), number))
            cursor.connection.commit()

    def _stage(self, cursor: Any) -> None:
        """Begin: a temporary table for the rows, in which JSON is text."""
        types = {name: "text" if kind == "jsonb" else kind for name, kind in self.columns.items()}
        cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
        cursor.execute(f"CREATE TEMPORARY TABLE {_STAGE} ({_listed(types)}) ON COMMIT DROP")

    def _move(self, cursor: Any, *, rehearsal: bool = False) -> str:
        """Move the staged rows to the table, which is made if it is missing, and return its name as SQL.

        An existing table keeps its views, grants, indexes and constraints: its rows are deleted, not the table, and not
        by TRUNCATE, after which other sessions could see it empty. Other writers wait for the lock; readers do not.
        """
        name, mode = full_name(cursor, self.place), self.load.mode
        found = {one.name: one for one in self._existing(cursor, name)}
        if not found:
            unique = f", PRIMARY KEY ({quoted(self.key)})" if self.key else ""
            cursor.execute(f"CREATE TABLE {name} ({_listed(self.columns)}{unique})")
        elif mode == "replace":
            if not rehearsal:
                cursor.execute(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute(f"DELETE FROM {name}" + (" WHERE FALSE" if rehearsal else ""))
        names = ", ".join(map(quoted, self.columns))
        values = ", ".join(_value(one, kind, found.get(one)) for one, kind in self.columns.items())
        insert = f"INSERT INTO {name} ({names}) SELECT {values} FROM {_STAGE}"
        if self.key:
            others = ", ".join(f"{quoted(one)} = EXCLUDED.{quoted(one)}" for one in self.columns if one != self.key)
            insert += f" ON CONFLICT ({quoted(self.key)}) DO " + (f"UPDATE SET {others}" if others else "NOTHING")
        cursor.execute(insert)
        return name

    def _existing(self, cursor: Any, name: str) -> list[_Found]:
        """The columns of the table; empty if it is missing. Raises `SpecError` if they do not take the rows."""
        rows = fetched(cursor, _COLUMNS, name)
        shown = self.place.shown
        if rows and not rows[0][-1]:
            raise SpecError(f"{shown} is not a table", hint="name a table, or a new one")
        found = [_Found(*row[:-1]) for row in rows]
        if not found:
            return []
        known = {one.name: one.type for one in found}
        if missing := [one for one in self.columns if one not in known]:
            bare = " or give --bare to write no provenance," if set(missing) & {"_key", "_status"} else ""
            hint = f"add them,{bare} or name another table"
            raise SpecError(f"{shown} lacks columns: {', '.join(missing[:12])}", hint=hint)
        for name, kind in self.columns.items():
            if _limit(kind, known[name]) is None:
                problem = f"{shown}: the column {name!r} has the type {known[name]}, expected {kind}"
                raise SpecError(problem, hint="change the type, or name another table")
        for one in found:
            if one.name not in self.columns and (self.load.mode == "replace" or (one.required and not one.filled)):
                hint = "name another table, or add rows with --mode append or upsert"
                raise SpecError(f"{shown} has a column {one.name!r} that the output would leave empty", hint=hint)
        return found


def fates(target: str, marks: Sequence[Mark]) -> list[Fate]:
    """What became of the transactions of marks. Raises `OutputError` if the server cannot be reached."""
    place, found = Place.of(target), list[Fate]()
    with connected(place, OutputError) as cursor:
        table = _identity(cursor, full_name(cursor, place))
        for mark in marks:
            if mark.table != table:
                found.append("of another table")
                continue
            (said,) = fetched(cursor, "SELECT pg_xact_status($1::text::xid8)", mark.transaction)
            found.append(said[0] or "unknown")
    return found


def delete_rows(place: Place, keys: Sequence[str]) -> None:
    """Delete the rows of a table with these keys (`_key`), in one transaction. Raises `OutputError`, `SpecError`."""
    with connected(place, OutputError) as cursor:
        delete = f"DELETE FROM {full_name(cursor, place)} WHERE {quoted('_key')} = $1"
        cursor.executemany(delete, [[key] for key in keys])
        cursor.connection.commit()


def _identity(cursor: Any, name: str) -> str:
    """The identity of a table: a table of the same name that is made later has another."""
    cluster = ""
    if fetched(cursor, "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')")[0][0]:
        cluster = fetched(cursor, "SELECT system_identifier::text FROM pg_control_system()")[0][0]
    query = "SELECT oid::text, to_regclass($1)::oid::text FROM pg_database WHERE datname = current_database()"
    database, table = fetched(cursor, query, name)[0]
    return f"{cluster}/{database}/{table or ''}"


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())


def _value(name: str, kind: str, found: _Found | None) -> str:
    """A staged column as SQL. A double reaches a `numeric` by its text: PostgreSQL would round it to 15 digits."""
    is_numeric = found is not None and kind == "double precision" and found.type != kind
    return f"{quoted(name)}::jsonb" if kind == "jsonb" else f"{quoted(name)}{'::text::numeric' if is_numeric else ''}"


def _type(column: Any) -> str:
    """The type of a column for a type of Arrow."""
    name = str(column)
    return f"numeric({column.precision},{column.scale})" if name.startswith("decimal128") else _TYPES[name]


def _limit(ours: str, theirs: str) -> Callable[[Any], bool] | None:
    """Whether a column of a type holds a value of our type, without a change; None if it is another kind of column."""
    if ours == theirs or (ours, theirs) == ("jsonb", "json"):
        return lambda value: True
    if ours == "text" and (found := _VARCHAR.fullmatch(theirs)):
        longest = int(found[1] or 2**31)
        return lambda value: len(value) <= longest
    if ours == "bigint" and theirs in _WHOLE:
        return lambda value: bool(-_WHOLE[theirs] <= value < _WHOLE[theirs])
    if (ours in ("bigint", "double precision") or _NUMERIC.fullmatch(ours)) and (found := _NUMERIC.fullmatch(theirs)):
        digits, scale = (int(found[1]), int(found[2])) if found[1] else (2**15, 2**14)
        return lambda value: _is_held(Decimal(str(value)).normalize(), digits, scale)
    return None


def _is_held(number: Decimal, digits: int, scale: int) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -scale and number.adjusted() < digits - scale
