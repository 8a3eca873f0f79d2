"""What a run knows of the outcomes that its journal already holds."""

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from structout.errors import DataError
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.progress import Tally
from structout.pipeline.watch import Watch
from structout.version import __version__

_EVERY: Final = 1.0  # seconds between two notes in the journal, at least
_SHARE: Final = 0.02  # of a run's time for its notes, at most


class Known:
    """The `tally` of the outcomes in a journal. Those that the schema rejects are forgotten, and asked again.

    A resumed run would have to read and judge every outcome. So the journal keeps a note now and then: the tally up to
    a row, and a checksum of the outcomes in it. A run with the same schema, prices and version trusts the outcomes with
    this checksum, and judges the others. All of them are judged again before a file is written.
    """

    def __init__(self, journal: Journal, job: Job, total: int | None, watch: Watch | None = None) -> None:
        self.tally = Tally(total, tags=job.tags, prices=job.prices, watch=watch)
        self.answered = False
        self._journal = journal
        self._by = _judge(job, watch)
        self._next = time.monotonic() + _EVERY
        limit = total if total is not None and total <= journal.last() else None
        self._is_whole = bool(self._by) and limit is None  # whether a note can say what is counted
        first = self._restored() if self._is_whole else 0
        wrong = {}
        for position, outcome, reason in journal.judged(job.schema, first):
            if reason:
                wrong[position] = reason
            elif outcome is not None and (limit is None or position < limit):
                self._count(outcome)
        journal.distrust(wrong)
        self._is_whole = self._is_whole and not journal.counts().get("error")

    def add(self, new: Sequence[tuple[int, bytes, RowOutcome]]) -> list[str]:
        """Count outcomes that the journal now holds. Returns warnings."""
        was_whole, self._is_whole = self._is_whole, False  # an interrupt may leave some of them uncounted
        changed = [self._count(outcome) for _, _, outcome in new]
        self._is_whole = was_whole and all(outcome.status != "error" for _, _, outcome in new)  # which is forgotten
        if time.monotonic() >= self._next:
            self.note()
        return [one for one in changed if one]

    def note(self) -> None:
        """Keep in the journal what is known."""
        if self._is_whole:
            began = time.monotonic()
            self._journal.note(self._by, {**self.tally.state(), "answered": self.answered})
            ended = time.monotonic()
            self._next = ended + max(_EVERY, (ended - began) / _SHARE)

    def _restored(self) -> int:
        """The first position after the note of the journal, whose tally is taken over."""
        last, state = self._journal.noted(self._by)
        if last >= 0:
            with suppress(DataError):
                self.tally.restore(state)
                self.answered = state.get("answered") is True
                return last + 1
        return 0

    def _count(self, outcome: RowOutcome) -> str:
        self.answered = self.answered or None in outcome.refusals
        return self.tally.add(outcome)


def _judge(job: Job, watch: Watch | None) -> str:
    """A hash of all that decides what is known of an outcome, as a text; "" if code of the user takes part."""
    judge = job.schema.judge
    parts: list[Any] = [judge, __version__, repr(sorted(job.prices.table.items())), *([watch.by] if watch else [])]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16] if judge else ""
