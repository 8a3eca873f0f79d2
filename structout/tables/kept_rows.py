"""Outputs and quarantines of `structout run`, rewritten without some of their rows."""

import csv
import io
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from structout.document import load_json
from structout.errors import DataError, SpecError
from structout.records import outcome_texts, understood
from structout.tables.columnar import Bad, parquet_names, parquet_rows, queried_rows, relation
from structout.tables.databases import database_rows
from structout.tables.keys import key_text
from structout.tables.layout import PROVENANCE, is_of_run
from structout.tables.place import Place
from structout.tables.removal import Holder, OtherFile
from structout.tables.staging import delete_rows
from structout.tables.streams import opened_bytes, packed
from structout.tables.whole_file import replacing

_QUARANTINE = {"key", "status", "input", "issues", "fingerprint"}
_NAMELESS = "has no column _key: its rows cannot be told apart"
_BARE = "give an output that was written without --bare, or omit it: the same run writes it again from the journal"


@dataclass(frozen=True)
class LineFile(OtherFile):
    """A JSONL file (.gz) with an object per line. `is_ours` says whether an object is a row of structout."""

    key: str
    is_ours: Callable[[dict[str, Any]], bool]
    refusal: str
    hint: str
    texts: Callable[[dict[str, Any]], Any]

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The rows. Raises `DataError`, and `SpecError` for a line that structout did not write."""
        for row, _ in self._lines():
            with understood(f"a row of structout in {self.name}"):
                key, texts = key_text(row[self.key]), self.texts(row)
            yield key, texts

    def remove(self, keys: Collection[str]) -> None:
        """Write the other lines again, byte for byte. Raises `OutputError`."""
        with replacing(self.name) as stream, packed(Place.of(self.name), stream) as out:
            for row, line in self._lines():
                if key_text(row[self.key]) not in keys:
                    out.write(line)

    def _lines(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        with opened_bytes(Place.of(self.name)) as stream:
            for number, line in enumerate(stream, 1):
                try:
                    row = load_json(line.decode())
                except ValueError as error:
                    raise DataError(f"{self.name}, line {number} is not JSON: {error}", hint=self.hint) from error
                if not isinstance(row, dict) or not self.is_ours(row):
                    raise SpecError(f"{self.name} {self.refusal}", hint=self.hint)
                yield row, line


@dataclass(frozen=True)
class CellFile(OtherFile):
    """A CSV or TSV file (.gz) of `structout run`."""

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The rows. Raises `DataError`, and `SpecError` for a file that structout did not write."""
        with self._read() as reader:
            header = self._header(reader)
            place = header.index("_key")
            for cells in reader:
                yield cells[place] or "null", _record(dict(zip(header, cells, strict=False)))

    def remove(self, keys: Collection[str]) -> None:
        """Write the other rows again. Raises `OutputError`."""
        with self._read() as reader, replacing(self.name) as stream, packed(Place.of(self.name), stream) as out:
            text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
            writer = csv.writer(text, delimiter=self._delimiter)
            header = self._header(reader)
            place = header.index("_key")
            writer.writerow(header)
            writer.writerows(cells for cells in reader if (cells[place] or "null") not in keys)
            text.detach()

    def _header(self, reader: Any) -> list[str]:
        header: list[str] = next(reader, [])
        if not is_of_run(header):
            raise SpecError(f"{self.name} {_NAMELESS}", hint=_BARE)
        return header

    @property
    def _delimiter(self) -> str:
        return "\t" if Place.of(self.name).format == "tsv" else ","

    @contextmanager
    def _read(self) -> Iterator[Any]:
        csv.field_size_limit(1 << 30)
        with opened_bytes(Place.of(self.name)) as raw:
            text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
            try:
                yield csv.reader(text, delimiter=self._delimiter, strict=True)
            except (csv.Error, UnicodeDecodeError) as error:
                raise DataError(f"cannot read {self.name}: {error}", hint="give an output of structout run") from error
            finally:
                if not raw.closed:
                    text.detach()


@dataclass(frozen=True)
class ParquetFile(OtherFile):
    """A Parquet file of `structout run`."""

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The rows. Raises `DataError`, and `SpecError` for a file that structout did not write."""
        self._check()
        for row in _whole(self.name, parquet_rows(Place.of(self.name), [])):
            yield str(row["_key"]), _record(row)

    def remove(self, keys: Collection[str]) -> None:
        """Write the other rows again, with the same types. Raises `OutputError`."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        gone = pa.array(sorted(keys), pa.string())
        with pq.ParquetFile(self.name) as file, replacing(self.name) as stream:
            schema = file.schema_arrow
            with pq.ParquetWriter(stream, schema) as writer:
                for batch in file.iter_batches():
                    table = pa.Table.from_batches([batch], schema)
                    kept = table.filter(pc.invert(pc.is_in(table["_key"], gone)))
                    if kept.num_rows:
                        writer.write_table(kept)

    def _check(self) -> None:
        if not is_of_run(parquet_names(Place.of(self.name))):
            raise SpecError(f"{self.name} {_NAMELESS}", hint=_BARE)


