"""Accepted rows, written so that a file appears whole or not at all."""

import csv
import glob
import gzip
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from structout.document import Json
from structout.errors import DataError, MissingExtraError, OutputError, SpecError
from structout.schema import Schema

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Write = Callable[[dict[str, Any]], None]
WriteRecord = Callable[[Json, dict[str, Any]], None]
_GROUP = 10_000  # rows of a Parquet row group: what is held in memory
_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")


def check_target(target: str) -> None:
    """Find out before anything is spent whether `target` can be written. Raises `OutputError`, `SpecError`."""
    if target == "-":
        return
    place = target.partition("#")[0] if ".duckdb#" in target else target
    if ".duckdb#" not in target and not target.removesuffix(".gz").endswith(_SUFFIXES):
        known = ", ".join(_SUFFIXES)
        raise SpecError(f"no output format belongs to {target}", hint=f"end it in {known} or .duckdb#TABLE, or give -")
    if target.endswith((".parquet", ".parquet.gz")) or ".duckdb#" in target:
        _arrow()
    with replacing(place, keep=False) as stream:
        stream.write(b"")


def check_distinct(files: Mapping[str, str | None]) -> None:
    """Find out before anything is done whether one of these files, given by what each is for, would overwrite another.

    `-`, a query, a device and None are no files; two tables of one database are two. Raises `SpecError`.
    """
    seen: dict[tuple[Path, str], str] = {}
    for what, name in files.items():
        if name is None or name == "-" or name.startswith("sql:"):
            continue
        place, database, table = name.partition(".duckdb#")
        path = Path(place + database.rstrip("#")).resolve()
        if path.exists() and not path.is_file():
            continue
        for (other, its), whose in seen.items():
            if path == other and (table == its or not (table and its)):
                raise SpecError(f"{whose} and {what} are the same file: {name}", hint="name another for one of them")
        seen[path, table] = what


@contextmanager
def replacing(path: str | Path, *, keep: bool = True) -> Iterator[BinaryIO]:
    """A binary file beside `path` that takes its place, on disk, when all went well; a pipe or a device stays one
    and is written to. Raises `OutputError`.
    """
    target = Path(path)
    ordinary = target.is_file() or not target.exists()
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with _written(path):
            if target.is_dir() or (target.exists() and not os.access(target, os.W_OK)):
                raise PermissionError(13, "it may not be written")
            part = _Part(beside if ordinary else target if keep else Path(os.devnull), path)
        with io.BufferedWriter(part) as stream:
            yield stream
            stream.flush()
            if ordinary:
                with _written(path):
                    os.fsync(stream.fileno())
        if keep and ordinary:
            with _written(path):
                os.replace(beside, target)
                for left in target.parent.glob(f".{glob.escape(target.name)}.[0-9]*.part"):  # by a run that was killed
                    left.unlink()
    finally:
        with suppress(OSError):
            beside.unlink()


class _Part(io.FileIO):
    """A file whose failures say which it is, so that they are not taken for those of another that is open too."""

    def __init__(self, beside: Path, target: str | Path) -> None:
        super().__init__(beside, "wb")
        self._target = target

    def write(self, data: "ReadableBuffer", /) -> int:
        with _written(self._target):
            return super().write(data)


@contextmanager
def _written(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason, hint = error.strerror or str(error), "name another, or make room; nothing is lost"
        raise OutputError(f"cannot write {path}: {reason}", hint=hint) from error


@contextmanager
def writing(target: str, schema: Schema[Any], *, bare: bool = False) -> Iterator[WriteRecord]:
    """A function that writes one accepted record and how it came about, in the format of the target's suffix.

    `bare` leaves out how it came about. Raises `OutputError`, and `DataError` for a value that a typed column cannot
    hold.
    """

    def row(value: Json, provenance: dict[str, Any]) -> dict[str, Any]:
        record = value if isinstance(value, dict) else {"value": value}
        return record if bare else {**record, **provenance}

    if target == "-":
        lines = _json_lines(sys.stdout.buffer)
        yield lambda value, provenance: lines(row(value, provenance))
        sys.stdout.flush()
        return
    place = target.partition("#")[0] if ".duckdb#" in target else target
    if place.endswith(".duckdb"):
        with _into_duckdb(place, target.partition("#")[2], schema, bare=bare) as write:
            yield lambda value, provenance: write(row(value, provenance))
        return
    with replacing(target) as stream, _packed(target, stream) as packed:
        name = target.removesuffix(".gz")
        if name.endswith(".parquet"):
            with _parquet(packed, schema, bare=bare) as write:
                yield lambda value, provenance: write(row(value, provenance))
        elif name.endswith((".csv", ".tsv")):
            with _csv(packed, schema, "\t" if name.endswith(".tsv") else ",", bare=bare) as write:
                yield lambda value, provenance: write(row(value, provenance))
        else:
            lines = _json_lines(packed)
            yield lambda value, provenance: lines(row(value, provenance))


def _packed(target: str, stream: BinaryIO) -> Any:
    """The stream, compressed where the name says so: without a time stamp, so that like rows make like files."""
    if target.endswith(".gz"):
        return gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0)
    return _same(stream)


