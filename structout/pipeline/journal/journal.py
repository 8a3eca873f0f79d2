"""The journal of a run: every paid answer and every outcome, on disk before its use."""

import json
import sqlite3
import threading
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from structout.completion import Completion, Usage
from structout.errors import DamagedError, DataError, JournalError, OtherRunError, StructoutWarning
from structout.models.ledger import Wave
from structout.pipeline.journal.about import about, changes, put
from structout.pipeline.journal.answers import answers_in, answers_of, forget_answers
from structout.pipeline.journal.damage import Damage, named
from structout.pipeline.journal.database import ANEW, OpenFile, explained, opened
from structout.pipeline.journal.forgetting import Answer, forget, hash_texts, texts
from structout.pipeline.journal.notes import forget_note, note, noted
from structout.pipeline.journal.tables import (
    FORGOTTEN,
    add,
    keep_completions,
    packed_outcome,
    spent_in,
    unpacked_outcome,
    written,
)
from structout.pipeline.journal.waves import waves_in
from structout.pipeline.outcome import RowOutcome
from structout.schema import Schema

PLACED = "status IN ('valid', 'repaired')"
ACCEPTED = "status IN ('valid', 'repaired', 'unplaced')"  # `unplaced`: another output may hold the record
ANSWERED = "status <> 'error'"
KNOWN = f"status <> '{FORGOTTEN}'"  # the rows of which the journal keeps more than their place
T = TypeVar("T", dict[str, str], list[dict[str, Any]])
_ALL = 2**63 - 1


