"""A run over files: from input rows to accepted records and a quarantine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path

from structout.errors import OtherRunError, SpecError
from structout.models.ledger import Wave
from structout.pipeline.estimate import Estimate, ask_nothing, ask_some, waiting
from structout.pipeline.form import Form
from structout.pipeline.in_waves import check_settings
from structout.pipeline.job import Job, begun, priced
from structout.pipeline.journal.held import Held
from structout.pipeline.journal.journal import ANSWERED, PLACED, Journal
from structout.pipeline.journal.ledger import decide
from structout.pipeline.journal.tables import FORGOTTEN
from structout.pipeline.progress import Tally
from structout.pipeline.run import Executor, finish, local, process, retry_quarantine, unknown
from structout.pipeline.settings import RunSettings
from structout.pipeline.status import noting
from structout.schema import Schema
from structout.schema.hidden import check_hidden
from structout.strategies import load_strategy
from structout.tables.keys import Keys
from structout.tables.output import check_distinct, check_field_names, check_target, check_writable, placing
from structout.tables.place import Place, places
from structout.tables.rows import Row, count_rows, read_rows

_READ = 20  # rows that an estimate reads if it asks for no row
_CHUNK = 1000  # rows that are compared with the journal at a time
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
    `forgotten` rows are in neither file. `waiting` requests of earlier runs are still at a provider of batches. An
    earlier run had appended `held` of the accepted rows.
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
    held: int = 0


class FileRun:
    """One run of `settings`. The constructor checks the settings and reads the first row, before a model is loaded.

    `execute` runs; `estimate` estimates the run. Raises `StructoutError`.
    """

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings
        inputs = places(settings.source, settings.format)
        check_distinct(
            {
                **{"INPUT" if len(inputs) == 1 else f"INPUT {n}": one.name for n, one in enumerate(inputs, 1)},
                "--output": settings.output,
                "--quarantine": settings.rest,
                "--journal": settings.place,
                "--metrics": settings.metrics,
            }
        )
        self._schema = Schema.of(settings.schema)
        load_strategy(settings.strategy)
        check_target(settings.output, settings.load)
        if settings.mode == "append" and settings.fresh:
            hint = "name another --journal for new rows, or use --mode upsert"
            raise SpecError("--fresh would append the rows of an earlier run again", hint=hint)
        if not (settings.write_secrets or settings.by_serialization):
            check_hidden(self._schema, "add --write-secrets, or --by-serialization to write what Pydantic writes")
        self._form = Form.of(self._schema, by_serialization=settings.by_serialization)
        check_field_names(settings.output, self._form.schema, bare=settings.bare, load=settings.load)
        for file in filter(None, (settings.rest, settings.place, settings.metrics)):
            check_writable(file)
        rows = read_rows(inputs, text=settings.text, key=settings.key, limit=settings.limit)
        first = list(islice(rows, 1))  # an input that cannot be read raises here, before there is a journal
        self.is_empty = not first
        self.total = count_rows(inputs, limit=settings.limit)
        self._rows: Iterator[Row] = chain(first, rows)
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
        retrying: Callable[[int], None] = lambda count: None,
        waiting: Callable[[Sequence[Wave]], None] = lambda waves: None,
    ) -> Finished:
        """Find the outcome of every row, and write the files.

        Calls `progress` after every chunk, `retrying` with the number of quarantined rows that are asked again, and
        `waiting` with what is submitted to a provider of batches, whenever that changes.
        Raises `RunInterruptedError` on an interrupt.
        """
        settings, limit, keys = self.settings, self.settings.limit, Keys()
        rows = keys.seen(self._rows) if settings.key else self._rows
        with self._journal(dry=False, keep=True) as journal:
            try:
                if journal.is_hashed:
                    return self._complete(journal, rows, keys)
                if settings.retry_quarantine:
                    retrying(retry_quarantine(journal, self.job, self._place))
                decide(journal, settings.batch_adopt, resubmit=settings.batch_resubmit)
                total, place = self.total, self._place
                about = {"output": Place.of(settings.output).shown}
                held = Held(journal, settings.output, settings.load)
                with noting(settings.place, about, progress, journal.waves) as (note, rewrite):

                    def changed() -> None:
                        rewrite()
                        waiting([wave for _, wave in journal.waves()])

                    journal.heed = changed
                    tally = process(rows, self.job, journal, executor, total=total, progress=note, place=place)
                self._close()  # a query that was not read to its end may hold a lock on the output
                output, rest, bare = settings.output, settings.rest, settings.bare
                hashed = settings.keep_text == "hash"
                accepted, others = finish(
                    journal, self.job, tally.done, output, rest, bare=bare, limit=limit, form=self._form, hashed=hashed,
                    load=settings.load, held=held,
                )  # fmt: skip
                failed = journal.counts(limit).get("error", 0)
                first = next(journal.outcomes(f"NOT ({ANSWERED})", limit), None)
                if hashed and not failed:
                    journal.hash_texts()
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
                held=held.skipped,
            )

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
        files = (settings.rest, *([] if output.is_database else [output.file]))
        is_there = all(Path(one).is_file() for one in files)
        if settings.retry_quarantine or not (is_known and is_there and count == sum(counts.values())):
            raise OtherRunError(
                f"{journal.path} keeps no texts: its run is complete, and its files cannot be written again",
                hint="start again with --fresh, which asks for every row, or name another journal",
            )
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
        """The estimate for the rows without an outcome, and whether the number of rows is known. Asks for at most
        `probe` rows, and keeps their answers. Raises `RunInterruptedError` on an interrupt.
        """
        known = self._known
        keep = known == ANSWERED and probe > 0  # the outcomes of another run stay untouched
        with self._journal(dry=True, keep=keep) as journal:
            journal.overlook(known)
            try:
                some = list(islice(waiting(self._rows, journal), probe or _READ))
                is_all = len(some) < (probe or _READ)
                left = _UNKNOWN if self.total is None else self.total - sum(journal.counts(self.total).values())
                left = len(some) if is_all else left
                if probe or not some:
                    found = ask_some(some, self.job, journal, executor, left, keep=keep, place=self._place)
                else:
                    found = ask_nothing(some, self.job, left)
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
