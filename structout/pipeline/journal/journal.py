"""The journal of a run: what was paid for and what came of it, on disk before anything else happens."""

import json
import sqlite3
import threading
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from structout.completion import Completion, Usage
from structout.errors import DamagedError, DataError, OtherRunError, StructoutWarning
from structout.pipeline.journal.damage import Damage, named
from structout.pipeline.journal.database import ANEW, explained, opened
from structout.pipeline.journal.tables import COPY, add, loaded, packed_outcome, seal_of, unpacked_outcome, written
from structout.pipeline.outcome import RowOutcome
from structout.records import completion_json, completion_of
from structout.schema import Schema

PLACED = "status IN ('valid', 'repaired')"
ACCEPTED = "status IN ('valid', 'repaired', 'unplaced')"  # the last: for another output, it may fit
ANSWERED = "status <> 'error'"
T = TypeVar("T", bound="Collection[Any]")
_ALL = 2**63 - 1


class Journal:
    """One SQLite file in WAL mode, held by one process at a time; a transaction a batch.

    It keeps each completion as soon as it is there, each row's outcome by the row's position from 0, and what was
    spent. A process that is killed loses neither. Thread-safe. Every failure is a `JournalError`.

    Each row has a checksum. What is not what was written is left out when the journal is opened: a `StructoutWarning`
    names the rows, `damaged` is set, and the damaged file is kept beside the journal. A checksum tells damage, not
    forgery: `wrong` finds the outcomes that cannot be.
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
        mend: bool = True,
    ) -> None:
        """Open or make the journal of the run that `identity` describes.

        `fresh` forgets the outcomes of another run, but not the completions, nor what they cost; `only` names the parts
        of the identity that must be the same (by default all); without `adopt` a new journal is of no run yet. A
        `private` one can be read by its owner alone (0600), any other by whom the umask lets. Without `mend` a journal
        that is damaged stays as it is, and is refused. Raises `JournalError`.
        """
        self.path = Path(path)
        self.damaged = False
        self._known = "TRUE"
        self._lock = threading.RLock()
        self._dictionary = b""
        with self._guarded():
            self._db, damage, aside = opened(self.path, fresh=fresh, private=private, mend=mend)
        try:
            if damage is not None:
                self._tell(damage, aside)
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
                _put(db, name, json.dumps(value))

    def identity(self) -> dict[str, str]:
        """What the run is that this journal belongs to."""
        return self._about("identity", {})

    def _before(self) -> list[dict[str, str]]:
        """What the runs were whose outcomes it has besides."""
        return self._about("before", [])

    def _about(self, name: str, nothing: T) -> T:
        with self._guarded():
            row = self._db.execute("SELECT value FROM about WHERE name = ?", [name]).fetchone()
        try:
            found = loaded(row[0]) if row else nothing
            inner = str if isinstance(nothing, dict) else dict
            if isinstance(found, type(nothing)) and all(isinstance(one, inner) for one in found):
                return found
            reason = "it is something else"
        except DataError as error:
            reason = error.message
        raise DamagedError(f"{self.path} is damaged: its {name} cannot be read: {reason}", hint=ANEW)

    def _tell(self, damage: Damage, aside: str) -> None:
        """Say what is lost."""
        self.damaged = True
        lost = f"lost, and asked again where needed: {damage}" if str(damage) else "nothing of it is lost"
        kept = f"the rest is kept, and the damaged file is now {aside}"
        warnings.warn(f"{self.path} was damaged; {lost}; {kept}", StructoutWarning, 4)

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
        return answers_of(dict(rows))

    def answers(self) -> dict[bytes, str]:
        """All of them, by their keys, as JSON: to be sent elsewhere."""
        with self._guarded():
            return dict(self._db.execute("SELECT key, data FROM completions"))

    def add_completions(self, model: str, new: Mapping[bytes, Completion], usage: Usage) -> None:
        """Keep what was just answered, and what it cost."""
        rows = [(key, json.dumps(completion_json(completion))) for key, completion in new.items()]
        with self._transaction() as db:
            db.executemany(add("completions"), rows)
            db.execute(
                "INSERT INTO spent VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (model) DO UPDATE SET"
                " calls = calls + excluded.calls, input_tokens = input_tokens + excluded.input_tokens,"
                " output_tokens = output_tokens + excluded.output_tokens, seconds = seconds + excluded.seconds",
                [model, usage.calls, usage.input_tokens, usage.output_tokens, usage.seconds],
            )
            db.execute(f"UPDATE spent SET seal = {seal_of('spent')} WHERE model = ?", [model])

    def forget_completions(self, keys: Iterable[bytes]) -> None:
        """Ask these again when they come up; what they cost stays counted."""
        with self._transaction() as db:
            db.executemany("DELETE FROM completions WHERE key = ?", [[key] for key in keys])

    def spent(self) -> dict[str, Usage]:
        """What was spent on each model, in this run and those before."""
        with self._guarded():
            rows = self._db.execute("SELECT * FROM spent ORDER BY model").fetchall()
        return {model: Usage(*numbers) for model, *numbers, _ in rows}

    # --- outcomes ---

    def add_outcomes(self, outcomes: Sequence[tuple[int, bytes, RowOutcome]]) -> None:
        """Keep the outcomes of rows: position, digest of the row, outcome."""
        rows = []
        for position, digest, outcome in outcomes:
            kept, data = written(outcome)
            rows.append((position, digest, kept.standing, packed_outcome(data, self._shared(data))))
        with self._transaction() as db:
            db.executemany(add("outcomes"), rows)

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
        (found,) = self._outcomes("position = ?", position)
        return found

    def outcomes(self, wanted: str = "TRUE", limit: int | None = None) -> Iterator[RowOutcome]:
        """The outcomes of the first `limit` rows that fulfil `wanted` (SQL), in input order. Nothing may be added while
        they are read.
        """
        yield from self._outcomes(f"position < ? AND ({wanted})", _ALL if limit is None else limit)

    def _outcomes(self, where: str, *arguments: Any) -> Iterator[RowOutcome]:
        for position, _, found in self._read(where, *arguments):
            if isinstance(found, DataError):
                hint = "run the same command again: it asks for the row again"
                raise DamagedError(f"row {position + 1} of {self.path} is damaged: {found}", hint=hint) from found
            yield found

    def _read(self, where: str, *arguments: Any) -> Iterator[tuple[int, str, RowOutcome | DataError]]:
        """Positions, statuses and outcomes, or why they are none, in input order."""
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
        """The positions of the outcomes that cannot be, each with the reason: no outcome, another status than the one
        that was kept beside it, a record that this schema does not accept.
        """
        found = {}
        for position, status, one in self._read("TRUE"):
            if isinstance(one, DataError):
                found[position] = str(one)
            elif status not in (one.status, one.standing):
                found[position] = f"its status is {one.status}, and {status} stands beside it"
            elif reason := one.problem(schema):
                found[position] = reason
        return found

    def distrust(self, wrong: Mapping[int, str]) -> None:
        """Forget these outcomes, and say why. The answers behind them are kept."""
        if wrong:
            self.damaged = True
            rows, reason = named([(position, position) for position in wrong]), next(iter(wrong.values()))
            told = f"asked again, for their outcomes cannot be: {rows} of {self.path} ({reason})"
            warnings.warn(told, StructoutWarning, 3)
            with self._transaction() as db:
                db.executemany("DELETE FROM outcomes WHERE position = ?", [[position] for position in wrong])

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
            query = "UPDATE outcomes SET status = ?1, seal = seal(position, digest, ?1, data) WHERE position = ?2"
            db.executemany(query, fitting)

    def forget_errors(self) -> None:
        """Ask again for the rows on which the model itself failed."""
        with self._transaction() as db:
            db.execute(f"DELETE FROM outcomes WHERE NOT ({ANSWERED})")

    # --- how it is written ---

    def _shared(self, otherwise: bytes) -> bytes:
        """The text that outcomes are compressed against: the first one's."""
        if not self._dictionary:
            with self._transaction() as db:
                row = db.execute("SELECT value FROM about WHERE name = 'dictionary'").fetchone()
                if row is None and otherwise:
                    row = [otherwise[-32768:]]
                    _put(db, "dictionary", row[0])
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
            except (sqlite3.Error, UnicodeDecodeError) as error:
                raise explained(self.path, error) from error


def answers_of(kept: Mapping[bytes, str]) -> dict[bytes, Completion]:
    """The answers that a journal keeps as JSON, by their keys, but for those that are none: these are asked again."""
    found = {}
    for key, data in kept.items():
        try:
            found[key] = completion_of(loaded(data))
        except DataError as error:
            warnings.warn(f"an answer in the journal is damaged and is asked again: {error}", StructoutWarning, 3)
    return found


def _put(db: sqlite3.Connection, name: str, value: Any) -> None:
    db.executemany(add("about"), [(name, value), (name + COPY, value)])


def _short(text: str | None) -> str:
    text = str(text)
    return text if len(text) <= 60 else text[:59] + "…"
