"""Ray integration: an engine for runs on several machines, and a step for Ray Data."""

import json
import os
import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import asdict
from queue import SimpleQueue
from threading import Lock
from typing import Any

from structout import defaults
from structout.completion import Completion, Sampling, Usage
from structout.errors import MissingExtraError, ModelError, StructoutWarning, check_installed
from structout.halt import current
from structout.pipeline.budget import Budget
from structout.pipeline.in_waves import check_settings
from structout.pipeline.job import Job
from structout.pipeline.journal.answers import answers_of
from structout.pipeline.journal.journal import Journal
from structout.pipeline.most import most_of
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.recipe import Recipe
from structout.pipeline.remembered import Remembered
from structout.pipeline.run import Done, Executor, within
from structout.result import Example, Task
from structout.strategies import Constrained, Prompted, Repair, Strategy
from structout.strategies.first_prompt import first_call
from structout.strategies.parts import parts
from structout.tables.rows import Row

Answered = tuple[str, dict[bytes, Completion], Usage]  # as `Journal.add_completions` takes it

_AHEAD = 2  # chunks per worker, so that no worker waits for the driver
_CPUS = 4  # the minimum for a local Ray; with fewer CPUs, actors and readers deadlock
_STARTS = 3
_COUNTED_LATE = (
    "with --engine ray, a budget reserves the first call of a row; further calls (re-asks, votes, verifiers) are "
    "counted once they are made, and may exceed it: use --engine local, or leave room"
)


class _Worker:
    """An actor with its own model. Bad rows never raise (see `Job.outcomes`), so no row is dropped."""

    def __init__(self, recipe: Recipe) -> None:
        self._job = recipe.job()

    def outcomes(self, rows: Sequence[Row]) -> list[RowOutcome]:
        return self._job.outcomes(rows)


