"""Strategies and models against labelled records."""

import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from structout.completion import Sampling
from structout.errors import DataError
from structout.evaluation.dataset import Dataset, Record
from structout.evaluation.outcome import Outcome
from structout.evaluation.report import Report
from structout.models import Memo, Model, load_model
from structout.result import Task
from structout.strategies import Strategy, load_strategy, spec

_CHUNK = 32


def evaluate(
    strategies: Mapping[str, Strategy | str] | Sequence[Strategy | str],
    models: Model | str | Sequence[Model | str],
    dataset: Dataset,
    *,
    repeats: int = 1,
    examples: Dataset | None = None,
    sampling: Sampling | None = None,
    log: str | Path | None = None,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Report:
    """Run each strategy with each model over the records of `dataset`, `repeats` times, and score what comes out.

    Strategies are named by their expression unless a mapping names them. Prompts that are alike are asked once a model,
    and their cost counts for each strategy that sent them. Examples are the train records of `examples` (by default
    of `dataset`). `log` is a JSONL file that holds every attempt, written as the work goes on; `progress` is called
    with each outcome. Raises `DataError` for an empty data set.
    """
    if not dataset.records:
        raise DataError(f"{dataset.name} holds no records here", hint="choose another split or a higher limit")
    shown = (examples or dataset).examples
    if not isinstance(strategies, Mapping):
        built = [load_strategy(s) if isinstance(s, str) else s for s in strategies]
        strategies = {spec(s): s for s in built}
    named = {name: load_strategy(s) if isinstance(s, str) else s for name, s in strategies.items()}
    several = [models] if isinstance(models, str) or not isinstance(models, Sequence) else models
    loaded = [Memo(load_model(model) if isinstance(model, str) else model) for model in several]
    about = _provenance(dataset, list(named), [model.name for model in loaded], repeats)
    outcomes: list[Outcome] = []
    with _writing(log, about) as write:
        for model in loaded:
            for name, strategy in named.items():
                for repeat in range(repeats):
                    for records in _chunks(dataset.records):
                        tasks: list[Task[Any]] = [
                            Task(record.text, dataset.schema, shown, sampling or Sampling(), sample=repeat)
                            for record in records
                        ]
                        results = strategy.run(tasks, model)
                        for record, result in zip(records, results, strict=True):
                            outcome = Outcome.of(name, model.name, record, repeat, result, dataset.schema)
                            write(outcome.to_json())
                            outcomes.append(outcome)
                            progress(outcome)
    return Report(about, tuple(outcomes))


def read_log(path: str | Path) -> Report:
    """Read a log that `evaluate` wrote, to be scored again without the model. Raises `DataError`.

    The log of an interrupted run holds what was done until then.
    """
    try:
        rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the log {path}: {error}", hint="give a log that bench wrote") from error
    if not rows or "structout" not in rows[0]:
        raise DataError(f"{path} is not the log of a bench", hint="give a log that bench wrote")
    return Report(rows[0], tuple(Outcome.from_json(row) for row in rows[1:]))


def _provenance(dataset: Dataset, strategies: list[str], models: list[str], repeats: int) -> dict[str, Any]:
    from importlib.metadata import version

    return {
        "structout": version("structout"),
        "dataset": dataset.name,
        "records": len(dataset),
        "schema": dataset.schema.name,
        "fingerprint": dataset.schema.fingerprint(),
        "strategies": strategies,
        "models": models,
        "repeats": repeats,
        "machine": f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}",
    }


@contextmanager
def _writing(log: str | Path | None, about: dict[str, Any]) -> Iterator[Callable[[dict[str, Any]], None]]:
    if log is None:
        yield lambda row: None
        return
    path = Path(log)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("w", encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write the log {log}: {error.strerror}", hint="name another with --log") from error

    def write(row: dict[str, Any], stream: TextIO = stream) -> None:
        stream.write(json.dumps(row) + "\n")  # ASCII, so that an unpaired surrogate in a record cannot break the log
        stream.flush()

    with stream:
        write(about)
        yield write


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    chunk: list[Record] = []
    for record in records:
        chunk.append(record)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
