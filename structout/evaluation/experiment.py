"""Experiments as TOML files."""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from structout.completion import Sampling
from structout.errors import DataError, SpecError
from structout.evaluation.dataset import Dataset, Split
from structout.evaluation.harness import evaluate
from structout.evaluation.metrics import Metric
from structout.evaluation.outcome import Outcome
from structout.evaluation.perturbations import PERTURBATIONS
from structout.evaluation.report import Report
from structout.evaluation.stats.rates import Rate
from structout.evaluation.stopping import Until
from structout.evaluation.user_functions import own
from structout.field_types import misfit
from structout.prices import Price

_HINT = "the README lists the keys, and `structout bench --help` says what they mean"


@dataclass(frozen=True)
class Experiment:
    """The content of an `experiment.toml`: each key is a field. A key for several values also takes a single value.

    `strategies` are expressions by name; in a list, each expression is its own name. `split` may be `all`. `folds`
    tests every record once (see `evaluate`), whatever the split. `limit` takes the first records in an order that
    depends only on `seed` and the keys, so a higher limit only adds records. `metrics` are `path/to/file.py:function`;
    `prices` holds the fields of `Price` for each model. `key` is the column that identifies a record.
    """

    dataset: str
    strategies: Mapping[str, str]
    schema: str | None = None
    models: tuple[str, ...] = ("embedded",)
    split: str = "test"
    limit: int | None = None
    folds: int | None = None
    repeats: int = 1
    seed: int = 0
    max_tokens: int = 256
    temperature: float = 0.0
    sweep: Mapping[str, list[Any]] = field(default_factory=dict)
    perturbations: tuple[str, ...] = ()
    until_width: float | None = None
    until_decided: bool = False
    metrics: tuple[str, ...] = ()
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    log: str | None = None
    key: str | None = None

    @classmethod
    def load(cls, path: str | Path) -> "Experiment":
        """Read a TOML file. The data set, the schema and the metrics are looked up in its folder first.

        Raises `DataError` for a file that cannot be read, and otherwise as `of`.
        """
        file = Path(path)
        try:
            row = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"cannot read {path}: {error}", hint="give a TOML file") from error
        for name in ("dataset", "schema", "metrics"):
            if name in row:
                row[name] = _beside(file.parent, row[name])
        return cls.of(row)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Experiment":
        """Make an experiment from the content of a file. Raises `SpecError` for an unknown key or an invalid value."""
        keys = [one.name for one in fields(cls)]
        if unknown := set(row) - set(keys):
            hint = f"the keys are {', '.join(keys)}"
            raise SpecError(f"unknown keys in the experiment: {', '.join(sorted(unknown))}", hint=hint)
        if not row.get("dataset") or not row.get("strategies"):
            raise SpecError("the experiment lacks dataset or strategies", hint=_HINT)
        strategies, sweep = row["strategies"], row.get("sweep", {})
        named = strategies if isinstance(strategies, Mapping) else {str(one): one for one in _several(strategies)}
        several: dict[str, Any] = {
            name: _several(row[name]) for name in ("models", "perturbations", "metrics") if name in row
        }
        if isinstance(sweep, Mapping):
            several["sweep"] = {name: list(_several(one)) for name, one in sweep.items()}
        made = cls(**{**row, **several, "strategies": dict(named)})
        if problem := misfit(made):
            raise SpecError(f"experiment: {problem}", hint=_HINT)
        made.own_prices()
        if made.split not in (*get_args(Split), "all"):
            raise SpecError(f"unknown split {made.split!r}", hint="give train, dev, test or all")
        if made.repeats < 1 or (made.limit is not None and made.limit < 1):
            problem = f"invalid experiment: got repeats={made.repeats} and limit={made.limit}, expected 1 or more"
            raise SpecError(problem, hint=_HINT)
        return made

    def changed(self, **given: Any) -> "Experiment":
        """The experiment with the given fields replaced; None leaves a field as it is."""
        row = {one.name: getattr(self, one.name) for one in fields(self)}
        return type(self).of(row | {name: value for name, value in given.items() if value is not None})

    def to_toml(self) -> str:
        """The file that `load` reads; defaults are left out."""
        default = replace(Experiment("", {}), dataset=self.dataset, strategies={})
        keys = [one.name for one in fields(self) if getattr(self, one.name) != getattr(default, one.name)]
        return "".join(f"{key} = {_toml(getattr(self, key))}\n" for key in ["dataset", *keys])

    def records(self) -> tuple[Dataset, Dataset]:
        """The whole data set, and the part to measure on, in order. Records without labels have no splits."""
        whole = Dataset.load(self.dataset, self.schema, needs_labels=False, key=self.key)
        part = whole if self.split == "all" or self.folds or not whole.has_labels else whole.split(self.split)  # type: ignore[arg-type]
        part = part.shuffled(self.seed)
        return whole, part.head(self.limit) if self.limit else part

    def place(self) -> Path:
        """The path of the log."""
        return Path(self.log or f".structout/bench-{Path(self.dataset).stem.replace(':', '-')}.jsonl")

    def run(
        self,
        progress: Callable[[Outcome], None] = lambda outcome: None,
        about: Mapping[str, Any] | None = None,
        *,
        transcripts: bool = True,
    ) -> Report:
        """Run the experiment. Completions that its log already holds are not asked for again."""
        whole, part = self.records()
        until = Until(self.until_width, self.until_decided) if self.until_width or self.until_decided else None
        return evaluate(
            self.strategies if any(k != v for k, v in self.strategies.items()) else list(self.strategies),
            self.models,
            part,
            repeats=self.repeats,
            examples=None if self.folds else whole,
            folds=self.folds,
            sampling=Sampling(temperature=self.temperature, max_tokens=self.max_tokens, seed=self.seed),
            sweep=self.sweep,
            perturbations=tuple(PERTURBATIONS) if self.perturbations == ("all",) else self.perturbations,
            until=until,
            metrics=self.own_metrics(),
            prices=self.own_prices(),
            log=self.place(),
            transcripts=transcripts,
            about={"experiment": self.to_toml(), **(about or {})},
            progress=progress,
        )

    def own_metrics(self) -> dict[str, Metric]:
        """The user's metrics, by the name of their function. Raises `SchemaError`, `SpecError`."""
        return {name.rpartition(":")[2].replace("_", " "): own(name, Rate) for name in self.metrics}

    def own_prices(self) -> dict[str, Price]:
        """The prices by model. Raises `SpecError` for an unknown field of a price."""
        for model, price in self.prices.items():
            if unknown := set(price) - {one.name for one in fields(Price)}:
                hint = f"give {', '.join(one.name for one in fields(Price))}"
                raise SpecError(f"unknown fields in the price of {model}: {', '.join(sorted(unknown))}", hint=hint)
        return {model: Price(**price) for model, price in self.prices.items()}  # type: ignore[arg-type]


def _several(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, list | tuple) else (given,)


def _beside(folder: Path, written: Any) -> Any:
    if isinstance(written, list):
        return [_beside(folder, one) for one in written]
    file, colon, name = str(written).partition(":")
    return f"{folder / file}{colon}{name}" if (folder / file).exists() else written


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(str(key))} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
