"""Which strategy: the cheapest one that is shown to meet the targets."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any, Literal, get_args

from structout.completion import Sampling
from structout.errors import DataError, SpecError
from structout.evaluation.dataset import Dataset
from structout.evaluation.harness import Models, Strategies, evaluate, labelled, several
from structout.evaluation.metrics import complies
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.report import ReportRow
from structout.evaluation.stats.rates import CONFIDENCE, Rate, p_value, records_needed, wilson
from structout.models import Model, model_of
from structout.prices import Price
from structout.strategies import On, Strategy, spec, strategy_of
from structout.surfaces import line

Minimise = Literal["price", "seconds", "tokens", "calls"]
_HOLDS: Mapping[str, Callable[[Outcome], bool]] = {
    "compliance": complies,
    "yield": lambda o: o.ok,
    "record_accuracy": lambda o: o.right,
    "wrong_but_valid": lambda o: o.ok and not o.right,
}


@dataclass(frozen=True, slots=True)
class Target:
    """What must be shown: that a share of records is at least, or at most, so much."""

    metric: str
    at_least: bool
    share: float

    @classmethod
    def of(cls, written: str) -> "Target":
        """Read `compliance>=0.995` or `wrong_but_valid<=0.02`. Raises `SpecError`."""
        found = re.fullmatch(r"\s*([a-z_ -]+?)\s*(>=|<=)\s*(0?\.\d+|[01](?:\.\d*)?)\s*", written)
        name = re.sub(r"[ -]", "_", found[1]) if found else ""
        if found is None or name not in _HOLDS or not 0 <= float(found[3]) <= 1:
            hint = f"write e.g. compliance>=0.995, with one of {', '.join(_HOLDS)}"
            raise SpecError(f"{written!r} is no target", hint=hint)
        return cls(name, found[2] == ">=", float(found[3]))

    def __str__(self) -> str:
        return f"{self.metric} {'>=' if self.at_least else '<='} {self.share:g}"

    def met(self, outcomes: Sequence[Outcome]) -> int:
        """How many outcomes count for the target."""
        return sum(_HOLDS[self.metric](o) == self.at_least for o in outcomes)

    def p(self, outcomes: Sequence[Outcome]) -> float:
        """How likely so good a count is if the target is not met."""
        return p_value(self.met(outcomes), len(outcomes), self._least)

    def needed(self, outcomes: Sequence[Outcome]) -> int | None:
        """How many records would show it if all went on as in these; None: the target is not met in these."""
        return records_needed(self._least, self.met(outcomes) / len(outcomes))

    @property
    def _least(self) -> float:
        return self.share if self.at_least else 1 - self.share


@dataclass(frozen=True)
class Candidate:
    """A strategy with a model: what it costs by the records that order the candidates, how it does on those, and, if
    it was tested, on the records that decide. `needed` is how many records would show the targets, None if no number
    would; `p` is None if it was not tested.
    """

    arm: Arm
    expression: str
    row: ReportRow
    cost: float
    promise: float
    rates: dict[str, Rate]
    n: int = 0
    p: float | None = None
    needed: int | None = None

    @property
    def shown(self) -> bool:
        return self.p is not None and self.p <= 1 - CONFIDENCE


@dataclass(frozen=True)
class Recommendation:
    """What was found: `candidates` by their cost, cheapest first; `chosen` is None if none could be shown.

    It holds for answers of `max_tokens`, with the train records of `dataset` as examples.
    """

    targets: tuple[Target, ...]
    minimise: Minimise
    ordering: int
    deciding: int
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None
    dataset: str
    max_tokens: int

    def written(self, place: str | None = None) -> str:
        """The choice as a file that `load_strategy` and `structout run` take. `place` is where the data set is.

        Raises `DataError` if there is none.
        """
        if self.chosen is None:
            raise DataError("no strategy could be shown to meet the targets", hint="label more records")
        rates = ", ".join(f"{name} {100 * rate.value:.1f} %" for name, rate in self.chosen.rates.items())
        return (
            f"# {' and '.join(map(str, self.targets))}: shown with {100 * CONFIDENCE:.0f} % confidence on "
            f"{self.chosen.n} records ({rates}).\n"
            f"# The cheapest of {len(self.candidates)} by {self.minimise}: {self.chosen.cost:.4g} a record.\n"
            f"{measured_with(place or self.dataset, self.max_tokens)}{self.chosen.expression}\n"
        )


def recommend(
    strategies: Strategies,
    models: Models,
    dataset: Dataset,
    targets: Sequence[Target | str] | Target | str,
    *,
    minimise: Minimise = "seconds",
    share_out: bool = False,
    sampling: Sampling | None = None,
    prices: Mapping[str, Price] | None = None,
    log: str | Path | None = None,
    seed: int = 0,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Recommendation:
    """Find the cheapest strategy that meets all targets, with 95 % confidence that the one named does.

    The dev records put the candidates in order; those that another one beats in both cost and promise fall out. On the
    test records the rest is tested one by one, from the dearest and most promising to the cheapest, until one cannot
    be shown: a fixed sequence, so that all that were shown hold together at full confidence (Learn-then-Test,
    Angelopoulos et al. 2021; Pareto testing, Laufer-Goldshtein et al. 2023). The other way round, cheapest first until
    one passes, would give every strategy a chance to pass by luck. The cheapest one shown is chosen.

    `share_out` disregards the splits: the train records that strategies show stay examples, a quarter of the others
    orders and the rest decides. Only for models that were trained on none of them. Raises `SpecError`, `DataError`.
    """
    wanted = tuple(Target.of(one) if isinstance(one, str) else one for one in several(targets))
    if not wanted:
        raise SpecError("there is no target", hint="give e.g. compliance>=0.995")
    if minimise not in get_args(Minimise):
        raise SpecError(f"nothing called {minimise!r} is minimised", hint=f"give {', '.join(get_args(Minimise))}")
    built = _built(strategies)
    ordering, deciding, examples = _shared_out(labelled(dataset), built, share_out, seed)
    loaded: dict[str, Model] = {}
    places: dict[str, str | Model] = {}  # what each was loaded from, which need not be its name
    for one in several(models):
        model = model_of(one)
        if model.name in loaded:
            raise SpecError(f"two models are called {model.name}", hint="measure one at a time")
        loaded[model.name], places[model.name] = model, one
    sampling = sampling or Sampling()
    common: dict[str, Any] = {"examples": examples, "sampling": sampling, "prices": prices, "progress": progress}
    first = evaluate(built, list(loaded.values()), ordering, log=log, **common)
    candidates = []
    for row in first.rows():
        outcomes = first.plain[Arm(row.strategy, row.model)]
        cost = _cost(row, minimise)
        promise = 1 - max(target.p(outcomes) for target in wanted)
        expression = spec(On(places[row.model], built[row.strategy]))
        arm = Arm(row.strategy, row.model)
        candidates.append(Candidate(arm, expression, row, cost, promise, _rates(wanted, outcomes)))
    candidates.sort(key=lambda one: one.cost)

    def is_shown(place: int) -> bool:
        one = candidates[place]
        strategy, model = {one.arm.strategy: built[one.arm.strategy]}, loaded[one.arm.model]
        report = evaluate(strategy, model, deciding, log=log, **common)
        candidates[place] = _tested(one, wanted, report.outcomes)
        return candidates[place].shown

    place = cheapest_shown([one.promise for one in candidates], is_shown)
    chosen = None if place is None else candidates[place]
    return Recommendation(
        targets=wanted, minimise=minimise, ordering=len(ordering), deciding=len(deciding),
        candidates=tuple(candidates), chosen=chosen, dataset=dataset.name, max_tokens=sampling.max_tokens,
    )  # fmt: skip


def measured_with(place: str, max_tokens: int) -> str:
    """The line of a strategy's file that says what else a run needs to be what was measured."""
    return f"# Measured with --examples {line(quote(place))} --max-tokens {max_tokens}.\n"


