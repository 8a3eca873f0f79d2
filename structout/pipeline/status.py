"""The state of a run beside its journal, so that another process can look at it while the run goes on."""

import json
import math
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from structout.completion import Usage
from structout.document import load_json
from structout.errors import DamagedError, DataError, JournalError, SpecError, StructoutError
from structout.models.ledger import Wave
from structout.pipeline.journal.database import identity_in, reading
from structout.pipeline.journal.journal import KNOWN
from structout.pipeline.journal.tables import spent_in, unpacked_outcome
from structout.pipeline.journal.waves import waves_in
from structout.pipeline.progress import Tally
from structout.prices import Price, Prices
from structout.tables.partial import Partial, read_mark
from structout.tables.whole_file import replacing

_EVERY: Final = 1.0  # seconds between two states of a run
_LARGEST: Final = 2**20  # bytes of a state
_ALL: Final = 2**63 - 1


def place_of(journal: str | Path) -> Path:
    """The file of the state. It holds counts and names, and the text of a record never."""
    return Path(f"{journal}.status")


class Notes:
    """The state of a run, kept in a file: once a second, when what waits at a provider changes, and at the end.

    Thread-safe.
    """

    def __init__(self, journal: str, about: Mapping[str, Any], waiting: Callable[[], list[tuple[str, Wave]]]) -> None:
        self._place = place_of(journal)
        self._about = about
        self._waiting = waiting
        self._written = 0.0
        self._latest: Tally | None = None
        self._lock = threading.Lock()

    def note(self, tally: Tally) -> None:
        """Keep the progress, at most once a second."""
        self._latest = tally
        if time.monotonic() - self._written >= _EVERY:
            self.write()

    def write(self) -> None:
        """Write the state now, if there is any progress or anything waits."""
        with self._lock:
            waiting, latest = self._waiting(), self._latest
            if latest is None and not waiting:
                return
            self._written = time.monotonic()
            progress = (latest or Tally()).to_json()
            state = {"time": round(time.time(), 3), **self._about, **progress, "waiting": shown(waiting)}
            with replacing(self._place) as stream:
                stream.write(json.dumps(state).encode())


@contextmanager
def noting(
    journal: str,
    about: Mapping[str, Any],
    then: Callable[[Tally], None],
    waiting: Callable[[], list[tuple[str, Wave]]] = list,
) -> Iterator[tuple[Callable[[Tally], None], Callable[[], None]]]:
    """Two functions that keep the state of a run in a file: the first takes the progress, and passes it to `then`; the
    second is called when what is `waiting` at a provider has changed.
    """
    notes = Notes(journal, about, waiting)

    def note(tally: Tally) -> None:
        then(tally)
        notes.note(tally)

    try:
        yield note, notes.write
    except BaseException:
        with suppress(StructoutError):  # the error of the run says more
            notes.write()
        raise
    notes.write()


def shown(waiting: Iterable[tuple[str, Wave]]) -> list[dict[str, Any]]:
    """What waits at a provider, as JSON: the model, the job ("" if it is in doubt), the rows, and since when."""
    return [
        {"model": model, "provider": wave.provider, "job": wave.job, "rows": len(wave.keys), "since": wave.time}
        for model, wave in waiting
    ]


def read_status(journal: str | Path) -> dict[str, Any]:
    """The state of the run of a journal: counts, spending, errors, confidence, versions and whether it is running.

    The journal itself is read if it has no state, such as one of `extract_many`, or if its run was killed after it
    wrote its state. Raises `JournalError`, and `SpecError` if
    the file is missing.
    """
    if not Path(journal).is_file():
        raise SpecError(f"cannot read {journal}: it is not a file", hint="give the journal of a run: OUTPUT.journal")
    running = _is_running(journal)
    state = _kept(place_of(journal))
    if state is None:
        if running:
            raise JournalError(f"{journal} is in use, and keeps no state yet", hint="try again in a few seconds")
        state = _counted(journal, {})
    seen = state.get("time")
    if not running:  # a run that was killed left an older state
        state = _up_to_date(journal, state)
        state["waiting"] = _waiting(journal)
        mark = state.get("mark")
        if isinstance(mark, str) and mark and (partial := read_mark(Path(mark))):
            is_old = isinstance(seen, int | float) and seen >= _stamp(partial) + 1  # a mark keeps whole seconds
            state["partial"] = {**asdict(partial), "told": partial.extent if is_old else str(partial)}
    state.pop("mark", None)
    state.pop("prices", None)
    return {"journal": str(journal), "running": running, "identity": identity_in(journal), **state}


