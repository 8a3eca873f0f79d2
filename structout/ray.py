"""Beyond one machine: the same rows and outcomes through Ray, and as a step of Ray Data."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from queue import SimpleQueue
from threading import Lock
from typing import Any

from structout import defaults
from structout.completion import Completion, Sampling, Usage
from structout.errors import MissingExtraError, ModelError, check_installed
from structout.pipeline.budget import Budget
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal, answers_of
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.recipe import Recipe
from structout.pipeline.run import Done, Executor, within
from structout.result import Example
from structout.strategies import Strategy
from structout.tables.rows import Row

Answered = tuple[str, dict[bytes, Completion], Usage]  # as `Journal.add_completions` takes it

_AHEAD = 2  # chunks a worker, so that it never waits for the driver
_REMEMBERED = 10_000  # answers, in each worker
_CPUS = 4  # that a local Ray is told of at least: with fewer, actors and readers wait for one another for ever
_STARTS = 3


class _Worker:
    """An actor with a model of its own. It never raises for a row, so that none is ever dropped: see `Job.outcomes`."""

    def __init__(self, recipe: Recipe) -> None:
        self._job = recipe.job()

    def outcomes(self, rows: Sequence[Row]) -> list[RowOutcome]:
        return self._job.outcomes(rows)


class _Answers:
    """What a worker was answered: stands in for the journal, which the driver alone writes. What the journal knew at
    the start, and what this worker was asked lately, is not asked again.
    """

    def __init__(self, known: Mapping[bytes, str]) -> None:
        self.new: list[Answered] = []
        self._known = known
        self._lately: dict[bytes, Completion] = {}

    def completions(self, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        found = answers_of({key: self._known[key] for key in keys if key in self._known})
        return found | {key: self._lately[key] for key in keys if key in self._lately}

    def add_completions(self, model: str, new: Mapping[bytes, Completion], usage: Usage) -> None:
        self.new.append((model, dict(new), usage))
        self._lately.update(new)
        while len(self._lately) > _REMEMBERED:
            del self._lately[next(iter(self._lately))]

    def spent(self) -> dict[str, Usage]:
        return {}  # the driver, which has the budget, knows


class _RunWorker(_Worker):
    """Rows to outcomes, and all that was paid for on the way, also where it led to nothing."""

    def __init__(self, recipe: Recipe, known: Mapping[bytes, str], *, cache: bool) -> None:
        super().__init__(recipe)
        self._answers = _Answers(known)
        self._job = self._job.recorded(self._answers, cache=cache)

    def work(self, rows: Sequence[Row]) -> tuple[list[RowOutcome], list[Answered]]:
        self._answers.new = []
        return self.outcomes(rows), self._answers.new


class _MapWorker(_Worker):
    """Any rows, with what came of each in columns beside its own."""

    def __init__(self, recipe: Recipe, text: str) -> None:
        super().__init__(recipe)
        self._text = text

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa

        from structout.tables.arrow import PROVENANCE

        rows = [Row(place, None, text, None) for place, text in enumerate(batch[self._text].to_pylist())]
        found = [_columns(outcome) for outcome in self.outcomes(rows)]
        for name, kind in (*PROVENANCE, ("_value", pa.string()), ("_issues", pa.string())):
            batch = batch.append_column(name, pa.array([row[name] for row in found], kind))
        return batch


def map(  # noqa: A001  # it reads `structout.ray.map(dataset, ...)`
    dataset: Any,
    schema: Any,
    model: Any = "embedded",
    strategy: Strategy | str = defaults.STRATEGY,
    *,
    text: str = "text",
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
    actors: int = 2,
    batch: int = 32,
    **resources: Any,
) -> Any:
    """A Ray Data set of the same rows, each with its outcome beside it: `_status`, `_value` and `_issues` (both JSON),
    and the other columns of `structout run`.

    Each of `actors` loads the model once; blocks hold `batch` rows. `resources` go to the actors (`num_gpus=1`).
    A schema is best given by name (`path.py:Model`), and a model by the name that `load_model` takes. Every row comes
    out once: what the model fails on has the status `error`. Raises `MissingExtraError`.
    """
    start()
    recipe = Recipe(schema, model, strategy, tuple(examples), sampling or Sampling())
    return dataset.repartition(target_num_rows_per_block=batch).map_batches(
        _MapWorker,
        fn_constructor_args=(recipe, text),
        batch_size=batch,
        batch_format="pyarrow",
        concurrency=actors,
        **resources,
    )


def engine(
    recipe: Recipe, *, actors: int = 2, chunk: int = 32, budget: Budget | None = None, cache: bool = True
) -> Executor:
    """The engine of `structout run --engine ray`: `actors` processes with a model each, and two chunks of rows for each
    of them under way.

    The journal stays with the driver, which alone writes it: a run whose driver was killed goes on like any other, and
    asks again what was under way. A worker that dies is started again, and its rows are asked again: at last one by
    one in a worker of their own, so that a row that kills workers is an `error` and costs no other. Duplicates are
    asked once a worker. All answers that the journal has at the start are sent to the workers, and so held in memory.
    Raises `MissingExtraError`.
    """
    check_installed("ray", "ray")  # before a journal is made

    def outcomes(rows: Iterable[Row], job: Job, journal: Journal) -> Iterator[Done]:
        workers = _Workers(recipe, job, journal, actors, cache=cache)

        def paid(new: list[Row]) -> list[RowOutcome]:
            with budget.room(None, journal.spent, job.prices, len(new)) if budget else nullcontext():
                return workers.ask(new)

        def ask(new: list[Row]) -> list[RowOutcome]:
            with budget.first(None, journal.spent) if budget else nullcontext(False) as alone:
                if alone:
                    return paid(new[:1])
            return paid(new)

        try:
            yield from within(rows, ask, journal, chunk, actors * _AHEAD)
        finally:
            workers.kill()

    return outcomes


class _Workers:
    """The actors of a run, each of which is asked by `_AHEAD` threads; what they paid goes into the journal."""

    def __init__(self, recipe: Recipe, job: Job, journal: Journal, actors: int, *, cache: bool) -> None:
        self._ray = start()
        self._job, self._journal = job, journal
        known = self._ray.put(journal.answers() if cache else {})
        actor = self._ray.remote(_RunWorker)

        def begin(**how: Any) -> Any:
            return actor.options(**how).remote(recipe, known, cache=cache)

        self._begin = begin
        self._all = [begin(num_cpus=1, max_restarts=-1, max_task_retries=1) for _ in range(actors)]
        self._free: SimpleQueue[Any] = SimpleQueue()
        for worker in self._all * _AHEAD:
            self._free.put(worker)
        self._apart: Any = None  # for rows of which one may have killed a worker
        self._suspects = Lock()

    def ask(self, rows: list[Row]) -> list[RowOutcome]:
        """One outcome each. Raises what `Job.outcomes` does."""
        worker = self._free.get()
        try:
            return self._answered(worker, rows)
        except self._ray.exceptions.RayActorError:
            pass  # perhaps these rows were not to blame: others were under way in that worker
        finally:
            self._free.put(worker)
        with self._suspects:
            return [self._alone(row) for row in rows]

    def kill(self) -> None:
        """End all of them."""
        for worker in [*self._all, *([self._apart] if self._apart else [])]:
            self._ray.kill(worker)

    def _alone(self, row: Row) -> RowOutcome:
        """Ask for a row in a worker that no other row can kill."""
        self._apart = self._apart or self._begin(num_cpus=0)
        try:
            return self._answered(self._apart, [row])[0]
        except self._ray.exceptions.RayActorError as error:
            self._apart = None
            return self._job.failure(row, f"a worker of Ray died: {error}")

    def _answered(self, worker: Any, rows: list[Row]) -> list[RowOutcome]:
        try:
            found, answered = self._ray.get(worker.work.remote(rows))
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        for model, new, usage in answered:
            self._journal.add_completions(model, new, usage)
        return list(found)


def _columns(outcome: RowOutcome) -> dict[str, Any]:
    """An outcome as flat columns."""
    beside = outcome.provenance()
    return {
        **beside,
        "_edits": json.dumps(beside["_edits"]),
        "_value": json.dumps(outcome.value) if outcome.ok else None,
        "_issues": json.dumps([asdict(issue) for issue in outcome.issues]),
    }


def start() -> Any:
    """Ray, connected to the cluster of `$RAY_ADDRESS`, or started here."""
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "ray", "ray") from error
    local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": max(_CPUS, os.cpu_count() or 1)}
    for attempt in range(_STARTS):
        if ray.is_initialized():
            break
        try:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="error", **local)
        except Exception as error:  # on a busy machine a part of it is not there within its own 30 seconds
            ray.shutdown()
            if attempt == _STARTS - 1:
                raise ModelError(f"Ray cannot be started: {error}", hint="see its log; try again") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    return ray
