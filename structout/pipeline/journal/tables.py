"""The tables of a journal: rows with checksums, and packed outcomes."""

import json
import re
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, get_args

import jiter
from pydantic_core import to_json

from structout import records
from structout.completion import Completion, Usage
from structout.errors import DataError
from structout.issue import Issue
from structout.pipeline.outcome import OutcomeStatus, RowOutcome
from structout.records import completion_json

VERSION = 4  # 1: no prompt keys in attempts; 2: no checksums and no batches; 3: no `LATER` columns
UNSEALED = 2  # the version that had no checksums
LARGEST = 64 * 2**20  # bytes of an outcome as JSON; larger outcomes are neither read nor written
FORGOTTEN = "forgotten"  # the status of a row whose place alone is kept
STATUSES = (*get_args(OutcomeStatus), "unplaced", FORGOTTEN)
COPY = " (copy)"  # `about`, which every row needs, is stored twice

_DEEPEST = 500  # levels of JSON; Python's own reader and writer fail somewhere below a thousand
_LONGEST = 2 * LARGEST  # bytes of a cell
_COLUMNS = {
    "about": "name TEXT PRIMARY KEY, value BLOB NOT NULL",
    "outcomes": "position INTEGER PRIMARY KEY, digest BLOB NOT NULL, status TEXT NOT NULL, data BLOB NOT NULL",
    "completions": "key BLOB PRIMARY KEY, data TEXT NOT NULL",
    "spent": "model TEXT PRIMARY KEY, calls INTEGER NOT NULL, input_tokens INTEGER NOT NULL,"
    " output_tokens INTEGER NOT NULL, seconds REAL NOT NULL, reused_tokens INTEGER NOT NULL,"
    " stored_tokens INTEGER NOT NULL, thinking_tokens INTEGER NOT NULL",
    "batches": "id TEXT PRIMARY KEY, model TEXT NOT NULL, data TEXT NOT NULL",  # batches in progress at a provider
}
ADDED = ("batches",)  # by version 3
LATER = ("reused_tokens", "stored_tokens", "thinking_tokens")  # columns of `spent`, by version 4
TABLES = {table: [column.split()[0] for column in columns.split(", ")] for table, columns in _COLUMNS.items()}


def seal(*cells: Any) -> int:
    """The checksum of a row: CRC-32 over its cells with their lengths. It detects damage, not forgery."""
    total = 0
    for cell in cells:
        data = cell if isinstance(cell, bytes) else str(cell).encode("utf-8", "surrogatepass")
        total = zlib.crc32(data, zlib.crc32(b"%d:" % len(data), total))
    return total


def seal_of(table: str, version: int = VERSION) -> str:
    """The checksum of a row as a version stores it (SQL): of a text, the bytes, which may be damaged."""
    columns = [one for one in TABLES[table] if version == VERSION or one not in LATER]
    cells = (f"iif(typeof({column}) = 'text', CAST({column} AS BLOB), {column})" for column in columns)
    return f"seal({', '.join(cells)})"


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises `KeyboardInterrupt` where one came while SQLite called `seal`: SQLite hides what a function raises, and
    `seal` raises nothing else.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if str(error) == "user-defined function raised exception":
            raise KeyboardInterrupt from error
        raise


class _Connection(sqlite3.Connection):
    """Whoever interrupts a statement is heard."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        with interruptible():
            return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        with interruptible():
            return super().executemany(sql, parameters)


def connect(path: str) -> sqlite3.Connection:
    """A connection that has the SQL function `seal`, and that rejects cells above the size limit."""
    db = sqlite3.connect(path, timeout=0, check_same_thread=False, isolation_level=None, factory=_Connection)
    db.create_function("seal", -1, seal, deterministic=True)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    db.text_factory = _text
    return db


def _text(data: bytes) -> str:
    return data.decode(errors="replace")  # the checksum of the row then fails


def create(db: sqlite3.Connection) -> None:
    """Make the tables of a new journal."""
    for table, columns in _COLUMNS.items():
        without = " WITHOUT ROWID" if table == "completions" else ""
        db.execute(f"CREATE TABLE {table} ({columns}, seal INTEGER NOT NULL){without}")
    _number(db)


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Migrate a journal of an earlier version."""
    if version == UNSEALED:
        _seal(db)
    _widen(db)
    _number(db)