@contextmanager
def _same(stream: BinaryIO) -> Iterator[BinaryIO]:
    yield stream


def _json_lines(stream: BinaryIO) -> Write:
    def write(row: dict[str, Any]) -> None:
        stream.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")

    return write


@contextmanager
def _csv(stream: BinaryIO, schema: Schema[Any], delimiter: str, *, bare: bool) -> Iterator[Write]:
    """Lists and objects are written as JSON, null as an empty cell."""
    root = schema.json_schema
    properties = root.get("properties") if isinstance(root, dict) else None
    names = [*(properties or ["value"]), *([] if bare else PROVENANCE)]
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogatepass", newline="", write_through=True)
    writer = csv.DictWriter(text, names, extrasaction="ignore", delimiter=delimiter)
    writer.writeheader()

    def cell(value: Json) -> Any:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value

    yield lambda row: writer.writerow({name: cell(value) for name, value in row.items()})
    text.detach()


PROVENANCE = (
    "_key", "_status", "_edits", "_strategy", "_attempts", "_tokens", "_cost", "_seconds", "_fingerprint",
)  # fmt: skip


@contextmanager
def _parquet(stream: Any, schema: Schema[Any], *, bare: bool) -> Iterator[Write]:
    pa = _arrow()
    import pyarrow.parquet as pq

    from structout.pipeline import columns

    typed = columns.columns_of(schema)
    waiting: list[dict[str, Any]] = []
    fields = [] if bare else [("_key", pa.string()), *columns.PROVENANCE]
    provenance = pa.schema(fields)
    whole = pa.schema([*((name, column.type) for name, column in typed.items()), *fields])

    def flush() -> None:
        if not waiting:
            return
        try:
            writer.write_table(columns.table(waiting, typed, provenance))
        except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
            reason = str(error).split("\n")[0]
            raise DataError(f"a typed column cannot hold a value: {reason}", hint="write JSONL instead") from error
        waiting.clear()

    def write(row: dict[str, Any]) -> None:
        if not bare:
            key = row["_key"] if isinstance(row["_key"], str) else json.dumps(row["_key"])
            row = {**row, "_key": key, "_edits": json.dumps(row["_edits"])}
        waiting.append(row)
        if len(waiting) == _GROUP:
            flush()

    with pq.ParquetWriter(stream, whole) as writer:
        yield write
        flush()


@contextmanager
def _into_duckdb(place: str, table: str, schema: Schema[Any], *, bare: bool) -> Iterator[Write]:
    """By way of a Parquet file beside the database; the table is replaced in one transaction."""
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise MissingExtraError("duckdb", "pipeline") from error
    if not table:
        raise SpecError(f"{place}# names no table", hint="write NAME.duckdb#TABLE")
    beside = Path(f"{place}.{os.getpid()}.parquet")
    try:
        with beside.open("wb") as stream, _parquet(stream, schema, bare=bare) as write:
            yield write
        with duckdb.connect(place) as database:
            quoted = table.replace('"', '""')
            database.execute(f'CREATE OR REPLACE TABLE "{quoted}" AS SELECT * FROM read_parquet(?)', [str(beside)])
    except (OSError, duckdb.Error) as error:
        reason = str(error).strip().split("\n")[0]
        raise OutputError(f"cannot write {place}: {reason}", hint="check that no other process has it open") from error
    finally:
        beside.unlink(missing_ok=True)


def _arrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow", "pipeline") from error
    return pyarrow
