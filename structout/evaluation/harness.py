"""The harness: runs of strategies and models over labelled records."""

import platform
import random
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from structout.completion import Sampling
from structout.errors import DataError, SpecError, StructoutWarning
from structout.evaluation import log as logs
from structout.evaluation.bar import Progress, bar
from structout.evaluation.constant import constant_scores
from structout.evaluation.dataset import Dataset, Record
from structout.evaluation.failures import Failures
from structout.evaluation.folds import Fold, check_untrained, fitted, folds_of, is_fitted, learns
from structout.evaluation.log import Log
from structout.evaluation.metrics import Metric
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.perturbations import PERTURBATIONS, SHARED, Perturbation
from structout.evaluation.report import Report
from structout.evaluation.scoring.comparison import Comparison
from structout.evaluation.scoring.score import score
from structout.evaluation.stats.rates import Rate
from structout.evaluation.stopping import Until
from structout.evaluation.user_functions import checked
from structout.models import LazyModel, Memo, Model, identity, model_of
from structout.prices import Price, with_known
from structout.result import Result, Task
from structout.strategies import Strategy, instructed, spec, strategy_of, with_models
from structout.strategies.parts import models_of
from structout.verifiers import Judged

Strategies = Mapping[str, Strategy | str] | Sequence[Strategy | str] | Strategy | str
Models = Model | str | Sequence[Model | str]
_CHUNK = 32
VARIED = "instructions"  # the axis of a sweep over files with instructions
_KEPT = "run the same again: it asks only for the answers that {} does not hold yet"
_LOST = "give a log to keep the answers"
_METRIC = (
    "a metric takes all outcomes of a strategy and returns a Rate: return structout.evaluation.share(outcomes, holds)"
)