def _seal(db: sqlite3.Connection) -> None:
    """Migrate from version 2 to 3: add the checksums, the copies and the new tables."""
    for table in ADDED:
        db.execute(f"CREATE TABLE {table} ({_COLUMNS[table]}, seal INTEGER NOT NULL)")
    for table in TABLES:
        if table in ADDED:
            continue
        db.execute(f"ALTER TABLE {table} ADD COLUMN seal INTEGER NOT NULL DEFAULT 0")
        db.execute(f"UPDATE {table} SET seal = {seal_of(table, 3)}")
    db.execute(f"INSERT INTO about SELECT name || '{COPY}', value, seal(name || '{COPY}', value) FROM about")
    for name, value in list(
        db.execute("SELECT name, value FROM about WHERE name LIKE 'identity%' OR name LIKE 'before%'")
    ):
        db.execute(add("about"), [name, _renamed(value)])


def _widen(db: sqlite3.Connection) -> None:
    """Migrate from version 3 to 4: add the `LATER` columns. A row with a wrong checksum keeps a wrong checksum."""
    db.execute(f"CREATE TABLE widened ({_COLUMNS['spent']}, seal INTEGER NOT NULL)")
    db.execute(f"INSERT INTO widened SELECT {', '.join(TABLES['spent'])}, seal FROM {stored('spent', 3)}")
    db.execute("DROP TABLE spent")
    db.execute("ALTER TABLE widened RENAME TO spent")
    db.execute(f"UPDATE spent SET seal = {seal_of('spent')} WHERE seal IS {seal_of('spent', 3)}")


def stored(table: str, version: int) -> str:
    """A table of a version with today's columns (SQL)."""
    if table != "spent" or version == VERSION:
        return table
    return f"(SELECT *, {', '.join(f'0 AS {column}' for column in LATER)} FROM {table})"


def _number(db: sqlite3.Connection) -> None:
    """Write the version of the journal, and of the records in it."""
    for name in ("codec", "codec" + COPY):
        db.execute(add("about"), [name, json.dumps({"version": str(records.VERSION)})])
    db.execute(f"PRAGMA user_version = {VERSION}")


def _renamed(value: Any) -> Any:
    """An identity with the current names of strategy parts."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return re.sub(r"\b(All|Any)\(", r"\1Of(", text) if isinstance(text, str) else value


def add(table: str) -> str:
    """The SQL statement that adds a row with its checksum to a table."""
    marks = ", ".join(f"?{number}" for number in range(1, len(TABLES[table]) + 1))
    return f"REPLACE INTO {table} VALUES ({marks}, seal({marks}))"


def keep_completions(db: sqlite3.Connection, model: str, new: Mapping[bytes, Completion], usage: Usage) -> None:
    """Add new completions of a model, and their usage, within a transaction."""
    _, *counts = TABLES["spent"]
    rows = [(key, dumped(completion_json(completion)).decode()) for key, completion in new.items()]
    db.executemany(add("completions"), rows)
    db.execute(
        f"INSERT INTO spent VALUES (?, {', '.join('?' * len(counts))}, 0) ON CONFLICT (model) DO UPDATE SET "
        + ", ".join(f"{count} = {count} + excluded.{count}" for count in counts),
        [model, *(getattr(usage, count) for count in counts)],
    )
    db.execute(f"UPDATE spent SET seal = {seal_of('spent')} WHERE model = ?", [model])


def spent_in(db: sqlite3.Connection) -> dict[str, Usage]:
    """The usage of each model, in this run and earlier runs."""
    columns = TABLES["spent"]
    rows = db.execute(f"SELECT {', '.join(columns)} FROM spent ORDER BY model").fetchall()
    return {model: Usage(**dict(zip(columns[1:], counts, strict=True))) for model, *counts in rows}


def written(outcome: RowOutcome) -> tuple[RowOutcome, bytes]:
    """The outcome that is kept, and its JSON. An outcome that is too large or too deep is kept as rejected, without its
    calls and its document, and if necessary without its input and its key.
    """
    if (data := _written(outcome)) is not None:
        return outcome, data
    reason = f"the row is too large: the limits are {LARGEST // 2**20} MiB and {_DEEPEST} levels"
    lighter = replace(outcome.refused(reason), document=None, attempts=(), checks=(), confidence={}, spans={})
    for one in (lighter, replace(lighter, record=None)):
        if (data := _written(one)) is not None:
            return one, data
    bare = replace(lighter, record=None, key=None, edits=(), issues=lighter.issues[-1:])
    return bare, dumped(bare.to_json())


def _written(outcome: RowOutcome) -> bytes | None:
    """The outcome as JSON, or None if it is too large or too deep to read again."""
    row = outcome.to_json()
    try:
        data = dumped(row)
    except RecursionError:
        return None
    return None if len(data) > LARGEST or _is_deep(row, data) else data


def packed_outcome(data: bytes, dictionary: bytes) -> bytes:
    """An outcome, compressed with the run's first outcome as dictionary, because prompts share most of their text."""
    packer = zlib.compressobj(1, zdict=dictionary)
    return packer.compress(data) + packer.flush()


