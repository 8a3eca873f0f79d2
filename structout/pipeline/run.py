"""The steps of a run: from rows to outcomes in the journal, and from the journal to files."""

import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, islice, takewhile

from structout.errors import BudgetError, DataError, ModelError, OtherRunError, ShiftError, StructoutWarning
from structout.models import identity
from structout.pipeline.budget import Budget, used_up, within_budget
from structout.pipeline.chunks import in_order, interruptible
from structout.pipeline.failures import AGAIN, Failures
from structout.pipeline.form import Form
from structout.pipeline.job import CHUNK, Job
from structout.pipeline.journal.database import ANEW
from structout.pipeline.journal.held import Held
from structout.pipeline.journal.journal import ACCEPTED, PLACED, Journal
from structout.pipeline.journal.tables import FORGOTTEN
from structout.pipeline.kept_cells import KeptCells
from structout.pipeline.known import Known
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.progress import Tally
from structout.pipeline.recorded import completion_key
from structout.pipeline.watch import Watch
from structout.strategies.refusals import Refusals
from structout.surfaces import json_text
from structout.tables.output import Placing, writing
from structout.tables.rows import Row
from structout.tables.staging import Load
from structout.tables.whole_file import replacing

_AT_ONCE = 1000  # rows that are compared with the journal at a time, until one of them is new
Entry = tuple[int, bytes, RowOutcome]  # of the journal: position, digest and outcome
Done = list[tuple[Row, RowOutcome | None]]  # None: the journal already has the row's outcome
Executor = Callable[[Iterable[Row], Job, Journal], Generator[Done, None, None]]


def local(chunk: int = CHUNK, budget: Budget | None = None, *, cache: bool = True) -> Executor:
    """The executor of this machine, with `chunk` rows per batch. It keeps each answer as soon as it arrives."""

    def outcomes(rows: Iterable[Row], job: Job, journal: Journal) -> Generator[Done, None, None]:
        recorded = job.recorded(journal, budget, cache=cache)
        return within(rows, recorded.outcomes, journal, chunk)

    return outcomes


def within(
    rows: Iterable[Row], ask: Callable[[list[Row]], list[RowOutcome]], journal: Journal, chunk: int, in_flight: int = 2
) -> Generator[Done, None, None]:
    """The outcomes of `ask` for the rows that are new, `chunk` at a time, within the budget. At the end of the budget,
    chunks are halved to spend the rest on as many rows as possible. Then this raises `BudgetError`, or `SpecError` if
    the budget is too small for the first row.
    """
    stopped: list[BudgetError] = []
    reach = within_budget(ask, stopped)

    def work(some: list[Row]) -> Done:
        new = unknown(some, journal)
        asked = {row.position for row in new}
        found = {row.position: outcome for row, outcome in zip(new, reach(new), strict=False)}
        return [(row, found.get(row.position)) for row in some if row.position in found or row.position not in asked]

    stream = iter(rows)
    while some := list(islice(stream, _AT_ONCE)):  # of a resumed run, without threads
        new = unknown(some, journal)
        known = new[0].position - some[0].position if new else len(some)
        if known:
            yield [(row, None) for row in some[:known]]
        if new:
            some = some[known:]
            break
    yield from in_order(takewhile(lambda row: not stopped, chain(some, stream)), work, chunk, in_flight)
    if stopped:
        raise used_up(stopped, journal.spent())


def process(
    rows: Iterable[Row],
    job: Job,
    journal: Journal,
    engine: Executor,
    *,
    total: int | None = None,
    progress: Callable[[Tally], None] = lambda tally: None,
    place: Placing | None = None,
    watch: Watch | None = None,
) -> Tally:
    """Add the outcome of every row to the journal, without asking again for rows that have one. `place` belongs to the
    output, if there is one (see `entries`), and `watch` sees the confidence of each row.

    Outcomes in the journal that the schema rejects are asked again. Raises `BudgetError`, `ModelError` at once for an
    error that stops the run and after `job.max_errors` consecutive rows on which the model failed, `NoModelError` after
    so many rows that the model refused without an answer before, and `JournalError` if a row differs from the row that
    the journal knows. The journal keeps all outcomes until then, except those refusals.
    """
    journal.forget_errors()
    known = Known(journal, job, total, watch)
    tally = known.tally
    if place is not None:
        journal.place(lambda outcome: _fits(outcome, place))
    tally.counts = Counter(journal.counts(total))  # which also know what is forgotten, and what another output can hold
    has_prices = all(name in job.prices.table for name in job.models())
    refusals = Refusals[Entry](job.max_errors, answered=known.answered)

    def keep(new: list[Entry]) -> None:
        if new:
            journal.add_outcomes(new)
        tally.asked += len(new)
        for changed in known.add(new):
            warnings.warn(changed, StructoutWarning, stacklevel=3)
        bill()
        progress(tally)

    def bill() -> None:
        tally.spent = journal.spent()
        tally.cost = job.prices.cost(tally.spent.items()) if tally.spent or has_prices else None

    bill()
    failures = Failures(job.max_errors)
    if watch:
        watch.heed()  # of the rows of earlier runs
    try:
        with interruptible(engine(rows, job, journal)) as found:
            for done in found:
                tally.done += len(done)
                new = entries(done, place)
                new = watch.screened(new) if watch else new
                refusals.told(outcome.refusals for _, _, outcome in new)
                keep([kept for one in new for kept in refusals.passed(one, one[2].refusals)])
                for _, _, outcome in new:
                    failures.passed(outcome)
                if watch:
                    watch.heed()
        keep(refusals.rest())
    except ModelError as error:
        known.note()
        if error.stops:
            error.hint = f"{error.hint or 'fix the cause'}, then {AGAIN}"
        raise
    except (BudgetError, ShiftError):
        known.note()
        raise
    known.note()
    journal.end(tally.done)
    if watch and tally.done:
        watch.close()
    return tally