class Journal:
    """One SQLite file in WAL mode, locked by one process at a time, with a transaction per batch.

    The journal keeps each completion as soon as it arrives, each row's outcome by the row's position from 0, and the
    spending. A killed process loses none of them. Thread-safe. Every failure is a `JournalError`.

    Each row has a checksum. Opening the journal drops the rows that fail it: a `StructoutWarning` names them, `damaged`
    is set, and the damaged file is kept beside the journal. A checksum detects damage, not forgery: `wrong` finds
    invalid outcomes.
    """

    def __init__(
        self,
        path: str | Path,
        identity: Mapping[str, str],
        *,
        fresh: bool = False,
        only: Sequence[str] | None = None,
        adopt: bool = True,
        private: bool = False,
        repair: bool = True,
    ) -> None:
        """Open or make the journal of the run that `identity` describes.

        `fresh` forgets all outcomes, but keeps the completions and their cost. `only` names the parts of the identity
        that must match (default: all). Without `adopt`, a new journal belongs to no run yet. A `private` journal is
        readable only by its owner (0600); the mode of any other journal follows the umask. Without `repair`, a damaged
        journal stays as it is and raises. Raises `JournalError`.
        """
        self.path = Path(path)
        self.damaged = False
        self.heed: Callable[[], None] = lambda: None  # called after a change of the waves
        self._known = "TRUE"
        self._lock = threading.RLock()
        self._dictionary = b""
        with self._guarded():
            self._db, damage, aside = opened(self.path, fresh=fresh, private=private, repair=repair)
            self._file = OpenFile.of(self.path)
        try:
            if damage is not None:
                self._tell(damage, aside)
            if fresh:
                self._warn_of_forgotten()
                self.adopt(identity, keep="")
            if adopt and not self.identity():
                self.adopt(identity)
            self._check_identity(identity, tuple(identity) if only is None else only)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the database and release its lock."""
        with self._lock:  # after an interrupt, another thread may still write
            self._db.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def adopt(self, identity: Mapping[str, str], *, keep: str = PLACED) -> None:
        """Become the journal of another run, with only the outcomes that match `keep` (SQL; empty: none). With a
        `keep`, its earlier runs may be resumed as well.
        """
        before = [one for one in [*self._before(), self.identity()] if one and one != identity] if keep else []
        with self.transaction() as db:
            db.execute(f"DELETE FROM outcomes WHERE NOT ({_or_forgotten(keep)})")
            if not keep:
                db.execute("DELETE FROM about WHERE name LIKE 'texts%' OR name LIKE 'marks%' OR name LIKE 'rows%'")
            now = datetime.now(UTC).isoformat(timespec="seconds")
            for name, value in (("identity", dict(identity)), ("before", before), ("date", now)):
                put(db, name, json.dumps(value))

    def identity(self) -> dict[str, str]:
        """The identity of the run that the journal belongs to; empty if it belongs to none."""
        return self._about("identity", {})

    def _before(self) -> list[dict[str, str]]:
        """The identities of the earlier runs whose outcomes the journal also holds."""
        return self._about("before", [])

    def _about(self, name: str, nothing: T) -> T:
        with self._guarded():
            return about(self._db, self.path, name, nothing)

    def _tell(self, damage: Damage, aside: str) -> None:
        """Warn of the lost parts."""
        self.damaged = True
        lost = f"it lost {damage}, and a run asks again for lost rows" if str(damage) else "nothing of it is lost"
        kept = f"the rest is kept, and the damaged file is now {aside}"
        warnings.warn(f"{self.path} was damaged; {lost}; {kept}", StructoutWarning, 4)

    def _warn_of_forgotten(self) -> None:
        """Warn that a fresh run asks for the forgotten rows again."""
        if count := self.counts().get(FORGOTTEN, 0):
            hint = "remove them from the input, unless that is done"
            message = f"{self.path} no longer knows its forgotten rows ({count:,}), since the run starts again: {hint}"
            warnings.warn(message, StructoutWarning, 4)

    def _check_identity(self, identity: Mapping[str, str], names: Sequence[str]) -> None:
        known = self.identity()
        if any(all(one.get(name) == identity[name] for name in names) for one in self._before()):
            return
        if known and (changed := changes(known, identity, names)):
            raise OtherRunError(f"{self.path} belongs to a run with another {changed}", hint=ANEW)

    def marks(self) -> list[dict[str, Any]]:
        """What tells which rows the tables of a database have (see `Held`); empty in a run that started again."""
        return self._about("marks", [])

    def keep_marks(self, marks: Sequence[Mapping[str, Any]]) -> None:
        """Keep other marks, so that they survive a power failure."""
        with self.transaction(durable=True) as db:
            put(db, "marks", json.dumps(list(marks)))

    # --- completions ---

    def completions(self, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        """The known completions among these keys."""
        with self._guarded():
            found = answers_in(self._db, keys)
        return answers_of(found)

    def answers(self) -> dict[bytes, str]:
        """All completions as JSON by their keys, to send to other processes."""
        with self._guarded():
            return answers_in(self._db)

    def add_completions(self, model: str, new: Mapping[bytes, Completion], usage: Usage) -> None:
        """Keep new completions of a model, and add their usage."""
        self._put_back()
        with self.transaction() as db:
            keep_completions(db, model, new, usage)

    def forget_completions(self, keys: Iterable[bytes]) -> None:
        """Forget these completions, so that they are asked again. Their cost stays counted."""
        with self.transaction() as db:
            forget_answers(db, keys)

    def spent(self) -> dict[str, Usage]:
        """The usage of each model, in this run and earlier runs."""
        with self._guarded():
            return spent_in(self._db)

    def finding(self, model: str) -> str:
        """What an earlier run found out about a model's server; "" for nothing."""
        return self._findings().get(model, "")

    def keep_finding(self, model: str, finding: str) -> None:
        """Keep what a run found out about a model's server."""
        with self.transaction() as db:
            put(db, "findings", json.dumps({**self._findings(), model: finding}))

    def _findings(self) -> dict[str, str]:
        return self._about("findings", {})

    def waves(self) -> list[tuple[str, Wave]]:
        """The waves that wait at a provider, each with its model's name, the oldest first. Raises `DamagedError`."""
        with self._guarded():
            return waves_in(self._db, self.path)

    # --- outcomes ---

    def add_outcomes(self, outcomes: Sequence[tuple[int, bytes, RowOutcome]]) -> None:
        """Keep outcomes, each with the position and the digest of its row."""
        rows = []
        for position, digest, outcome in outcomes:
            kept, data = written(outcome)
            rows.append((position, digest, kept.standing, packed_outcome(data, self._shared(data))))
        self._put_back()
        with self.transaction() as db:
            db.executemany(add("outcomes"), rows)

    def known(self, first: int, last: int) -> dict[int, bytes]:
        """The digests of the rows from `first` to `last` that have an outcome, by position."""
        query = f"SELECT position, digest FROM outcomes WHERE position BETWEEN ? AND ? AND {self._known}"
        with self._guarded():
            rows = self._db.execute(query, [first, last]).fetchall()
        return dict(rows)

    def overlook(self, keep: str = PLACED) -> None:
        """Until the journal is closed, count only the outcomes that match `keep` (SQL; empty: none) as known, as if the
        other outcomes were forgotten.
        """
        self._known = f"({_or_forgotten(keep)})"

    def outcome(self, position: int) -> RowOutcome:
        """The outcome of one known row."""
        ((_, found),) = self._outcomes("position = ?", position)
        return found

    def outcomes(self, wanted: str = "TRUE", limit: int | None = None) -> Iterator[RowOutcome]:
        """The outcomes among the first `limit` rows that match `wanted` (SQL), in input order, without forgotten rows.
        Do not add outcomes while reading.
        """
        yield from (found for _, found in self.numbered(wanted, limit))

    def numbered(self, wanted: str = "TRUE", limit: int | None = None) -> Iterator[tuple[int, RowOutcome]]:
        """The same outcomes, each with its position."""
        yield from self._outcomes(f"position < ? AND {KNOWN} AND ({wanted})", _ALL if limit is None else limit)

    def _outcomes(self, where: str, *arguments: Any) -> Iterator[tuple[int, RowOutcome]]:
        for position, _, found in self._read(where, *arguments):
            if isinstance(found, DataError):
                with suppress(JournalError):
                    self.forget_note()
                hint = "run the same command again: it asks for the row again"
                raise DamagedError(f"row {position + 1} of {self.path} is damaged: {found}", hint=hint) from found
            yield position, found

    def _read(self, where: str, *arguments: Any) -> Iterator[tuple[int, str, RowOutcome | DataError]]:
        """Positions, statuses and outcomes (or the error of a damaged outcome), in input order."""
        dictionary = self._shared(b"")
        query = f"SELECT position, status, data FROM outcomes WHERE {where} ORDER BY position"
        with self._guarded():
            for position, status, data in self._db.execute(query, arguments):
                try:
                    found: RowOutcome | DataError = unpacked_outcome(data, dictionary)
                except DataError as error:
                    found = error
                yield position, status, found

    def wrong(self, schema: Schema[Any]) -> dict[int, str]:
        """The positions of invalid outcomes, each with the reason (see `judged`)."""
        return {position: reason for position, _, reason in self.judged(schema) if reason}

    def judged(self, schema: Schema[Any], first: int = 0) -> Iterator[tuple[int, RowOutcome | None, str]]:
        """The outcomes from a position on, in input order, each with its position and the reason why it is invalid, or
        "": the outcome is unreadable (None), its status differs from the status column, or this schema rejects its
        record.
        """
        for position, status, one in self._read(f"position >= ? AND {KNOWN}", first):
            if isinstance(one, DataError):
                yield position, None, str(one)
            elif status not in (one.status, one.standing):
                yield position, one, f"its status is {one.status}, but the status column says {status}"
            else:
                yield position, one, one.problem(schema)

    def note(self, by: str, state: Mapping[str, Any]) -> None:
        """Keep what a run knows of all outcomes (see `notes`). `by` names all that it depends on."""
        with self.transaction() as db:
            note(db, by, state)

    def forget_note(self) -> None:
        """Remove the note, because an outcome is not as it was judged: so the next run judges all of them."""
        with self.transaction() as db:
            forget_note(db)

    def noted(self, by: str) -> tuple[int, dict[str, Any]]:
        """The last row of the note, and what a run knew up to there (see `notes`); -1 and nothing without a note."""
        with self._guarded():
            return noted(self._db, by)

    def end(self, rows: int) -> None:
        """Keep that a run has seen its whole input, of so many rows."""
        with self.transaction() as db:
            put(db, "rows", json.dumps(rows))

    def distrust(self, wrong: Mapping[int, str]) -> None:
        """Forget these outcomes with a warning. Their answers are kept."""
        if wrong:
            self.damaged = True
            rows, reason = named([(position, position) for position in wrong]), next(iter(wrong.values()))
            message = f"asked again, because their outcomes are invalid: {rows} of {self.path} ({reason})"
            warnings.warn(message, StructoutWarning, 3)
            with self.transaction() as db:
                db.executemany("DELETE FROM outcomes WHERE position = ?", [[position] for position in wrong])

    def counts(self, limit: int | None = None) -> dict[str, int]:
        """The number of outcomes among the first `limit` rows, by status."""
        query = f"SELECT status, count(*) FROM outcomes WHERE position < ? AND {self._known} GROUP BY status"
        with self._guarded():
            return dict(self._db.execute(query, [_ALL if limit is None else limit]).fetchall())

    def last(self) -> int:
        """The last position with an outcome, or -1 if the journal has no outcome."""
        with self._guarded():
            return int(self._db.execute("SELECT coalesce(max(position), -1) FROM outcomes").fetchone()[0])

    def place(self, fits: Callable[[RowOutcome], bool]) -> None:
        """Mark the outcomes that an earlier output could not hold as accepted if they now fit."""
        with self._guarded():
            unplaced = self._db.execute("SELECT position FROM outcomes WHERE status = 'unplaced'").fetchall()
        fitting = [(one.status, position) for (position,) in unplaced if fits(one := self.outcome(position))]
        with self.transaction() as db:
            query = "UPDATE outcomes SET status = ?1, seal = seal(position, digest, ?1, data) WHERE position = ?2"
            db.executemany(query, fitting)

    def forget_errors(self) -> None:
        """Forget the rows on which the model failed, so that they are asked again."""
        with self.transaction() as db:
            db.execute(f"DELETE FROM outcomes WHERE NOT ({ANSWERED})")

    def texts(self, answer: Answer) -> Iterator[tuple[str, Any]]:
        """The key of each row that is not forgotten, and what the journal keeps of it (see `forgetting.texts`)."""
        with self._guarded():
            yield from texts(self._db, answer)

    def forget(self, keys: Collection[str], answer: Answer) -> None:
        """Remove the rows with these keys, and rewrite the file (see `forgetting.forget`)."""
        with self._guarded():
            forget(self._db, self.path, keys, answer)
        self._dictionary = b""

    def hash_texts(self) -> None:
        """Remove all texts of a run that is complete, and rewrite the file (see `forgetting.hash_texts`)."""
        with self._guarded():
            hash_texts(self._db)
        self._dictionary = b""

    @property
    def is_hashed(self) -> bool:
        """Whether the texts of all rows are removed, so that the files of the run cannot be written again."""
        with self._guarded():
            return self._db.execute("SELECT 1 FROM about WHERE name = 'texts'").fetchone() is not None

    # --- storage ---

    def _shared(self, otherwise: bytes) -> bytes:
        """The dictionary for compression: the text of the first outcome, which is `otherwise` in an empty journal."""
        if not self._dictionary:
            with self.transaction() as db:
                row = db.execute("SELECT value FROM about WHERE name = 'dictionary'").fetchone()
                if row is None and otherwise:
                    row = [otherwise[-32768:]]
                    put(db, "dictionary", row[0])
            self._dictionary = row[0] if row else b""
        return self._dictionary

    def _put_back(self) -> None:
        """Write the file again if it was removed while the run goes on: its answers are paid."""
        with self._guarded():
            if self._file is None or self._file.is_there:
                return
            self._db = self._file.put_back(self._db)
            self._file = replace(self._file, stat=self._file.file.stat())
        warnings.warn(f"{self.path} was removed while it is in use: it is put back", StructoutWarning, 4)

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction. If it is `durable`, it survives a power failure as soon as it ends."""
        with self._guarded():
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
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
            except (sqlite3.Error, UnicodeDecodeError) as error:
                raise explained(self.path, error) from error


def _or_forgotten(keep: str) -> str:
    """The condition for the outcomes that match `keep` (SQL; empty: none), and for forgotten rows: they have an outcome
    until the run starts again.
    """
    return f"({keep}) OR status = '{FORGOTTEN}'" if keep else "FALSE"