def evaluate(
    strategies: Strategies,
    models: Models,
    dataset: Dataset,
    *,
    repeats: int = 1,
    examples: Dataset | None = None,
    folds: int | None = None,
    sampling: Sampling | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    perturbations: str | Sequence[str] | Mapping[str, Perturbation] = (),
    until: Until | None = None,
    metrics: Mapping[str, Metric] | None = None,
    prices: Mapping[str, Price] | None = None,
    log: str | Path | None = None,
    transcripts: bool = True,
    about: Mapping[str, Any] | None = None,
    progress: Progress | bool | None = None,
) -> Report:
    """Run each strategy with each model over the records of `dataset`, `repeats` times, and score the results.

    A mapping names the strategies; without one, each strategy's name is its expression. `sweep` lists values for fields
    of `Sampling` or for names in braces within expressions (`"Prompted(examples={k})"`): all combinations run. Each of
    `perturbations` (see `PERTURBATIONS`) runs in addition to the unchanged records. `until` stops early. Examples
    are the train records of `examples` (default: `dataset`).

    With `folds`, every record of `dataset` is tested once: the records are divided into so many folds, and the examples
    and each `Learned` verifier of a fold come from the other folds. Results that a verifier learns from cost calls that
    the report does not count. A model fine-tuned by structout is refused then, because it may have seen the records.

    Each model answers equal prompts once; the cost counts for every strategy that sent the prompt. `log` is a JSONL
    file that keeps every completion and every outcome as they come: a completion in the log is not asked for again.
    Without `transcripts`, the log and the page of the report hold only scores, statuses and usage: such a log can be
    neither resumed nor read.
    `metrics` are added to the built-in ones; `prices` are by model. `about` goes into the header of the log; `progress`
    is called with each outcome, and True draws a bar, in a notebook too. If the model fails on a batch, its records are
    asked one by one. Raises `ModelError`, after all other records are done, if the model failed on some, and
    `DataError` for an empty data set. Without labels, the report has no rates of right values.
    """
    if not labelled(dataset).records:
        raise DataError(f"{dataset.name} holds no records here", hint="choose another split or a higher limit")
    if repeats < 1:
        raise SpecError(f"invalid repeats: got {repeats}", hint="give 1 or more")
    _check_labels(dataset, perturbations, until)
    if folds is not None and (examples is not None or until is not None):
        what, option = ("examples", "examples") if examples is not None else ("until", "--until-width, --until-decided")
        problem = f"folds do not go with {what}: each fold has its own examples, and tests every record"
        raise SpecError(problem, hint=f"omit folds (--folds) or {what}{f' ({option})' if option != what else ''}")
    seed = (sampling or Sampling()).seed
    parts = [Fold(dataset.records, (examples or dataset).examples)] if folds is None else folds_of(dataset, folds, seed)
    _try_on_nothing(metrics or {})
    # Invalid strategies raise here, before a model is loaded.
    settings = list(points(strategies, sweep or {}, sampling or Sampling()))
    book = Log(log, transcripts=transcripts)
    ledger = _Ledger(book)
    loaded = [ledger.of(model) for model in several(models)]
    if not settings or not loaded:
        raise SpecError(f"got no {'model' if settings else 'strategy'} to measure", hint="give at least one")
    if not isinstance(perturbations, Mapping):
        perturbations = {name: _perturbation(name) for name in several(perturbations)}
    runs = [
        _Run(
            Arm(name, model.name, setting, change),
            with_models(strategy, ledger.of),
            model,
            perturbations.get(change),
            how,
        )
        for model in loaded
        for name, setting, strategy, how in settings
        for change in ("", *perturbations)
    ]
    comparison = dataset.comparison or Comparison.of(dataset.schema)
    names = list(dict.fromkeys(run.arm.strategy for run in runs))
    known = with_known(
        {ledger.names.get(name, name): price for name, price in (prices or {}).items()}, ledger.names.values()
    )
    header = _provenance(dataset, comparison, names, [model.name for model in loaded], repeats, known)
    header |= {"splits": (examples or dataset).splits(), **({"folds": folds} if folds else {})}
    if dataset.has_labels and folds is None:
        header["tested"] = sorted(dataset.splits())
    asked = [one for run in runs for one in (run.model, *models_of(run.strategy))]
    if folds is not None:
        check_untrained(asked)
    elif any(record.split == "train" for record in dataset):
        _warn_of_trained(asked)
    header |= {"identities": ledger.identities, **({} if transcripts else {"transcripts": False}), **(about or {})}
    failures = Failures(len(dataset), _KEPT.format(log) if log and transcripts else _LOST)
    train = (examples or dataset).split("train").records
    plan = _Plan(dataset, comparison, repeats, failures, constant_scores(dataset, train, parts, comparison))
    outcomes: list[Outcome] = []
    with book.run(header), bar(progress, len(dataset) * repeats * len(runs)) as advance:
        for run, fold, records in _order(plan, runs, parts, until, outcomes):
            for outcome in plan.outcomes(run, fold, records):
                book.add(outcome)
                outcomes.append(outcome)
                advance(outcome)
            if metrics and len(outcomes) <= _CHUNK * repeats:  # a metric that fails is found on the first records
                _try_on(metrics, outcomes, f"; {_KEPT.format(log)}" if log and transcripts else "")
    failures.check()
    return Report(header, tuple(outcomes), metrics or {})


def _try_on_nothing(metrics: Mapping[str, Metric]) -> None:
    """Raise `SpecError` for a metric that returns no `Rate`, before a model is asked. On nothing, it may fail."""
    for name, metric in metrics.items():
        try:
            checked(metric, f"the metric {name!r}", Rate)([])
        except SpecError as error:
            if error.__cause__ is None:
                raise SpecError(error.message, hint=_METRIC) from None


def _try_on(metrics: Mapping[str, Metric], outcomes: Sequence[Outcome], kept: str) -> None:
    """Raise `SpecError` for a metric that fails on these outcomes or returns no `Rate`."""
    for name, metric in metrics.items():
        try:
            checked(metric, f"the metric {name!r}", Rate)(outcomes)
        except SpecError as error:
            raise SpecError(error.message, hint=f"{_METRIC}{kept}") from error


def labelled(dataset: Any) -> Dataset:
    """The data set itself. Raises `DataError` for anything but a `Dataset`."""
    if not isinstance(dataset, Dataset):
        hint = 'give a Dataset, e.g. Dataset.load("rows.csv", schema)'
        raise DataError(f"invalid data set: got {dataset!r:.80}", hint=hint)
    return dataset


def several(given: Any) -> Sequence[Any]:
    """The argument as a sequence: a single value becomes a list of one."""
    return given if isinstance(given, Sequence) and not isinstance(given, str) else [given]