class _Answers(Remembered):
    """The answers of a worker, in place of the journal, which only the driver writes. Prompts that the journal knew at
    the start, or that this worker asked recently, are not asked again.
    """

    def __init__(self, known: Mapping[bytes, str]) -> None:
        super().__init__()
        self.new: list[Answered] = []
        self._known = known

    def completions(self, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        found = answers_of({key: self._known[key] for key in keys if key in self._known})
        return found | super().completions(keys)

    def add_completions(self, model: str, new: Mapping[bytes, Completion], usage: Usage) -> None:
        self.new.append((model, dict(new), usage))
        super().add_completions(model, new, usage)


class _RunWorker(_Worker):
    """A worker of a run. It returns the outcomes of rows, and all paid answers, also of rows that failed."""

    def __init__(self, recipe: Recipe, known: Mapping[bytes, str], *, cache: bool) -> None:
        super().__init__(recipe)
        self._answers = _Answers(known)
        self._job = self._job.recorded(self._answers, cache=cache)

    def work(self, rows: Sequence[Row]) -> tuple[list[RowOutcome], list[Answered]]:
        self._answers.new = []
        return self.outcomes(rows), self._answers.new


class _MapWorker(_Worker):
    """A worker of Ray Data. It adds the columns of each row's outcome to the row."""

    def __init__(self, recipe: Recipe, text: str) -> None:
        super().__init__(recipe)
        self._text = text

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa

        from structout.tables.arrow import PROVENANCE

        rows = [Row(place, None, text, None) for place, text in enumerate(batch[self._text].to_pylist())]
        found = [_columns(outcome) for outcome in self.outcomes(rows)]
        for name, kind in (*PROVENANCE, ("_value", pa.string()), ("_issues", pa.string())):
            batch = batch.append_column(name, pa.array([row.get(name) for row in found], kind))
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
    """A Ray Data set of the same rows with their outcomes: `_status`, `_value` and `_issues` (both JSON), and the other
    provenance columns of `structout run`.

    Each of `actors` processes loads the model once; a block holds `batch` rows. `resources` go to the actors
    (`num_gpus=1`). Prefer a schema by name (`path.py:Model`), and a model by its name for `load_model`. Every row comes
    out exactly once; a row on which the model fails has the status `error`. Raises `MissingExtraError`.
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
    """The executor of `structout run --engine ray`: `actors` processes with a model each, and two chunks of rows in
    flight per process.

    Only the driver writes the journal. The same command resumes a run whose driver was killed, and asks again for the
    rows in flight. A dead worker is restarted and its rows are retried, finally one by one in a separate worker, so
    that a row that kills workers becomes an `error` and affects no other row. Equal prompts are asked once per worker.
    The workers hold in memory all answers that the journal has at the start. Raises `MissingExtraError`.

    A `budget` reserves the first call of each row before the row is sent. The prompts of further calls are only known
    in the workers, so these calls are counted once they are made, and may exceed the budget by those of the rows in
    flight: a `StructoutWarning` says so where the strategy may ask again.
    """
    check_installed("ray", "ray")  # raises before a journal is made

    def outcomes(rows: Iterable[Row], job: Job, journal: Journal) -> Generator[Done, None, None]:
        if job.in_waves:
            check_settings(cache=cache, is_local=False)
        if budget is not None and not (budget.usd is budget.tokens is None) and not _asks_once(job.strategy):
            warnings.warn(_COUNTED_LATE, StructoutWarning, stacklevel=2)
        workers = _Workers(recipe, job, journal, actors, cache=cache)

        def ask(new: list[Row]) -> list[RowOutcome]:
            if budget is None:
                return workers.ask(new)
            name, most = _first_calls(new, job)
            with budget.room(name, journal.spent, job.prices, most):
                return workers.ask(new)

        try:
            yield from within(rows, ask, journal, chunk, actors * _AHEAD)
        finally:
            workers.kill()

    return outcomes


def _asks_once(strategy: Strategy) -> bool:
    """Whether a strategy certainly makes at most one call for a row."""
    return all(isinstance(one, Prompted | Constrained | Repair) for one in parts(strategy) if hasattr(one, "run"))


def _first_calls(rows: list[Row], job: Job) -> tuple[str, Usage]:
    """The most that the first call of each row may use. The prompts of further calls are only known in the workers."""
    name, most = job.model.name, Usage()
    for row in rows:
        if isinstance(row.text, str) and row.text.strip() and not row.wrong:
            prompt, model = first_call(job.strategy, Task(row.text, job.schema, job.examples, job.sampling), job.model)
            asked = model or job.model
            name, most = asked.name, most + most_of([prompt], asked)
    return name, most


class _Workers:
    """The actors of a run. `_AHEAD` threads ask each actor, and add its paid answers to the journal."""

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
        self._apart: Any = None  # for rows that may have killed a worker
        self._suspects = Lock()

    def ask(self, rows: list[Row]) -> list[RowOutcome]:
        """One outcome per row. Raises what `Job.outcomes` raises."""
        worker = self._free.get()
        try:
            return self._answered(worker, rows)
        except self._ray.exceptions.RayActorError:
            pass  # another chunk in the same worker may have killed it
        finally:
            self._free.put(worker)
        current().check()  # an interrupted run kills its workers
        with self._suspects:
            return [self._alone(row) for row in rows]

    def kill(self) -> None:
        """Kill all actors."""
        for worker in [*self._all, *([self._apart] if self._apart else [])]:
            self._ray.kill(worker)

    def _alone(self, row: Row) -> RowOutcome:
        """Ask for a row in a worker without other rows."""
        self._apart = self._apart or self._begin(num_cpus=0)
        try:
            return self._answered(self._apart, [row])[0]
        except self._ray.exceptions.RayActorError as error:
            self._apart = None
            return self._job.failure(row, f"a Ray worker died: {error}")

    def _answered(self, worker: Any, rows: list[Row]) -> list[RowOutcome]:
        try:
            found, answered = self._ray.get(worker.work.remote(rows))
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        for model, new, usage in answered:
            self._journal.add_completions(model, new, usage)
        return list(found)


def _columns(outcome: RowOutcome) -> dict[str, Any]:
    """The columns of an outcome, with nested values as JSON."""
    beside = outcome.provenance()
    return {
        **beside,
        "_edits": json.dumps(beside["_edits"]),
        "_value": json.dumps(outcome.value) if outcome.ok else None,
        "_issues": json.dumps([asdict(issue) for issue in outcome.issues]),
    }


def start() -> Any:
    """The `ray` module, connected to the cluster of `$RAY_ADDRESS` or to a local Ray that this starts. Raises
    `MissingExtraError`, and `ModelError` if Ray does not start.
    """
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
        except Exception as error:  # on a busy machine, a part of Ray may miss its own limit of 30 seconds
            ray.shutdown()
            if attempt == _STARTS - 1:
                raise ModelError(
                    f"Ray cannot be started: {error}", hint="check the log of Ray, and try again"
                ) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    return ray
