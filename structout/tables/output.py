"""Output files for accepted rows. Each file appears whole or not at all."""

import csv
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from structout.document import Json
from structout.errors import DataError, MissingExtraError, OutputError, SpecError
from structout.language import quoted
from structout.schema import Schema
from structout.surfaces import is_utf8, json_text
from structout.tables.columnar import relation
from structout.tables.kept_columns import Kept
from structout.tables.layout import MORE, PROVENANCE, Layout, fields
from structout.tables.lock import locked
from structout.tables.place import Place
from structout.tables.staging import Load, Marking, Target
from structout.tables.streams import packed
from structout.tables.whole_file import clear_parts, replacing

Write = Callable[[dict[str, Any]], None]
Placing = Callable[[Json, dict[str, Any]], dict[str, Any]]
_GROUP = 10_000  # rows of a Parquet row group, which is held in memory
_NOTHING: Mapping[str, Any] = {}
FORMATS = ("jsonl", "csv", "tsv", "parquet")
_REPLACE = Load()


class WriteRecord(Protocol):
    """A function that writes one record, its provenance and the kept cells of its input row."""

    def __call__(self, value: Json, provenance: dict[str, Any], cells: Mapping[str, Json] = ..., /) -> None:
        """Write it. Raises `DataError`, before it writes, if no row can hold it."""


def check_target(target: str, load: Load = _REPLACE) -> None:
    """Check, before any model is asked, that `target` can be written. Raises `OutputError`, `SpecError`."""
    place = Place.of(target)
    if load.mode != "replace" and not place.is_database:
        hint = "omit --mode, or write postgresql://...#TABLE"
        raise SpecError(f"--mode {load.mode} is for tables of PostgreSQL, not for {place.shown}", hint=hint)
    if target == "-" or place.is_database:
        return  # `check_field_names` checks the whole table
    if not place.is_table and place.format not in FORMATS:
        known = ", ".join(f".{one}" for one in FORMATS)
        raise SpecError(
            f"unknown output format: {place.shown}",
            hint=f"give a name that ends in {known} or .duckdb#TABLE, postgresql://...#TABLE, or -",
        )
    if place.format == "parquet" and place.packing:
        raise SpecError(f"invalid output: {place.shown}: Parquet compresses itself", hint="give a name in .parquet")
    if place.is_table and place.is_remote:
        raise SpecError(f"cannot write {place.shown}: a database is a file of this machine", hint="write Parquet")
    if _is_typed(place) or place.packing == "zst":
        _arrow()
    if place.is_table and not place.table:
        raise SpecError(f"{target} names no table", hint="write NAME.duckdb#TABLE")
    if place.is_table and not is_utf8(target):
        raise SpecError(f"{target} is not UTF-8", hint="use a UTF-8 name for DuckDB")
    check_writable(place.file)
    if place.is_table:
        _check_database(place.file)


def check_writable(path: str | Path) -> None:
    """Check, before any model is asked, that a file can be written. Raises `SpecError`."""
    if path == "-":
        raise SpecError("this output cannot go to stdout", hint="name a file instead of -")
    if (place := Place.of(str(path))).is_remote:
        from structout.tables.objects import check_upload

        check_upload(place)
        return
    try:
        with replacing(path, keep=False):
            pass
    except OutputError as error:
        raise SpecError(error.message, hint="name another file, or make its folder") from error


def check_here(path: str, what: str) -> None:
    """Check, before any model is asked, that a file which stays on this machine can be written. Raises `SpecError`."""
    place = Place.of(path)
    if place.is_remote:
        hint = f"name a file of this machine with {what}"
        raise SpecError(f"invalid {what}: got {place.shown}, expected a file of this machine", hint=hint)
    check_writable(path)


def is_there(place: Place) -> bool:
    """Whether a file, an object of a store or a table of DuckDB exists. A database that cannot be read may hold the
    table. Raises `DataError` for a store that does not answer.
    """
    if place.is_remote:
        from structout.tables.objects import is_there as is_stored

        return is_stored(place) is True
    if not place.is_table or not Path(place.file).exists():
        return Path(place.file).exists()
    duckdb = _duckdb()
    try:
        with duckdb.connect(place.file, read_only=True) as database:
            database.execute(f"SELECT 1 FROM {relation(database, place)} LIMIT 0")
    except duckdb.CatalogException:
        return False
    except duckdb.Error:
        pass
    return True


def _check_database(place: str) -> None:
    duckdb = _duckdb()
    try:
        if Path(place).exists():
            duckdb.connect(place).close()
    except duckdb.Error as error:
        raise _no_database(place, error) from error


