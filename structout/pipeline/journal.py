"""The journal of a run: what was paid for and what came of it, on disk before anything else happens."""

import json
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from structout.completion import Completion, Usage
from structout.errors import JournalError, OtherRunError
from structout.pipeline.outcome import RowOutcome, completion_json, completion_of

VERSION = 2  # 1 had no keys of prompts in its attempts
_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE outcomes (
    position INTEGER PRIMARY KEY, digest BLOB NOT NULL, status TEXT NOT NULL, data BLOB NOT NULL
);
CREATE TABLE completions (key BLOB PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE spent (
    model TEXT PRIMARY KEY, calls INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL
);
"""
PLACED = "status IN ('valid', 'repaired')"
ACCEPTED = "status IN ('valid', 'repaired', 'unplaced')"  # the last: for another output, it may fit
ANSWERED = "status <> 'error'"
ANEW = "--fresh begins anew (answers that were paid for are kept); in a program, name another journal"
_ALL = 2**63 - 1


class Journal:
    """One SQLite file in WAL mode, held by one process at a time; a transaction a batch.

    It keeps each completion as soon as it is there, each row's outcome by the row's position from 0, and what was
    spent. A process that is killed loses neither. Thread-safe. Every failure is a `JournalError`.
    """

    def __init__(
        self,
        path: str | Path,
        identity: Mapping[str, str],
        *,
        fresh: bool = False,
        only: Sequence[str] | None = None,
        adopt: bool = True,
    ) -> None:
        """Open or make the journal of the run that `identity` describes.

        `fresh` forgets the outcomes of another run, but not the completions, nor what they cost; `only` names the parts
        of the identity that must be the same (by default all); without `adopt` a new journal is of no run yet. Raises
        `JournalError`.
        """
        self.path = Path(path)
        self._known = "TRUE"
        self._lock = threading.RLock()
        self._dictionary = b""
        with self._guarded():
            self._db = sqlite3.connect(self.path, timeout=0, check_same_thread=False, isolation_level=None)
        try:
            with self._guarded():
                self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
            with self._transaction():
                self._check_version()
            if fresh:
                self.adopt(identity, keep="")
            if adopt and not self.identity():
                self.adopt(identity)
            self._check_identity(identity, tuple(identity) if only is None else only)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def adopt(self, identity: Mapping[str, str], *, keep: str = PLACED) -> None:
        """Become the journal of another run, with only the outcomes that fulfil `keep` (SQL; none if it is empty). If
        some are kept, the runs that it was of before may go on as well.
        """
        before = [one for one in [*self._before(), self.identity()] if one and one != identity] if keep else []
        with self._transaction() as db:
            db.execute(f"DELETE FROM outcomes WHERE NOT ({keep or 'FALSE'})")
            for name, value in (("identity", dict(identity)), ("before", before)):
                db.execute("REPLACE INTO about VALUES (?, ?)", [name, json.dumps(value)])

    def identity(self) -> dict[str, str]:
        """What the run is that this journal belongs to."""
        return self._about("identity") or {}

    def _before(self) -> list[dict[str, str]]:
        """What the runs were whose outcomes it has besides."""
        return self._about("before") or []

    def _about(self, name: str) -> Any:
        with self._guarded():
            row = self._db.execute("SELECT value FROM about WHERE name = ?", [name]).fetchone()
        return json.loads(row[0]) if row else None

    def _check_version(self) -> None:
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        elif found != VERSION:
            raise OtherRunError(
                f"{self.path} is a journal of version {found}; this structout writes version {VERSION}",
                hint="go on with the structout that wrote it, or name another journal",
            )

    def _check_identity(self, identity: Mapping[str, str], names: Sequence[str]) -> None:
        known = self.identity()
        if any(all(one.get(name) == identity[name] for name in names) for one in self._before()):
            return
        changed = [name for name in names if known and known.get(name) != identity[name]]
        if changed:
            parts = " and ".join(changed)
            was = "; ".join(f"{name}: {_short(known.get(name))}, now {_short(identity[name])}" for name in changed)
            raise OtherRunError(
                f"{self.path} is of a run with another {parts} ({was})",
                hint=ANEW,
            )

    # --- completions ---

    def completions(self, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        """Those of the completions that are known, by their keys."""
        with self._guarded():
            marks = ",".join("?" * len(keys))
            rows = self._db.execute(f"SELECT key, data FROM completions WHERE key IN ({marks})", keys).fetchall()
        return {key: completion_of(json.loads(data)) for key, data in rows}

    def answers(self) -> dict[bytes, str]:
        """All of them, by their keys, as JSON: to be sent elsewhere."""
        with self._guarded():
            return dict(self._db.execute("SELECT key, data FROM completions"))

    def add_completions(self, model: str, new: Mapping[bytes, Completion], usage: Usage) -> None:
        """Keep what was just answered, and what it cost."""
        rows = [(key, json.dumps(completion_json(completion))) for key, completion in new.items()]
        with self._transaction() as db:
            db.executemany("REPLACE INTO completions VALUES (?, ?)", rows)
            db.execute(
                "INSERT INTO spent VALUES (?, ?, ?, ?, ?) ON CONFLICT (model) DO UPDATE SET"
                " calls = calls + excluded.calls, input_tokens = input_tokens + excluded.input_tokens,"
                " output_tokens = output_tokens + excluded.output_tokens, seconds = seconds + excluded.seconds",
                [model, usage.calls, usage.input_tokens, usage.output_tokens, usage.seconds],
            )

    def forget_completions(self, keys: Iterable[bytes]) -> None:
        """Ask these again when they come up; what they cost stays counted."""
        with self._transaction() as db:
            db.executemany("DELETE FROM completions WHERE key = ?", [[key] for key in keys])

    def spent(self) -> dict[str, Usage]:
        """What was spent on each model, in this run and those before."""
        with self._guarded():
            rows = self._db.execute("SELECT * FROM spent ORDER BY model").fetchall()
        return {model: Usage(*numbers) for model, *numbers in rows}

    # --- outcomes ---

    def add_outcomes(self, outcomes: Sequence[tuple[int, bytes, RowOutcome]]) -> None:
        """Keep the outcomes of rows: position, digest of the row, outcome."""
        rows = [(position, digest, outcome.standing, self._pack(outcome)) for position, digest, outcome in outcomes]
        with self._transaction() as db:
            db.executemany("REPLACE INTO outcomes VALUES (?, ?, ?, ?)", rows)

    def known(self, first: int, last: int) -> dict[int, bytes]:
        """The digests of the rows from `first` to `last` that have an outcome, by position."""
        query = f"SELECT position, digest FROM outcomes WHERE position BETWEEN ? AND ? AND {self._known}"
        with self._guarded():
            rows = self._db.execute(query, [first, last]).fetchall()
        return dict(rows)

    def overlook(self, keep: str = PLACED) -> None:
        """As long as it is open, take only the outcomes that fulfil `keep` (SQL; none if it is empty) for known ones,
        as if the others were forgotten.
        """
        self._known = f"({keep or 'FALSE'})"

    def outcome(self, position: int) -> RowOutcome:
        """The outcome of one row that is known."""
        (found,) = self._unpacked("SELECT data FROM outcomes WHERE position = ?", position)
        return found

    def outcomes(self, wanted: str = "TRUE", limit: int | None = None) -> Iterator[RowOutcome]:
        """The outcomes of the first `limit` rows that fulfil `wanted` (SQL), in input order. Nothing may be added while
        they are read.
        """
        query = f"SELECT data FROM outcomes WHERE position < ? AND ({wanted}) ORDER BY position"
        yield from self._unpacked(query, _ALL if limit is None else limit)

    def counts(self, limit: int | None = None) -> dict[str, int]:
        """How many of the first `limit` rows came to which status."""
        query = f"SELECT status, count(*) FROM outcomes WHERE position < ? AND {self._known} GROUP BY status"
        with self._guarded():
            return dict(self._db.execute(query, [_ALL if limit is None else limit]).fetchall())

    def last(self) -> int:
        """The last position that has an outcome, -1 if none has."""
        with self._guarded():
            return int(self._db.execute("SELECT coalesce(max(position), -1) FROM outcomes").fetchone()[0])

    def place(self, fits: Callable[[RowOutcome], bool]) -> None:
        """Count what an earlier output could not hold as accepted again where it now `fits`."""
        with self._guarded():
            unplaced = self._db.execute("SELECT position FROM outcomes WHERE status = 'unplaced'").fetchall()
        fitting = [(one.status, position) for (position,) in unplaced if fits(one := self.outcome(position))]
        with self._transaction() as db:
            db.executemany("UPDATE outcomes SET status = ? WHERE position = ?", fitting)

    def forget_errors(self) -> None:
        """Ask again for the rows on which the model itself failed."""
        with self._transaction() as db:
            db.execute(f"DELETE FROM outcomes WHERE NOT ({ANSWERED})")

    # --- how it is written ---

    def _pack(self, outcome: RowOutcome) -> bytes:
        """Compressed against the run's first outcome: prompts share nearly all of their text."""
        data = json.dumps(outcome.to_json()).encode()
        dictionary = self._shared(data)
        packer = zlib.compressobj(1, zdict=dictionary)
        return packer.compress(data) + packer.flush()

    def _unpacked(self, query: str, *arguments: Any) -> Iterator[RowOutcome]:
        dictionary = self._shared(b"")
        with self._guarded():
            for (data,) in self._db.execute(query, arguments):
                unpacker = zlib.decompressobj(zdict=dictionary)
                yield RowOutcome.from_json(json.loads(unpacker.decompress(data)))

    def _shared(self, otherwise: bytes) -> bytes:
        """The text that outcomes are compressed against: the first one's."""
        if not self._dictionary:
            with self._transaction() as db:
                if otherwise:
                    db.execute("INSERT OR IGNORE INTO about VALUES ('dictionary', ?)", [otherwise[-32768:]])
                row = db.execute("SELECT value FROM about WHERE name = 'dictionary'").fetchone()
            self._dictionary = row[0] if row else b""
        return self._dictionary

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guarded():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def _explained(self, error: sqlite3.Error) -> JournalError:
        reason = str(error)
        if "locked" in reason:
            return JournalError(f"{self.path} is in use by another run", hint="wait for it, or name another journal")
        if "not a database" in reason or "malformed" in reason:
            return OtherRunError(f"{self.path} is no journal: {reason}", hint="name another journal")
        hint = "make room and run the same command again: what is in the journal stays" if self.path.exists() else ""
        return JournalError(f"{self.path} cannot be written: {reason}", hint=hint or "check the folder")


def _short(text: str | None) -> str:
    text = str(text)
    return text if len(text) <= 60 else text[:59] + "…"