def read_log(path: str | Path, metrics: Mapping[str, Metric] | None = None, run: int | None = None) -> Report:
    """Read a run of a log that `evaluate` wrote, without asking the model. Raises `DataError`.

    `run` is its number, from 1. Without a number it is the last run of `structout bench`, whatever `recommend` and
    `certify` wrote to the same log since; if `bench` made none, it is the last run.

    The log of an interrupted run holds the outcomes up to the interruption.
    """
    about, outcomes = logs.read(path, run)
    return Report(about, outcomes, metrics or {})


@dataclass(frozen=True)
class _Run:
    """An arm with everything needed to run it."""

    arm: Arm
    strategy: Strategy
    model: Model
    change: Perturbation | None
    sampling: Sampling


@dataclass(frozen=True)
class _Plan:
    """The settings that all arms share."""

    dataset: Dataset
    comparison: Comparison
    repeats: int
    failures: Failures
    constants: Mapping[str, tuple[int, int, int]]

    def fitted(self, run: _Run, fold: Fold) -> _Run:
        """The arm for one fold, with its verifiers fitted on the other folds."""
        if fold.number is None or not is_fitted(run.strategy):
            return run

        def teach(strategy: Strategy, model: Model) -> list[Judged]:
            asked = [(record, self._task(replace(run, change=None), fold, record, 0)) for record in fold.others]
            tasks = [(record.key, task) for record, task in asked if task is not None]
            found = self.failures.run(strategy, tasks, model)
            both = zip(fold.others, tasks, found, strict=True)
            return [
                Judged(task, result, self._is_right(record, result))
                for record, (_, task), result in both
                if result is not None and result.ok
            ]

        return replace(run, strategy=fitted(run.strategy, run.model, teach))

    def _is_right(self, record: Record, result: Result[Any]) -> bool:
        return score(record.expected, self.dataset.schema.written(result), self.comparison).all_right

    def outcomes(self, run: _Run, fold: Fold, records: Sequence[Record]) -> Iterator[Outcome]:
        number = fold.number if learns(run.strategy) else None  # without lessons, folds differ by chance alone
        for repeat in range(self.repeats):
            tasks_of = ((record, self._task(run, fold, record, repeat)) for record in records)
            asked = [(record, task) for record, task in tasks_of if task is not None]
            tasks = [(record.key, task) for record, task in asked]
            results = self.failures.run(run.strategy, tasks, run.model) if asked else []
            for (record, task), result in zip(asked, results, strict=True):
                if result is None:
                    continue
                seen = replace(record, text=task.text)
                yield Outcome.of(
                    strategy=run.arm.strategy,
                    model=run.arm.model,
                    record=seen,
                    repeat=repeat,
                    result=result,
                    schema=task.schema,
                    comparison=self.comparison,
                    arm=run.arm,
                    fold=number,
                    constant=self.constants.get(record.key),
                )

    def _task(self, run: _Run, fold: Fold, record: Record, repeat: int) -> Task[Any] | None:
        task: Task[Any] = Task(record.text, self.dataset.schema, fold.examples, run.sampling, sample=repeat)
        if run.change is None:
            return task
        # A change of the schema or the prompt is the same for all records, so that they still share a prefix.
        of_record = "" if run.arm.perturbation in SHARED else record.key
        seed = f"{run.sampling.seed} {run.arm.perturbation} {of_record}".encode("utf-8", "surrogatepass")
        return run.change(task, record.written, random.Random(seed))


class _Ledger:
    """Loads each model once, and pays for each prompt once."""

    def __init__(self, log: Log) -> None:
        self.identities: dict[str, str] = {}
        self.names: dict[str, str] = {}  # of each model, by the name that was given for it
        self._log = log
        self._models: dict[int | str, Memo] = {}

    def of(self, model: Model | str) -> Memo:
        key = model.name if isinstance(model, LazyModel) else model if isinstance(model, str) else id(model)
        if key not in self._models:
            who = model_of(key if isinstance(key, str) else model)
            known_as = identity(who.name)
            self.identities[who.name] = known_as
            self.names[key if isinstance(key, str) else who.name] = who.name
            known = self._log.completions.setdefault(known_as, {})
            self._models[key] = Memo(
                who, known, lambda prompt, completion: self._log.paid(known_as, who.name, prompt, completion)
            )
        return self._models[key]


