"""The files of a run that is not complete: the rows that are done, with a mark that says that others are missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from structout.errors import AccountError, BatchError, BudgetError, ShiftError, StructoutError
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.tables import FORGOTTEN
from structout.pipeline.run import Files, finish
from structout.tables.partial import Partial, takes_marks, why_not, write_mark


@dataclass(frozen=True)
class Stop:
    """Why a run stopped, and how many rows it has in total (None: unknown)."""

    total: int | None
    reason: str


@dataclass(frozen=True)
class InPart:
    """The counts of a partial output, and why it was not written, "" if it was."""

    accepted: int
    others: int
    why_not: str


def finish_in_part(journal: Journal, job: Job, files: Files, stop: Stop, *, limit: int | None = None) -> InPart:
    """Write the rows that a run has done before it stopped, marked as partial, unless a complete output of an earlier
    run is there, or an output that takes no mark. `limit` is the maximum number of rows.

    Raises `OutputError`, and `JournalError` as `finish` does.
    """
    counts = journal.counts(limit)
    every = sum(counts.values())
    if every == counts.get("error", 0):
        problem = "no row is done"
    else:
        problem = why_not(files.output, files.quarantine)
    if problem:
        accepted = counts.get("valid", 0) + counts.get("repaired", 0)
        return InPart(accepted, every - accepted - counts.get(FORGOTTEN, 0), problem)
    _mark(files.output, counts, stop)
    return InPart(*finish(journal, job, every, files, limit=limit), "")


def finish_with_failures(
    journal: Journal, job: Job, files: Files, stop: Stop, rows: int, *, limit: int | None = None
) -> tuple[int, int]:
    """Write the files of a run that has seen all `rows`, some of which the model failed on: these go to the quarantine.
    The output is marked as partial, if it takes a mark. Counts and errors are those of `finish`.
    """
    if takes_marks(files.output):
        _mark(files.output, journal.counts(limit), stop)
    return finish(journal, job, rows, files, limit=limit)


def _mark(output: str, counts: Mapping[str, int], stop: Stop) -> None:
    time = datetime.now(UTC).isoformat(timespec="seconds")
    done = sum(counts.values()) - counts.get("error", 0)
    write_mark(output, Partial(done, stop.total, stop.reason, time))


def reason_of(error: StructoutError) -> str:
    """Why a run stopped, in words that hold no text of a record or of a server."""
    if isinstance(error, BudgetError):
        return error.message
    if isinstance(error, AccountError):
        return "the account of the model is used up"
    if isinstance(error, ShiftError):
        return "the rows no longer look like the labelled records"
    return "a batch could not go on" if isinstance(error, BatchError) else "the model failed"