@dataclass(frozen=True)
class DuckTable(OtherFile):
    """A table of a DuckDB database, which `structout run` wrote. The whole database is copied, since DuckDB leaves the
    bytes of deleted rows in its file.
    """

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The rows. Raises `DataError`, and `SpecError` for a table that structout did not write."""
        for row in _whole(self.name, queried_rows(Place.of(self.name), [])):
            if not is_of_run(row):
                raise SpecError(f"{self.name} {_NAMELESS}", hint=_BARE)
            yield str(row["_key"]), _record(row)

    def remove(self, keys: Collection[str]) -> None:
        """Copy the database without the rows. Raises `OutputError`, and `DataError` if the database is in use."""
        import duckdb

        file = self.files()[0]
        beside = file.with_name(f".{file.name}.{os.getpid()}.copy.part")
        beside.unlink(missing_ok=True)
        try:
            with duckdb.connect() as database:
                attach = "ATTACH {} AS {}"
                database.execute(attach.format(_literal(file), "old"))
                database.execute("USE old")
                table = relation(database, Place.of(self.name))
                database.execute("USE memory")
                marks = ", ".join("?" * len(keys))
                database.execute(f"DELETE FROM old.{table} WHERE _key IN ({marks})", sorted(keys))
                database.execute(attach.format(_literal(beside), "new"))
                database.execute("COPY FROM DATABASE old TO new")
                database.execute("DETACH old")
                database.execute("DETACH new")
            with replacing(file) as stream, beside.open("rb") as copy:
                while piece := copy.read(1 << 20):
                    stream.write(piece)
        except duckdb.Error as error:
            reason = str(error).strip().split("\n")[0]
            hint = "check that no other process has it open"
            raise DataError(f"cannot rewrite {self.name}: {reason}", hint=hint) from error
        finally:
            with suppress(OSError):
                beside.unlink()

    def files(self) -> Sequence[Path]:
        """The database, its log of changes, and the files on their way into it that killed runs left."""
        place = Path(Place.of(self.name).file)
        left = sorted(place.parent.glob(f"{escape(place.name)}.[0-9]*.parquet"))
        return [one for one in (place, Path(f"{place}.wal"), *left) if one.exists()]


@dataclass(frozen=True)
class DatabaseTable(OtherFile):
    """A table of PostgreSQL, which `structout run` wrote. Its bytes cannot be searched: PostgreSQL keeps a deleted row
    until the table is vacuumed, and in its log and its backups.
    """

    place: Place

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The rows. Raises `DataError`, and `SpecError` for a table that structout did not write."""
        for row in _whole(self.name, database_rows(self.place, [])):
            if not is_of_run(row):
                raise SpecError(f"{self.name} {_NAMELESS}", hint=_BARE)
            yield str(row["_key"]), _record(row)

    def remove(self, keys: Collection[str]) -> None:
        """Delete the rows in one transaction. Raises `OutputError`, `SpecError`."""
        delete_rows(self.place, sorted(keys))

    def files(self) -> Sequence[Path]:
        """No file that can be searched."""
        return []


def _whole(name: str, rows: Iterator[dict[str, Any] | Bad]) -> Iterator[dict[str, Any]]:
    for row in rows:
        if isinstance(row, Bad):
            raise DataError(f"cannot read {name}: {row.wrong}", hint="give an output of structout run")
        yield row


def _record(row: dict[str, Any]) -> Any:
    return {"record": {name: value for name, value in row.items() if name not in PROVENANCE}}


def _set_aside(row: dict[str, Any]) -> Any:
    return {"input": row["input"], **outcome_texts(row)}


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def output(target: str) -> Holder:
    """An output of `structout run`. Raises `SpecError` for an unknown format."""
    place = Place.of(target)
    if place.is_remote:
        hint = "omit --output: the same run uploads it again without the row, but its older versions stay"
        raise SpecError(f"cannot remove rows from {place.shown}: its store may keep older versions", hint=hint)
    if place.is_database:
        return DatabaseTable(place.shown, place)
    if place.is_table:
        return DuckTable(target)
    if place.format == "parquet":
        return ParquetFile(target)
    if place.format in ("csv", "tsv"):
        return CellFile(target)
    if place.format == "jsonl":
        return LineFile(target, "_key", is_of_run, _NAMELESS, _BARE, _record)
    raise SpecError(f"unknown output format: {place.shown}", hint="give an output of structout run")


def quarantine(target: str) -> Holder:
    """A quarantine of `structout run`."""
    if (place := Place.of(target)).is_remote:
        raise SpecError(
            f"invalid quarantine {place.shown}: it is not a file of this machine", hint="name its copy here"
        )
    refusal, hint = "is not a quarantine of structout run", "give OUTPUT.quarantine.jsonl"
    return LineFile(target, "key", lambda row: row.keys() >= _QUARANTINE, refusal, hint, _set_aside)