def _is_running(journal: str | Path) -> bool:
    try:
        with reading(journal, locks=True) as db:
            db.execute("SELECT 1 FROM about").fetchone()
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    except sqlite3.Error:
        return False
    return False


def _kept(place: Path) -> dict[str, Any] | None:
    try:
        if place.stat().st_size > _LARGEST:
            return None
        found = load_json(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("rows"), int) else None


def _waiting(journal: str | Path) -> list[dict[str, Any]]:
    """What waits at a provider by the journal; nothing where the journal cannot be read."""
    try:
        with reading(journal) as db:
            return shown(waves_in(db, Path(journal)))
    except (sqlite3.Error, DamagedError, UnicodeDecodeError):  # the next run says what is wrong
        return []


def _up_to_date(journal: str | Path, state: dict[str, Any]) -> dict[str, Any]:
    """The state, or what the journal itself says if it has outcomes or answers that the state does not know."""
    try:
        with reading(journal) as db:
            counts = _counts(db, state.get("total"))
            paid = sum(spent_in(db).values(), Usage())
    except (sqlite3.Error, DataError, UnicodeDecodeError):  # the next run says what is wrong
        return state
    told = (state.get("statuses"), state.get("calls"), state.get("tokens"))
    if told == (counts, paid.calls, paid.input_tokens + paid.output_tokens):
        return state
    return {**_counted(journal, state), **{name: state[name] for name in ("output", "mark", "tags") if name in state}}


def _stamp(partial: Partial) -> float:
    """When an output was marked, in seconds of the Unix time; never for a mark without a time."""
    try:
        return datetime.fromisoformat(partial.time).timestamp()
    except ValueError:
        return math.inf


def _counts(db: sqlite3.Connection, total: object) -> Counter[str]:
    """The number of the first `total` rows with each status."""
    query = "SELECT status, count(*) FROM outcomes WHERE position < ? GROUP BY status"
    return Counter(dict(db.execute(query, [total if isinstance(total, int) else _ALL])))


def _counted(journal: str | Path, state: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a journal by its outcomes, with the total and the prices of a `state`, if it has any."""
    tally, total, cost = Tally(prices=_prices(state)), state.get("total"), 0.0
    try:
        with reading(journal) as db:
            with suppress(sqlite3.Error):  # a journal of an earlier version counts less
                tally.spent = spent_in(db)
            about = dict(db.execute("SELECT name, value FROM about WHERE name IN ('dictionary', 'rows')"))
            query = f"SELECT data FROM outcomes WHERE position < ? AND {KNOWN} ORDER BY position"
            for (data,) in db.execute(query, [total if isinstance(total, int) else _ALL]):
                outcome = unpacked_outcome(data, about.get("dictionary", b"")).priced(tally.prices)
                tally.add(outcome)
                cost += outcome.cost or 0.0
            tally.counts = _counts(db, total)
    except (sqlite3.Error, DataError, UnicodeDecodeError) as error:
        hint = "run the same command again: it says what is kept"
        raise JournalError(f"{journal} cannot be read: {error}", hint=hint) from error
    tally.total = total if isinstance(total, int) else tally.rows if about.get("rows") == str(tally.rows) else None
    tally.cost = tally.prices.cost(tally.spent.items()) if tally.prices.table else None
    return {**tally.to_json(), "cost_usd": cost or None if tally.cost is None else tally.cost}


def _prices(state: Mapping[str, Any]) -> Prices:
    """The prices of a run by its state; none where they cannot be read."""
    try:
        return Prices({str(name): Price(**amounts) for name, amounts in state.get("prices", {}).items()})
    except (AttributeError, TypeError, SpecError):
        return Prices()
