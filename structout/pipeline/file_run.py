"""A run over files: from input rows to accepted records and a quarantine."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

from structout.errors import (
    BatchError,
    BudgetError,
    ModelError,
    OtherRunError,
    ShiftError,
    SpecError,
    StructoutError,
    StructoutWarning,
)
from structout.models.ledger import Wave
from structout.pipeline.estimate import Estimate, ask_nothing, ask_some, waiting
from structout.pipeline.form import Form
from structout.pipeline.in_part import Stop, finish_in_part, finish_with_failures, reason_of
from structout.pipeline.in_waves import check_settings
from structout.pipeline.job import Job, begun, priced
from structout.pipeline.journal.held import Held
from structout.pipeline.journal.journal import ANSWERED, PLACED, Journal
from structout.pipeline.journal.ledger import decide
from structout.pipeline.journal.tables import FORGOTTEN
from structout.pipeline.kept_cells import KeptCells
from structout.pipeline.progress import Tally
from structout.pipeline.run import Executor, Files, finish, local, process, retry_quarantine, unknown
from structout.pipeline.settings import RunSettings
from structout.pipeline.status import noting
from structout.pipeline.sureness import Sureness
from structout.pipeline.watch import Watch
from structout.schema import Schema
from structout.schema.hidden import check_hidden
from structout.strategies import load_strategy, spec
from structout.strategies.thresholded import thresholded
from structout.tables.kept_columns import ALL, KeptColumns
from structout.tables.keys import Keys
from structout.tables.output import check_distinct, check_field_names, check_here, check_target, is_there, placing
from structout.tables.partial import remove_mark, warn_of_partial
from structout.tables.place import Place, places
from structout.tables.rows import Row, count_rows, read_rows

_READ = 20  # rows that an estimate reads if it asks for no row
_SHOWING = 100  # rows that show the columns of the input, if all of them are kept
_CHUNK = 1000  # rows that are compared with the journal at a time
_KNOWN = 1000  # rows of the journal that an estimate rests on
_UNKNOWN = 1000  # rows that an estimate covers if the number of rows is unknown


class RunInterruptedError(KeyboardInterrupt):
    """The interruption of a run by its user. `done` is the number of rows with an outcome in the journal."""

    def __init__(self, done: int) -> None:
        super().__init__()
        self.done = done


@dataclass(frozen=True)
class Finished:
    """The row counts of a finished run. `others` are in the quarantine; `repeated_keys` have the key of an earlier row.

    The model failed on `failed` rows; `reason` is its error on the first. `damaged`: the journal was damaged. The
    `forgotten` rows are in neither file. `waiting` requests of earlier runs are still at a provider of batches.
    `sureness` says how sure the accepted rows are; None if the journal keeps no texts. An earlier run had appended
    `held` of the accepted rows. `uncounted` says how many answers had no token count; "" if all had one.
    """

    rows: int
    accepted: int
    others: int
    repeated_keys: int
    failed: int
    reason: str
    damaged: bool
    forgotten: int = 0
    waiting: int = 0
    sureness: Sureness | None = None
    held: int = 0
    uncounted: str = ""


class FileRun:
    """One run of `settings`. The constructor checks the settings and reads the first row, before a model is loaded.

    `execute` runs; `estimate` estimates the run. Raises `StructoutError`.
    """

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings
        inputs = places(settings.source, settings.format, settings.delimiter)
        beside = {"--quarantine": settings.rest, "--journal": settings.place, "--metrics": settings.metrics}
        check_distinct(
            {
                **{"INPUT" if len(inputs) == 1 else f"INPUT {n}": one.name for n, one in enumerate(inputs, 1)},
                "--output": settings.output,
                **beside,
                "the mark of a partial output": settings.mark or None,
            }
        )
        warn_of_partial(inputs)
        self._schema = Schema.of(settings.schema)
        load_strategy(settings.strategy)
        check_target(settings.output, settings.load)
        if settings.mode == "append" and settings.fresh:
            hint = "name another --journal for new rows, or use --mode upsert"
            raise SpecError("--fresh would append the rows of an earlier run again", hint=hint)
        if settings.watch and settings.retry_quarantine:
            problem = "got both --watch and --retry-quarantine: quarantined rows are no sample of the rows"
            raise SpecError(problem, hint="omit --watch")
        if not (settings.write_secrets or settings.by_serialization):
            check_hidden(self._schema, "add --write-secrets, or --by-serialization to write what Pydantic writes")
        self._form = Form.of(self._schema, by_serialization=settings.by_serialization)
        check_field_names(settings.output, self._form.schema, bare=settings.bare, load=settings.load)
        for what, file in beside.items():
            if file is not None:
                check_here(file, what)
        keep, is_all = settings.keep, ALL in settings.keep
        self._kept = KeptColumns.of(keep, settings.output, self._form.schema) if keep else None
        others = () if is_all else keep
        rows = read_rows(inputs, text=settings.text, key=settings.key, limit=settings.limit, others=others)
        # An input that cannot be read raises here, before there is a journal.
        first = list(islice(rows, _SHOWING if is_all else 1))
        if self._kept is not None:
            self._kept.check(name for row in first for name in self._kept.cells(row.record))
        self.is_empty = not first
        self.total = count_rows(inputs, limit=settings.limit)
        self._rows: Iterator[Row] = chain(first, rows)
        self._watch = Watch.of(settings.watch, settings.on_shift, self.total) if settings.watch else None
        self._close = rows.close
        place = placing(settings.output, self._form.schema, bare=settings.bare, load=settings.load)
        self._place = None if place is None else lambda value, provenance: place(self._form.write(value), provenance)

    @cached_property
    def job(self) -> Job:
        """The job, with its model loaded. Raises `SpecError` if the budget needs an unknown price, and for a model that
        works in batches with settings that do not.
        """
        job, settings = self.settings.job(), self.settings
        if job.in_waves:
            check_settings(cache=settings.cache, is_local=settings.engine == "local")
        if not settings.fresh and not settings.retry_quarantine:
            job = begun(job, settings.place)
        priced(job, self.settings.budget)
        return job.traced() if self.settings.telemetry else job

    def local(self) -> Executor:
        """The executor that runs on this machine."""
        return local(self.settings.chunk or self.job.chunk, self.settings.budget, cache=self.settings.cache)

    def execute(
        self,
        executor: Executor,
        progress: Callable[[Tally], None] = lambda tally: None,
        retrying: Callable[[int, int], None] = lambda count, blank: None,
        waiting: Callable[[Sequence[Wave]], None] = lambda waves: None,
        resuming: Callable[[int], None] = lambda count: None,
    ) -> Finished:
        """Find the outcome of every row, and write the files.

        Calls `progress` after every chunk, `retrying` with the number of quarantined rows, and of those without a text,
        `resuming` with the number of rows that are done already, once the first rows are the same as before, and
        `waiting` with what is submitted to a provider of batches, whenever that changes.
        Raises `RunInterruptedError` on an interrupt.
        """
        settings, limit, keys = self.settings, self.settings.limit, Keys()
        rows = keys.seen(self._rows) if settings.key else self._rows
        with self._journal(dry=False, keep=True) as journal, self._keeping() as kept, self._in_part(journal, kept):
            try:
                if journal.is_hashed:
                    return self._complete(journal, rows, keys)
                if settings.retry_quarantine:
                    retrying(*retry_quarantine(journal, self.job, self._place))
                known = sum(journal.counts(limit).values()) - journal.counts(limit).get("error", 0)
                decide(journal, settings.batch_adopt, resubmit=settings.batch_resubmit)
                rows = kept.seen(rows) if kept else rows
                total, place = self.total, self._place
                about = {
                    "output": Place.of(settings.output).shown,
                    "mark": settings.mark and str(Path(settings.mark).resolve()),
                    "prices": {name: asdict(price) for name, price in self.job.prices.table.items()},
                }
                held = Held(journal, settings.output, settings.load)
                with noting(settings.place, about, progress, journal.waves) as (note, rewrite):

                    def changed() -> None:
                        rewrite()
                        waiting([wave for _, wave in journal.waves()])

                    def resumed(tally: Tally) -> None:
                        nonlocal known
                        if known:  # told after rows were compared: the input may be another one
                            resuming(known)
                            known = 0
                        note(tally)

                    journal.heed = changed
                    tally = process(
                        rows, self.job, journal, executor, total=total, progress=resumed, place=place, watch=self._watch
                    )
                self._close()  # a query that was not read to its end may hold a lock on the output
                failed = journal.counts(limit).get("error", 0)
                first = next(journal.outcomes(f"NOT ({ANSWERED})", limit), None)
                files = self._files(kept, held)
                if failed:
                    stop = Stop(total, f"the model failed on {failed:,}")
                    accepted, others = finish_with_failures(journal, self.job, files, stop, tally.done, limit=limit)
                else:
                    accepted, others = self._finish(journal, tally.done, files)
            except KeyboardInterrupt:
                raise RunInterruptedError(journal.last() + 1) from None
            return Finished(
                rows=tally.done,
                accepted=accepted,
                others=others,
                repeated_keys=keys.repeated,
                failed=failed,
                reason=first.issues[0].message if first and first.issues else "",
                damaged=journal.damaged,
                forgotten=journal.counts(limit).get(FORGOTTEN, 0),
                waiting=sum(len(wave.keys) for _, wave in journal.waves()),
                sureness=Sureness(
                    accepted,
                    tally.confidence,
                    tally.overruled,
                    tally.counts["truncated"],
                    thresholded(spec(self.job.strategy)),
                ),
                held=held.skipped,
                uncounted=tally.uncounted,
            )

    def _keeping(self) -> "AbstractContextManager[KeptCells | None]":
        """What keeps the cells of kept columns during the run, if there are any."""
        if self._kept is None:
            return nullcontext()
        return closing(KeptCells(self._kept, Path(self.settings.place).absolute().parent))

    def _files(self, kept: KeptCells | None, held: Held | None = None) -> Files:
        """Where the rows go."""
        settings = self.settings
        return Files(
            settings.output, settings.rest, self._form, bare=settings.bare, hashed=settings.keep_text == "hash",
            load=settings.load, kept=kept, held=held,
        )  # fmt: skip

    def _finish(self, journal: Journal, rows: int, files: Files) -> tuple[int, int]:
        """Write the files of a complete run, and count their rows."""
        counts = finish(journal, self.job, rows, files, limit=self.settings.limit)
        remove_mark(files.output)
        if files.hashed:
            journal.hash_texts()
        return counts

    @contextmanager
    def _in_part(self, journal: Journal, kept: KeptCells | None) -> Iterator[None]:
        """Writes the rows that are done if the run stops early and can go on. A note of the error says where."""
        try:
            yield
        except (BudgetError, ModelError, BatchError, ShiftError) as error:
            if error.retryable:
                try:
                    error.add_note(self._written_in_part(journal, reason_of(error), kept))
                except StructoutError as problem:
                    output = Place.of(self.settings.output).shown
                    error.add_note(f"the rows that are done are not in {output}: {problem}")
                except KeyboardInterrupt:
                    raise RunInterruptedError(journal.last() + 1) from None
            raise

    def _written_in_part(self, journal: Journal, reason: str, kept: KeptCells | None) -> str:
        settings = self.settings
        if kept:
            kept.read_to(journal.last())  # rows that an earlier run has done may not be read yet
        stop = Stop(self.total, reason)
        found = finish_in_part(journal, self.job, self._files(kept), stop, limit=settings.limit)
        done = found.accepted + found.others
        if found.why_not:
            far = f"the {done:,} rows so far are kept in {journal.path}" if done else "nothing was written"
            return f"{found.why_not}: {far}"
        of = "" if self.total is None else f" of {self.total:,}"
        where = f"{found.accepted:,} in {settings.output} and {found.others:,} in {settings.rest}"
        return f"{done:,}{of} rows are done: {where}, which are partial until the run is complete"

    def _complete(self, journal: Journal, rows: Iterator[Row], keys: Keys) -> Finished:
        """The counts of a run that is complete, and whose journal keeps no texts. Raises `OtherRunError` if there is
        anything left to do, since the files cannot be written again.
        """
        settings, counts = self.settings, journal.counts()
        count, is_known = 0, True
        for some in iter(lambda: list(islice(rows, _CHUNK)), []):
            is_known = is_known and not unknown(some, journal)
            count += len(some)
        output = Place.of(settings.output)
        are_there = all(is_there(one) for one in (output, Place.of(settings.rest)) if not one.is_database)
        if settings.retry_quarantine or not (is_known and are_there and count == sum(counts.values())):
            raise OtherRunError(
                f"{journal.path} keeps no texts: its run is complete, and its files cannot be written again",
                hint="start again with --fresh, which asks for every row, or name another journal",
            )
        if settings.keep:
            message = f"{journal.path} keeps no texts: {output.shown} has the columns that it was written with"
            warnings.warn(message, StructoutWarning, stacklevel=3)
        accepted, forgotten = counts.get("valid", 0) + counts.get("repaired", 0), counts.get(FORGOTTEN, 0)
        return Finished(
            rows=count,
            accepted=accepted,
            others=count - accepted - forgotten,
            repeated_keys=keys.repeated,
            failed=0,
            reason="",
            damaged=journal.damaged,
            forgotten=forgotten,
        )

    def estimate(self, executor: Executor, probe: int) -> tuple[Estimate, bool]:
        """The estimate for the rows without an outcome, and whether the number of rows is known. The estimate rests on
        `probe` rows at least: on rows that the journal knows, and on further rows that are asked, whose answers are
        kept. Raises `RunInterruptedError` on an interrupt.
        """
        known = self._known
        is_same = known == ANSWERED  # else the outcomes are of another run: they stay untouched, and tell nothing
        keep = is_same and probe > 0
        with self._journal(dry=True, keep=keep) as journal:
            journal.overlook(known)
            try:
                asked = journal.outcomes(ANSWERED) if is_same else iter(())
                answered = list(islice((one for one in asked if one.attempts), _KNOWN))
                left = waiting(self._rows, journal)
                some = list(islice(left, probe or _READ))
                is_all = len(some) < (probe or _READ)
                chosen, texts = some[: max(0, probe - len(answered))], [row for row in some if row.is_asked]
                if is_all or self.total is not None:
                    kinds = Counter(row.is_asked for row in chain(some, left))
                else:
                    kinds = Counter({True: _UNKNOWN + len(chosen)})
                before = journal.spent()
                if probe or answered or not texts:
                    how: dict[str, Any] = {"known": answered, "keep": keep, "place": self._place}
                    found = ask_some(chosen, self.job, journal, executor, kinds[True], **how)
                else:
                    found = ask_nothing(texts, self.job, kinds[True])
                blank = kinds[False] - sum(not row.is_asked for row in chosen if keep)
                spent = journal.spent()
                found = replace(found, blank=blank)
                found = found.budgeted(self.job, spent if keep else before, spent, next(iter(texts), None))
            except KeyboardInterrupt:
                raise RunInterruptedError(journal.last() + 1) from None
        return found, is_all or self.total is not None

    @property
    def _known(self) -> str:
        """The condition for the outcomes that the run would keep (SQL)."""
        return "" if self.settings.fresh else PLACED if self.settings.retry_quarantine else ANSWERED

    def _journal(self, *, dry: bool, keep: bool) -> Journal:
        settings = self.settings
        return Journal(
            settings.place,
            self.job.identity(),
            fresh=settings.fresh and not dry,
            only=() if settings.fresh else ("schema",) if settings.retry_quarantine else None,
            adopt=keep or not dry,
            private=settings.private,
            repair=not dry,
        )