def unpacked_outcome(data: bytes, dictionary: bytes) -> RowOutcome:
    """The outcome that `packed_outcome` packed. Raises `DataError` for other data or above `LARGEST` bytes."""
    return RowOutcome.from_json(loaded(unpacked(data, dictionary)))


def unpacked(data: bytes, dictionary: bytes) -> bytes:
    """The JSON of the outcome that `packed_outcome` packed. Raises `DataError` as `unpacked_outcome`."""
    unpacker = zlib.decompressobj(zdict=dictionary)
    try:
        text = unpacker.decompress(data, LARGEST)
    except zlib.error as error:
        raise DataError(f"it cannot be decompressed: {error}") from error
    if not unpacker.eof:
        raise DataError("it is too large, or cut off")
    return text


def tombstone() -> bytes:
    """What a journal keeps of a forgotten row, apart from its position: a text that is the same for all such rows. It
    is packed without a dictionary, so that it outlives all of them.
    """
    issue = Issue("", "unanswered", "the row was forgotten")
    outcome = RowOutcome(
        key=None, status="invalid", value=None, document=None, issues=(issue,), edits=(), strategy="", attempts=(),
        cost=None, fingerprint="",
    )  # fmt: skip
    return zlib.compress(json.dumps(outcome.to_json()).encode())


def dumped(document: Any) -> bytes:
    """The JSON of a document, for `loaded`. Raises `RecursionError` for a document that is too deep."""
    try:
        return to_json(document)
    except ValueError:  # half of a character, or many levels: slower, `json` writes them
        return json.dumps(document).encode()


def loaded(text: str | bytes) -> Any:
    """The parsed JSON. Raises `DataError` if the text is not JSON (a forged cell may hold no text), or too deep."""
    data = text.encode() if isinstance(text, str) else text
    try:
        document = _parsed(data)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"it is not JSON: {error}") from error
    if _is_deep(document, data):
        raise DataError("its JSON is too deep")
    return document


def _parsed(data: bytes) -> Any:
    try:
        return jiter.from_json(data)
    except ValueError:  # see `dumped`
        return json.loads(data)


def _is_deep(document: Any, data: bytes) -> bool:
    """Whether a document, whose JSON is `data`, is nested deeper than `_DEEPEST` levels."""
    if data.count(b"[") + data.count(b"{") <= _DEEPEST:
        return False
    level = [document]
    for _ in range(_DEEPEST):
        if not level:
            return False
        level = [
            child
            for node in level
            if isinstance(node, dict | list | tuple)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return bool(level)
