"""The files of a run that is not complete: the rows that are done, with a mark that says that others are missing."""

from dataclasses import dataclass
from datetime import UTC, datetime

from structout.errors import AccountError, BatchError, BudgetError, StructoutError
from structout.pipeline.form import Form
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.tables import FORGOTTEN
from structout.pipeline.kept_cells import KeptCells
from structout.pipeline.run import check_rows, finish
from structout.pipeline.settings import RunSettings
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
    journal: Journal,
    job: Job,
    settings: RunSettings,
    form: Form,
    stop: Stop,
    rows: int | None = None,
    *,
    kept: KeptCells | None = None,
) -> InPart:
    """Write the rows that are done to the output and the quarantine, marked as partial, unless a complete output of an
    earlier run is there. `kept` has the cells of kept columns, if there are any. `rows` is the number of input rows, if
    the run has seen all of them: then a stream takes the rows too, without a mark.

    Raises `OutputError`, and `JournalError` as `finish` does.
    """
    output, limit, counts = settings.output, settings.limit, journal.counts(settings.limit)
    every, failed = sum(counts.values()), counts.get("error", 0)
    come = every if rows is None else rows
    if not (rows is not None and is_stream(output)):
        problem = why_not(output, settings.rest) if rows is not None or every > failed else "no row is done"
        if problem:
            accepted = counts.get("valid", 0) + counts.get("repaired", 0)
            others = every - accepted - counts.get(FORGOTTEN, 0)
            check_rows(journal, come, accepted, others, limit)
            return InPart(accepted, others, problem)
        write_mark(
            output, Partial(every - failed, stop.total, stop.reason, datetime.now(UTC).isoformat(timespec="seconds"))
        )
    bare, hashed = settings.bare, settings.keep_text == "hash"
    found = finish(
        journal, job, come, output, settings.rest, bare=bare, limit=limit, form=form, hashed=hashed, kept=kept
    )
    return InPart(*found, "")


def reason_of(error: StructoutError) -> str:
    """Why a run stopped, in words that hold no text of a record or of a server."""
    if isinstance(error, BudgetError):
        return error.message
    if isinstance(error, AccountError):
        return "the account of the model is used up"
    return "a batch could not go on" if isinstance(error, BatchError) else "the model failed"
