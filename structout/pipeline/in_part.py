"""The files of a run that is not complete: the rows that are done, with a mark that says that others are missing."""

from dataclasses import dataclass
from datetime import UTC, datetime

from structout.errors import AccountError, BatchError, BudgetError, StructoutError
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.tables import FORGOTTEN
from structout.pipeline.run import Files, check_rows, finish
from structout.tables.partial import Partial, is_stream, why_not, write_mark


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


def finish_in_part(
    journal: Journal, job: Job, files: Files, stop: Stop, rows: int | None = None, *, limit: int | None = None
) -> InPart:
    """Write the rows that are done to the output and the quarantine, marked as partial, unless a complete output of an
    earlier run is there. `rows` is the number of input rows, if the run has seen all of them: then a stream takes the
    rows too, without a mark. `limit` is the maximum number of rows.

    Raises `OutputError`, and `JournalError` as `finish` does.
    """
    counts = journal.counts(limit)
    every, failed = sum(counts.values()), counts.get("error", 0)
    come = every if rows is None else rows
    if not (rows is not None and is_stream(files.output)):
        is_worth = rows is not None or every > failed
        problem = why_not(files.output, files.quarantine) if is_worth else "no row is done"
        if problem:
            accepted = counts.get("valid", 0) + counts.get("repaired", 0)
            others = every - accepted - counts.get(FORGOTTEN, 0)
            check_rows(journal, come, accepted, others, limit)
            return InPart(accepted, others, problem)
        time = datetime.now(UTC).isoformat(timespec="seconds")
        write_mark(files.output, Partial(every - failed, stop.total, stop.reason, time))
    return InPart(*finish(journal, job, come, files, limit=limit), "")


def reason_of(error: StructoutError) -> str:
    """Why a run stopped, in words that hold no text of a record or of a server."""
    if isinstance(error, BudgetError):
        return error.message
    if isinstance(error, AccountError):
        return "the account of the model is used up"
    return "a batch could not go on" if isinstance(error, BatchError) else "the model failed"