def check_distinct(files: Mapping[str, str | None]) -> None:
    """Check that no file would overwrite another. The files are given by their purpose, for the message.

    Values such as `-`, a query, a device or None are skipped. Two tables of one database are distinct. Raises
    `SpecError`.
    """
    seen: dict[str, dict[str, str]] = {}
    queries: list[str] = []
    for what, name in files.items():
        if name is None or name == "-":
            continue
        place = Place.of(name)
        if place.is_query and not place.is_table:
            queries.append(name if name.startswith("sql:") else _content(name))
        if name.startswith("sql:") or not place.is_ordinary:
            continue
        path, table = place.identity
        others = seen.setdefault(path, {})
        whose = others.get(table) if table and "" not in others else next(iter(others.values()), None)
        if whose is not None:
            problem = f"{whose} and {what} are the same file: {place.shown}"
            raise SpecError(problem, hint="name another file for one of them")
        others[table] = what
        if place.is_database:
            continue
        said = re.compile(rf"(?<![\w.-]){re.escape(path if place.is_remote else Path(path).name)}(?![\w-])")
        if any(map(said.search, queries)) and (place.is_remote or Path(path).exists()):
            problem = f"the query may read the file of {what}: {place.shown}"
            raise SpecError(problem, hint="name a file that the query does not speak of")


def _content(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # reading the input says why


def check_field_names(target: str, schema: Schema[Any], *, bare: bool = False, load: Load = _REPLACE) -> None:
    """Check, before any model is asked, that no field of the schema has the name of a column that the target adds, and
    that the rows fit into a table of PostgreSQL that exists.

    Raises `SpecError`, `OutputError`.
    """
    table = _is_cells(Place.of(target))
    taken = [*([] if bare else PROVENANCE), *([MORE] if table else [])]
    for name in [] if table and Layout.of(schema).whole else fields(schema):
        if name in taken:
            hint = "rename it, or write JSONL" if name == MORE else "give --bare, or rename the field"
            raise SpecError(f"the schema has a field {name!r}, a name that the output reserves", hint=hint)
    if (place := Place.of(target)).is_database:
        _arrow("databases")
        Target(place, schema, bare, load).check()


def placing(target: str, schema: Schema[Any], *, bare: bool = False, load: Load = _REPLACE) -> Placing:
    """A function that makes a row of the target from one accepted record and its provenance.

    It raises `DataError` if no row can hold the record. `bare` omits the provenance.
    """
    if (place := Place.of(target)).is_database:
        return Target(place, schema, bare, load).placing()
    if _is_typed(place):
        _arrow()
        from structout.tables.arrow import Table

        return Table(schema, bare=bare).row
    layout = Layout.of(schema) if _is_cells(place) else None

    def row(value: Json, provenance: dict[str, Any]) -> dict[str, Any]:
        record = layout.row(value) if layout else value if isinstance(value, dict) else {"value": value}
        if bare:
            return record
        if layout is None and (taken := record.keys() & provenance.keys()):
            raise DataError(f"the record has its own field {min(taken)!r}", hint="give --bare to write it")
        return {**record, **provenance}

    return row if layout is None else lambda value, provenance: _in_cells(row(value, provenance))


def _in_cells(row: dict[str, Any]) -> dict[str, Any]:
    for name, value in row.items():
        if isinstance(value, str) and not is_utf8(value):
            raise DataError(
                f"the column {name!r} cannot hold {value!r}: it is not UTF-8", hint="write JSONL, which holds any value"
            )
    return row


@contextmanager
def writing(
    target: str,
    schema: Schema[Any],
    *,
    bare: bool = False,
    kept: Kept = _NOTHING,
    load: Load = _REPLACE,
    marking: Marking | None = None,
) -> Iterator[WriteRecord]:
    """A function that writes one accepted record and its provenance, in the format of the target's suffix, and before
    them the cells of the `kept` columns of the input.

    `bare` omits the provenance. `load` and `marking` are for tables of PostgreSQL (see `Target.writing`). Raises
    `OutputError`. The function raises `DataError`, before it writes, if no row can
    hold the record.
    """
    place, beside = placing(target, schema, bare=bare, load=load), _beside(target, kept)

    def write(value: Json, provenance: dict[str, Any], cells: Mapping[str, Json] = _NOTHING) -> None:
        row, before = place(value, provenance), beside(cells)
        if taken := row.keys() & before.keys():
            raise DataError(f"the record and the input both have {min(taken)!r}", hint="leave it out of --keep")
        put({**before, **row})

    where = Place.of(target)
    if where.is_database:
        into = Target(where, schema, bare, load, kept).writing(marking)
    else:
        into = _into(target, schema, bare=bare, kept=kept)
    with into as put:
        yield write


def _beside(target: str, kept: Kept) -> Callable[[Mapping[str, Json]], Mapping[str, Any]]:
    """A function that makes kept cells a part of a row. It raises `DataError` if no row can hold them."""
    place = Place.of(target)
    is_typed = bool(kept) and _is_typed(place)

    def part(cells: Mapping[str, Json]) -> Mapping[str, Any]:
        if stray := next((name for name in cells if name not in kept), None):
            problem = f"the column {stray!r} of the input has a name that the output cannot give it"
            raise DataError(problem, hint="name the columns in --keep")
        if place.is_database and (bad := next((name for name in cells if "\0" in str(cells[name])), None)):
            raise DataError(f"the column {bad!r} holds a character that PostgreSQL cannot hold", hint="write Parquet")
        if is_typed:
            from structout.tables.arrow import kept_part

            return kept_part(kept, cells)
        return _in_cells(dict(cells)) if _is_cells(place) else cells

    return part


@contextmanager
def _into(target: str, schema: Schema[Any], *, bare: bool, kept: Kept) -> Iterator[Write]:
    if target == "-":
        yield _json_lines(sys.stdout.buffer)
        sys.stdout.flush()
        return
    place = Place.of(target)
    if place.is_table:
        with _into_duckdb(place, schema, bare=bare, kept=kept) as write:
            yield write
        return
    with replacing(target) as stream, packed(place, stream) as out:
        if place.format == "parquet":
            with _parquet(out, schema, bare=bare, kept=kept) as write:
                yield write
        elif place.format in ("csv", "tsv"):
            with _csv(out, schema, place.separator, bare=bare, kept=kept) as write:
                yield write
        else:
            yield _json_lines(out)


def _is_cells(place: Place) -> bool:
    return _is_typed(place) or place.format in ("csv", "tsv")


def _is_typed(place: Place) -> bool:
    return place.format == "parquet" or place.is_table or place.is_database


def _json_lines(stream: BinaryIO) -> Write:
    def write(row: dict[str, Any]) -> None:
        stream.write(json_text(row).encode() + b"\n")

    return write


@contextmanager
def _csv(stream: BinaryIO, schema: Schema[Any], delimiter: str, *, bare: bool, kept: Kept) -> Iterator[Write]:
    """Write lists and objects as JSON, and null as an empty cell."""
    names = [*kept, *Layout.of(schema).columns, *([] if bare else PROVENANCE)]
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, names, delimiter=delimiter)
    writer.writeheader()

    def cell(value: Json) -> Any:
        return json_text(value) if isinstance(value, dict | list | bool) else value

    yield lambda row: writer.writerow({name: cell(value) for name, value in row.items()})
    text.detach()


