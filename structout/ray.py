"""Beyond one machine: the same rows and outcomes through Ray Data."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from structout.completion import Sampling, Usage
from structout.errors import MissingExtraError, ModelError
from structout.pipeline.budget import Budget
from structout.pipeline.extraction import DEFAULT_STRATEGY
from structout.pipeline.job import Job
from structout.pipeline.journal import Journal
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.recipe import Recipe
from structout.pipeline.rows import Row
from structout.pipeline.run import Done, Engine, unknown
from structout.result import Example
from structout.strategies import Strategy

_CPUS = 4  # that a local Ray is told of at least: with fewer, actors and readers wait for one another for ever
_STARTS = 3


class _Worker:
    """An actor with a model of its own. It never raises, so that no block is ever dropped: see `Job.outcomes`."""

    def __init__(self, recipe: Recipe) -> None:
        self._job = recipe.job()

    def outcomes(self, rows: Sequence[Row]) -> list[RowOutcome]:
        return self._job.outcomes(rows)


class _RowWorker(_Worker):
    """Rows in a column `row` of JSON to a column `outcome` beside it."""

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa

        rows = [Row(*json.loads(text)) for text in batch["row"].to_pylist()]
        outcomes = [json.dumps(outcome.to_json()) for outcome in self.outcomes(rows)]
        return pa.table({"row": batch["row"], "outcome": outcomes})


class _MapWorker(_Worker):
    """Any rows, with what came of each in columns beside its own."""

    def __init__(self, recipe: Recipe, text: str) -> None:
        super().__init__(recipe)
        self._text = text

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa

        from structout.pipeline.columns import PROVENANCE

        rows = [Row(place, None, text, None) for place, text in enumerate(batch[self._text].to_pylist())]
        found = [_columns(outcome) for outcome in self.outcomes(rows)]
        for name, kind in (*PROVENANCE, ("_value", pa.string()), ("_issues", pa.string())):
            batch = batch.append_column(name, pa.array([row[name] for row in found], kind))
        return batch


def map(  # noqa: A001  # it reads `structout.ray.map(dataset, ...)`
    dataset: Any,
    schema: Any,
    model: Any = "embedded",
    strategy: Strategy | str = DEFAULT_STRATEGY,
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


def engine(recipe: Recipe, *, actors: int = 2, chunk: int = 32, budget: Budget | None = None) -> Engine:
    """The engine of `structout run --engine ray`: the journal stays with the driver, which alone writes it, so that a
    run whose driver was killed goes on like any other. Answers that were under way then are asked again.
    """

    def outcomes(rows: Iterable[Row], job: Job, journal: Journal) -> Iterator[Done]:
        ray = start()
        import pyarrow as pa

        blocks = []
        stream = iter(rows)
        while some := list(islice(stream, chunk)):
            new = unknown(some, journal)
            wanted = {row.position for row in new}
            yield [(row, None) for row in some if row.position not in wanted]
            if new:
                lines = [json.dumps([row.position, row.key, row.text, row.record]) for row in new]
                blocks.append(ray.put(pa.table({"row": lines})))
        if not blocks:
            return
        found = ray.data.from_arrow_refs(blocks).map_batches(
            _RowWorker, fn_constructor_args=(recipe,), batch_size=chunk, batch_format="pyarrow", concurrency=actors
        )
        for batch in found.iter_batches(batch_size=None, batch_format="pyarrow"):
            done = [
                (Row(*json.loads(row)), RowOutcome.from_json(json.loads(outcome)))
                for row, outcome in zip(batch["row"].to_pylist(), batch["outcome"].to_pylist(), strict=True)
            ]
            for model, usage in _spent(outcome for _, outcome in done).items():
                journal.add_completions(model, {}, usage)
            yield [*done]
            if budget is not None:
                budget.check(journal.spent(), job.prices, chunk)

    return outcomes


def _spent(outcomes: Iterable[RowOutcome]) -> dict[str, Usage]:
    spent: dict[str, Usage] = {}
    for outcome in outcomes:
        for attempt in (*outcome.attempts, *outcome.checks):
            spent[attempt["model"]] = spent.get(attempt["model"], Usage()) + Usage(**attempt["usage"])
    return spent


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