def entries(done: Done, place: Placing | None = None) -> list[Entry]:
    """The journal's entries for rows that are done. If the output cannot `place` a record, the entry also holds the
    input row, for the quarantine; another output may hold the record.
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


@dataclass(frozen=True)
class Files:
    """Where the rows of a run go: accepted rows to `output`, all others to `quarantine`.

    `form` says what is written of a record, and `kept` what stands beside it. `bare` omits the provenance. If `hashed`,
    the quarantine holds a hash of each input, and no text. `load` says how rows reach a table that exists; `held` knows
    which rows the table has.
    """

    output: str
    quarantine: str
    form: Form
    bare: bool = False
    hashed: bool = False
    load: Load = field(default_factory=Load)
    kept: KeptCells | None = None
    held: Held | None = None


def finish(journal: Journal, job: Job, rows: int, files: Files, *, limit: int | None = None) -> tuple[int, int]:
    """Write the accepted rows and the quarantine, and count both. Each file appears whole or not at all. A record that
    the schema now rejects, or that the output cannot hold, goes to the quarantine as rejected. `limit` is the maximum
    number of rows, whatever the journal holds.

    Raises `OutputError`, and `JournalError` unless each of the `rows` input rows went to exactly one of the two files.
    """
    accepted = quarantined = 0
    kinds = files.kept.columns.kinds if files.kept else {}
    held = files.held or Held(journal, files.output, files.load)
    into = writing(files.output, files.form.schema, bare=files.bare, kept=kinds, load=files.load, marking=held.mark)
    with replacing(files.quarantine) as rest, into as write:

        def set_aside(outcome: RowOutcome) -> None:
            nonlocal quarantined
            rest.write(
                json_text(outcome.priced(job.prices).quarantined(job.schema, hashed=files.hashed)).encode() + b"\n"
            )
            quarantined += 1

        for outcome in journal.outcomes(f"NOT ({ACCEPTED})", limit):
            set_aside(outcome)
        cells_of = files.kept.reader() if files.kept else lambda position: {}
        for position, outcome in journal.numbered(ACCEPTED, limit):
            cells, outcome = cells_of(position), outcome.priced(job.prices)
            try:
                if problem := outcome.problem(job.schema):
                    journal.forget_note()
                    raise DataError(problem)
                if held.takes(position):
                    write(files.form.write(outcome.value), outcome.provenance(), cells)
                held.add(position)
                accepted += 1
            except DataError as error:
                refused = outcome.refused(str(error))
                set_aside(refused if refused.record is not None else replace(refused, record={**cells} or None))
        if rows != accepted + quarantined + journal.counts(limit).get(FORGOTTEN, 0):
            raise OtherRunError(
                f"{rows:,} rows came in, but {journal.path} has {accepted:,} accepted and {quarantined:,} others",
                hint=f"the input has lost rows since the first run: {ANEW}",
            )
    held.done()
    return accepted, quarantined


def retry_quarantine(journal: Journal, job: Job, place: Placing | None = None) -> tuple[int, int]:
    """Forget the outcomes that were not accepted, or that the output could not `place`, and their answers, so that
    `job` asks for these rows again. `job` may have another strategy, model, prompt or sampling. Returns the number of
    rows, and how many of them have no text to ask for; if there are no rows, the journal still belongs to its earlier
    run. Rows on which the model failed keep their answers.
    """
    journal.distrust(journal.wrong(job.schema))
    if place is not None:
        journal.place(lambda outcome: _fits(outcome, place))
    count = blank = 0
    keys: list[bytes] = []
    known = cache(identity)
    for outcome in journal.outcomes(f"NOT ({PLACED})"):
        count += 1
        blank += not outcome.attempts and outcome.status != "error"
        calls = () if outcome.status == "error" else (*outcome.attempts, *outcome.checks)
        keys += [completion_key(known(one["model"]), one["key"]) for one in calls]
    if count:
        journal.forget_completions(keys)
        journal.adopt(job.identity())
    return count, blank


def unknown(rows: Sequence[Row], journal: Journal) -> list[Row]:
    """The rows, of consecutive rows, that have no outcome yet. Raises `JournalError` if a row has changed."""
    known = journal.known(rows[0].position, rows[-1].position) if rows else {}
    for row in rows:
        digest = known.get(row.position, b"")
        if digest not in (b"", row.digest):  # a forgotten row has no digest
            option = _other_option(row, digest)
            problem = f"row {row.position + 1} of the input differs from row {row.position + 1} of {journal.path}"
            if option:
                raise OtherRunError(problem, hint=f"it was read with {option}: give the same option, or {ANEW}")
            what = "for another input, such as the next night's, name another --output or --journal"
            if not journal.outcome(row.position).ok:
                what = f"{what}; if you corrected quarantined rows only, add --retry-quarantine"
            raise OtherRunError(problem, hint=f"{what}; if this input was changed, {ANEW}")
    return [row for row in rows if row.position not in known]


def _other_option(row: Row, digest: bytes) -> str:
    """The options with which a row of the same content has a digest: another key or another column; "" if none has."""
    fields = row.record if isinstance(row.record, dict) else {}
    if replace(row, key=row.position + 1).digest == digest:
        return "no --key"
    for name, value in fields.items():
        if replace(row, key=value).digest == digest:
            return f"--key {name}"
        if replace(row, text=value).digest == digest:
            return f"--column {name}"
    return ""
