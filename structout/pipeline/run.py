"""A run: every input row to exactly one outcome, and the outcomes to files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import takewhile

from structout.errors import BudgetError, DataError, ModelError, OtherRunError
from structout.models import identity
from structout.pipeline.budget import Budget
from structout.pipeline.chunks import in_order
from structout.pipeline.job import Job
from structout.pipeline.journal.database import ANEW
from structout.pipeline.journal.journal import ACCEPTED, PLACED, Journal
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.progress import Tally
from structout.pipeline.recorded import completion_key
from structout.surfaces import json_text
from structout.tables.output import Placing, replacing, writing
from structout.tables.rows import Row

Done = list[tuple[Row, RowOutcome | None]]  # None: the row's outcome is in the journal already
Executor = Callable[[Iterable[Row], Job, Journal], Iterator[Done]]


def local(chunk: int = 32, budget: Budget | None = None, *, cache: bool = True) -> Executor:
    """The engine of this machine: `chunk` rows at a time, each answer kept as soon as it is there."""

    def outcomes(rows: Iterable[Row], job: Job, journal: Journal) -> Iterator[Done]:
        recorded = job.recorded(journal, budget, cache=cache)
        return within(rows, recorded.outcomes, journal, chunk)

    return outcomes


def within(
    rows: Iterable[Row], ask: Callable[[list[Row]], list[RowOutcome]], journal: Journal, chunk: int, in_flight: int = 2
) -> Iterator[Done]:
    """What `ask` makes of the rows that are new (or of the first of them), `chunk` at a time, as far as the budget
    reaches: what is left of it at the end goes to as many rows as it is enough for. Raises `BudgetError` after these.
    """
    stopped: list[BudgetError] = []

    def reach(new: list[Row]) -> list[RowOutcome]:
        try:
            found = ask(new) if new else []
        except BudgetError as error:
            if len(new) == 1:
                stopped.append(error)
                return []
            half = len(new) // 2
            found = reach(new[:half])
            if len(found) < half:
                return found
        return found + reach(new[len(found) :]) if new else []

    def work(some: list[Row]) -> Done:
        new = unknown(some, journal)
        asked = {row.position for row in new}
        found = {row.position: outcome for row, outcome in zip(new, reach(new), strict=False)}
        return [(row, found.get(row.position)) for row in some if row.position in found or row.position not in asked]

    yield from in_order(takewhile(lambda row: not stopped, rows), work, chunk, in_flight)
    if stopped:
        raise stopped[0]


def process(
    rows: Iterable[Row],
    job: Job,
    journal: Journal,
    engine: Executor,
    *,
    total: int | None = None,
    progress: Callable[[Tally], None] = lambda tally: None,
    place: Placing | None = None,
) -> Tally:
    """Bring every row to its outcome in the journal; rows that have one are not asked again. `place` is that of the
    output, if there is one: see `entries`.

    Raises `ModelError` when the model failed on `job.max_errors` rows in a row, `BudgetError`, and `JournalError` where
    a row is not the one that the journal knows. What was done until then is in the journal. An outcome of the journal
    that the schema does not accept is asked again.
    """
    journal.forget_errors()
    journal.distrust(journal.wrong(job.schema))
    if place is not None:
        journal.place(lambda outcome: _fits(outcome, place))
    tally = Tally(total)
    tally.counts.update(journal.counts(total))
    failed = 0
    for done in engine(rows, job, journal):
        new = entries(done, place)
        if new:
            journal.add_outcomes(new)
        tally.done += len(done)
        tally.asked += len(new)
        tally.counts.update(outcome.standing for _, _, outcome in new)
        tally.spent = journal.spent()
        tally.cost = job.prices.cost(tally.spent.items())
        progress(tally)
        for _, _, outcome in new:
            failed = failed + 1 if outcome.status == "error" else 0
            if failed >= job.max_errors:
                raise ModelError(
                    f"the model failed on {failed} rows in a row, last: {outcome.issues[0].message}",
                    hint="what was done is kept; mend the cause and run the same command again",
                )
    return tally


def entries(done: Done, place: Placing | None = None) -> list[tuple[int, bytes, RowOutcome]]:
    """What the journal is to keep of rows that are done. Where the output cannot `place` a record, the input row too:
    it belongs in the quarantine, though for another output it would not.
    """
    new = []
    for row, outcome in done:
        if outcome is not None:
            fits = place is None or not outcome.ok or _fits(outcome, place)
            new.append((row.position, row.digest, outcome if fits else replace(outcome, record=row.record)))
    return new


def _fits(outcome: RowOutcome, place: Placing) -> bool:
    try:
        place(outcome.value, outcome.provenance())
    except DataError:
        return False
    return True


def finish(
    journal: Journal, job: Job, rows: int, output: str, quarantine: str, *, bare: bool = False, limit: int | None = None
) -> tuple[int, int]:
    """Write the accepted rows and the quarantine, and count them: both files appear whole or not at all. A record that
    the schema does not accept now, or that the output cannot hold, goes to the quarantine, as rejected. With a `limit`
    they hold no more rows, whatever the journal has.

    Raises `JournalError` unless every one of `rows` input rows went to exactly one of the two; `OutputError`.
    """
    accepted = quarantined = 0
    with replacing(quarantine) as rest, writing(output, job.schema, bare=bare) as write:

        def set_aside(outcome: RowOutcome) -> None:
            nonlocal quarantined
            rest.write(json_text(outcome.quarantined(), ascii=True).encode() + b"\n")
            quarantined += 1

        for outcome in journal.outcomes(f"NOT ({ACCEPTED})", limit):
            set_aside(outcome)
        for outcome in journal.outcomes(ACCEPTED, limit):
            try:
                if problem := outcome.problem(job.schema):
                    raise DataError(problem)
                write(outcome.value, outcome.provenance())
                accepted += 1
            except DataError as error:
                set_aside(outcome.refused(str(error)))
        if rows != accepted + quarantined:
            raise OtherRunError(
                f"{rows:,} rows came in, and {journal.path} has {accepted:,} accepted and {quarantined:,} others",
                hint=f"the input has lost rows since the journal was begun: {ANEW}",
            )
    return accepted, quarantined


def retry_quarantine(journal: Journal, job: Job, place: Placing | None = None) -> int:
    """Forget the outcomes that were not accepted, or that the output could not `place`, and the answers behind them, so
    that they are asked again by `job`, which may have another strategy, model, prompt or sampling than before. Returns
    how many there are; if there are none, the journal stays that of the run it was of. Where the model failed, the
    answers that it had given are not at fault, and stay.
    """
    journal.distrust(journal.wrong(job.schema))
    if place is not None:
        journal.place(lambda outcome: _fits(outcome, place))
    count = 0
    keys: list[bytes] = []
    known = cache(identity)
    for outcome in journal.outcomes(f"NOT ({PLACED})"):
        count += 1
        calls = () if outcome.status == "error" else (*outcome.attempts, *outcome.checks)
        keys += [completion_key(known(one["model"]), one["key"]) for one in calls]
    if count:
        journal.forget_completions(keys)
        journal.adopt(job.identity())
    return count


def unknown(rows: Sequence[Row], journal: Journal) -> list[Row]:
    """Those of consecutive rows that have no outcome yet. Raises `JournalError` where one is not the row it was."""
    known = journal.known(rows[0].position, rows[-1].position) if rows else {}
    for row in rows:
        if row.position in known and known[row.position] != row.digest:
            raise OtherRunError(
                f"row {row.position + 1} is not the one that {journal.path} knows",
                hint=f"the input has changed: {ANEW}",
            )
    return [row for row in rows if row.position not in known]