@contextmanager
def _parquet(stream: Any, schema: Schema[Any], *, bare: bool, kept: Kept) -> Iterator[Write]:
    pa = _arrow()
    import pyarrow.parquet as pq

    from structout.tables.arrow import Table

    table = Table(schema, bare=bare, kept=kept)
    waiting: list[dict[str, Any]] = []

    def flush() -> None:
        if waiting:
            writer.write_table(pa.Table.from_pylist(waiting, table.schema))
            waiting.clear()

    def write(row: dict[str, Any]) -> None:
        waiting.append(row)
        if len(waiting) == _GROUP:
            flush()

    with pq.ParquetWriter(stream, table.schema) as writer:
        yield write
        flush()


@contextmanager
def _into_duckdb(place: Place, schema: Schema[Any], *, bare: bool, kept: Kept) -> Iterator[Write]:
    """Write a Parquet file beside the database, then replace the table in one transaction. A new database is made under
    another name: a process that is killed while DuckDB makes it leaves a file that DuckDB cannot open.
    """
    duckdb = _duckdb()
    file = Path(os.path.realpath(place.file))
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    empty = beside.with_suffix(".empty.part")
    with locked(file, place.file):
        try:
            with beside.open("wb") as stream, _parquet(stream, schema, bare=bare, kept=kept) as write:
                yield write
            if not file.exists():
                duckdb.connect(str(empty)).close()
                empty.rename(file)
            with duckdb.connect(place.file) as database:
                database.begin()
                table = relation(database, place)
                if "." in table and len(place.parts) > 1:
                    database.execute(f"CREATE SCHEMA IF NOT EXISTS {'.'.join(map(quoted, place.parts[:-1]))}")
                database.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM read_parquet(?)", [str(beside)])
                database.commit()
            clear_parts(file)
        except (OSError, duckdb.Error) as error:
            raise _no_database(place.file, error) from error
        finally:
            for one in (beside, empty):
                with suppress(OSError):
                    one.unlink()


def _no_database(place: str, error: Exception) -> OutputError:
    reason = str(error).strip().split("\n")[0]
    return OutputError(f"cannot write {place}: {reason}", hint="check that no other process has it open")


def _duckdb() -> Any:
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise MissingExtraError("duckdb", "pipeline") from error
    return duckdb


def _arrow(extra: str = "pipeline") -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow", extra) from error
    return pyarrow