def points(
    strategies: Strategies,
    sweep: Mapping[str, Sequence[Any]],
    sampling: Sampling,
) -> Iterator[tuple[str, tuple[tuple[str, Any], ...], Strategy, Sampling]]:
    """Each strategy at each point of the sweep: its name, the point, the strategy, and its sampling.

    The values of the axis `VARIED` are files with instructions; "" stands for the strategy as it is.
    """
    named = strategies if isinstance(strategies, Mapping) else {_name(one): one for one in several(strategies)}
    known = {one.name for one in fields(Sampling)}
    for axis in sweep:
        if axis not in (*known, VARIED) and not any(isinstance(s, str) and f"{{{axis}}}" in s for s in named.values()):
            hint = f"give one of {', '.join([VARIED, *sorted(known)])}, or write {{{axis}}} in a strategy"
            raise SpecError(f"unknown sweep {axis!r}", hint=hint)
    for name, strategy in named.items():
        axes = [a for a in sweep if a in (*known, VARIED) or (isinstance(strategy, str) and f"{{{a}}}" in strategy)]
        for values in product(*(sweep[axis] for axis in axes)):
            point = dict(zip(axes, values, strict=True))
            written = strategy
            if isinstance(written, str):
                for axis, value in point.items():
                    written = written.replace(f"{{{axis}}}", repr(value))
            if point.get(VARIED):
                written = instructed(written, str(point[VARIED]))
            own = {axis: value for axis, value in point.items() if axis in known}
            yield name, tuple(point.items()), strategy_of(written), replace(sampling, **own)


def _name(strategy: Strategy | str) -> str:
    return strategy if isinstance(strategy, str) and "{" in strategy else spec(strategy_of(strategy))


def _perturbation(name: str) -> Perturbation:
    if name not in PERTURBATIONS:
        hint = f"give {', '.join(PERTURBATIONS)}"
        raise SpecError(f"unknown perturbation {name!r}", hint=hint)
    return PERTURBATIONS[name]


def _order(
    plan: _Plan, runs: Sequence[_Run], folds: Sequence[Fold], until: Until | None, outcomes: Sequence[Outcome]
) -> Iterator[tuple[_Run, Fold, list[Record]]]:
    """The order of the work: arm by arm and fold by fold, or, to stop early, all arms on one chunk of records before
    the next chunk.
    """
    if until is None:
        for run, fold in product(runs, folds):
            ready = plan.fitted(run, fold)
            yield from ((ready, fold, chunk) for chunk in _chunks(fold.records))
        return
    going = list(runs)
    (fold,) = folds
    for chunk in _chunks(fold.records):
        yield from ((run, fold, chunk) for run in going)
        still = until.open([run.arm for run in going], outcomes)
        going = [run for run in going if run.arm in still]


def _check_labels(dataset: Dataset, perturbations: Any, until: Until | None) -> None:
    """Raise `DataError` for a measurement that compares right values, without labels."""
    if not dataset.has_labels and (perturbations or until is not None):
        what = "perturbations" if perturbations else "an early stop"
        raise DataError(f"{dataset.name} has no labels, and {what} needs them", hint="label the records, or omit it")


def _warn_of_trained(models: Iterable[Model]) -> None:
    """Warn of fine-tuned models: their training may have seen the train records."""
    for model in {one.name: one for one in models}.values():
        if getattr(model, "tuning", None) is not None:
            message = f"{model.name} was fine-tuned, perhaps on train records that it is tested on: its rates may be"
            warnings.warn(f"{message} too high", StructoutWarning, stacklevel=3)


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    rest = list(records)
    yield from (rest[at : at + _CHUNK] for at in range(0, len(rest), _CHUNK))


def _provenance(
    dataset: Dataset,
    comparison: Comparison,
    strategies: list[str],
    models: list[str],
    repeats: int,
    prices: Mapping[str, Price] | None,
) -> dict[str, Any]:
    from importlib.metadata import version

    return {
        "structout": version("structout"),
        "log": logs.VERSION,
        "dataset": dataset.name,
        "records": len(dataset),
        "data": dataset.fingerprint(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "schema": dataset.schema.name,
        "fingerprint": dataset.schema.fingerprint(),
        "comparison": comparison.to_json(),
        "strategies": strategies,
        "models": models,
        "repeats": repeats,
        "prices": {name: asdict(price) for name, price in (prices or {}).items()},
        "machine": f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}",
    }