def cheapest_shown(promises: Sequence[float], is_shown: Callable[[int], bool]) -> int | None:
    """Of candidates by their cost the place of the cheapest that is shown to do, None if none is.

    Those that promise no more than a cheaper one fall out. The rest is tested from the most promising, which is the
    dearest, down to the cheapest, until one is not shown: with promises from other records than the tests', the chance
    to choose one that does not do is no more than that of a single test.
    """
    front: list[int] = []
    for place, promise in enumerate(promises):
        if not front or promise > promises[front[-1]]:
            front.append(place)
    chosen = None
    for place in reversed(front):
        if not is_shown(place):
            break
        chosen = place
    return chosen


def _built(strategies: Strategies) -> dict[str, Strategy]:
    if isinstance(strategies, Mapping):
        return {name: strategy_of(one) for name, one in strategies.items()}
    made = [strategy_of(one) for one in several(strategies)]
    return {spec(one): one for one in made}


def _shared_out(
    dataset: Dataset, strategies: Mapping[str, Strategy], share_out: bool, seed: int
) -> tuple[Dataset, Dataset, Dataset]:
    """The records that order, those that decide, and those that are shown."""
    if not share_out:
        ordering, deciding, shown = dataset.split("dev"), dataset.split("test"), dataset.split("train")
    else:
        most = max(map(_examples, strategies.values()), default=0)
        shown = dataset.split("train").head(most)
        kept = {record.key for record in shown}
        rest = replace(dataset, records=tuple(r for r in dataset if r.key not in kept)).shuffled(seed)
        quarter = max(1, len(rest) // 4)
        ordering, deciding = rest.head(quarter), replace(rest, records=rest.records[quarter:])
    if not ordering.records or not deciding.records:
        hint = "label more, or share the records out with --share-out"
        raise DataError(f"{dataset.name} has {len(ordering)} dev and {len(deciding)} test records", hint=hint)
    return ordering, deciding, shown


def _examples(part: Any) -> int:
    """How many examples a strategy shows at most."""
    inner = [getattr(part, "inner", None), *getattr(part, "stages", ())]
    return max([getattr(part, "examples", 0), *(_examples(one) for one in inner if one is not None)])


def _cost(row: ReportRow, minimise: Minimise) -> float:
    found = row.cost.price if minimise == "price" else getattr(row.cost, minimise)
    if found is None:
        raise SpecError(f"the price of {row.model} is not known", hint="give --price MODEL=IN/OUT, or minimise seconds")
    return float(found)


def _tested(one: Candidate, targets: Sequence[Target], outcomes: Sequence[Outcome]) -> Candidate:
    # Each target at full level: that all are met is only said if each is shown.
    p = max(target.p(outcomes) for target in targets)
    needs = [target.needed(outcomes) for target in targets]
    needed = None if any(n is None for n in needs) else max(n for n in needs if n is not None)
    return replace(one, rates=_rates(targets, outcomes), n=len(outcomes), p=p, needed=needed)


def _rates(targets: Sequence[Target], outcomes: Sequence[Outcome]) -> dict[str, Rate]:
    holds = {target.metric: _HOLDS[target.metric] for target in targets}
    return {name: wilson(sum(map(one, outcomes)) / len(outcomes), len(outcomes)) for name, one in holds.items()}
