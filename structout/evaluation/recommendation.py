"""Recommendation of the cheapest strategy that is shown to meet the targets."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any, get_args

from structout.completion import Sampling
from structout.errors import DataError, SpecError
from structout.evaluation.amounts import Minimise, a_record, unit_of
from structout.evaluation.constant import Constant
from structout.evaluation.dataset import Dataset
from structout.evaluation.folds import described, learns
from structout.evaluation.harness import Models, Strategies, evaluate, labelled, several
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.report import Report, ReportRow
from structout.evaluation.stats.pairs import holm
from structout.evaluation.stats.rates import CONFIDENCE, Rate
from structout.evaluation.targets import METRICS, OF_ACCEPTED, WRONG, Target
from structout.models import Model, model_of
from structout.prices import Price
from structout.strategies import On, Strategy, load_strategy, spec, strategy_of
from structout.surfaces import line

_ALWAYS = ("record_accuracy", "wrong_but_valid")
NO_LABELS = "The records have no labels: nothing here says whether the values are right."


@dataclass(frozen=True)
class Candidate:
    """A strategy with a model, its cost and promise on the ordering records, and its test on the deciding records.

    `promise` is one minus the largest p-value of a target. `rates` holds the metrics of the targets and, with labels,
    always record accuracy and wrong-but-valid. They are those of the deciding records, or those of the ordering records
    if the candidate was not tested; then `p` is None. With folds, `p` is corrected for the number of candidates.
    `needed` is the number of records that would show the targets, None if no number would. `constant` holds what a
    constant answer reaches in the targets of values, on the same records.
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
    constant: dict[str, Rate] = field(default_factory=dict)

    @property
    def shown(self) -> bool:
        """Whether the candidate was tested and met all targets with the required confidence."""
        return self.p is not None and self.p <= 1 - CONFIDENCE

    @property
    def lacks_records(self) -> bool:
        """Whether the candidate was tested on too few records: at its rates, more would show the targets."""
        return self.p is not None and not self.shown and self.needed is not None

    @property
    def accepts_none(self) -> bool:
        """Whether a target is for accepted records, and no record was accepted. Such a target is not met."""
        rate = self.rates.get(OF_ACCEPTED)
        return rate is not None and not rate.n

    @property
    def beats_constant(self) -> bool:
        """Whether the candidate is better than a constant answer in every target of values."""
        return all(_is_better(name, self.rates[name], rate) for name, rate in self.constant.items())

    @property
    def may_be_chosen(self) -> bool:
        """Whether the candidate met all targets, and reads the records: it is better than a constant answer."""
        return self.shown and self.beats_constant


@dataclass(frozen=True)
class Recommendation:
    """The `candidates`, cheapest first, and the `chosen` one: the cheapest that met the targets and is better than a
    constant answer, or None.

    `ordering` and `deciding` count the records: with folds, all records decide and none orders. `sharing` says in words
    how the records were shared out. The recommendation holds for answers of at most `max_tokens`, with the train
    records of `dataset` as examples. Without `has_labels`, nothing says whether the values are right.
    """

    targets: tuple[Target, ...]
    minimise: Minimise
    ordering: int
    deciding: int
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None
    dataset: str
    max_tokens: int
    sharing: str = ""
    has_labels: bool = True

    def written(self, place: str | None = None) -> str:
        """The chosen strategy as text for a file that `load_strategy` reads. `place` is the data set.

        Raises `DataError` if no strategy was chosen.
        """
        if self.chosen is None:
            problem = "no strategy met the targets with the required confidence"
            if any(one.shown for one in self.candidates):
                problem = "no strategy that met the targets is better than a constant answer"
            raise DataError(problem, hint="label more records, or lower the targets")
        rates = ", ".join(f"{name} {100 * rate.value:.1f} %" for name, rate in self.chosen.rates.items())
        told = "" if self.has_labels else f"# {NO_LABELS}\n"
        cost = a_record(self.chosen.cost, self.minimise)
        return (
            f"# {' and '.join(map(str, self.targets))}: shown with {100 * CONFIDENCE:.0f} % confidence on "
            f"{self.chosen.n} records ({rates}).\n"
            f"# The cheapest of {len(self.candidates)} by {self.minimise}: {cost}.\n"
            f"{told}"
            f"{measured_with(place or self.dataset, self.max_tokens, self.chosen.expression)}{self.chosen.expression}\n"
        )


def recommend(
    strategies: Strategies,
    models: Models,
    dataset: Dataset,
    targets: Sequence[Target | str] | Target | str,
    *,
    minimise: Minimise | None = "seconds",
    share_out: bool = False,
    folds: int | None = None,
    compliance_only: bool = False,
    sampling: Sampling | None = None,
    prices: Mapping[str, Price] | None = None,
    log: str | Path | None = None,
    seed: int = 0,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Recommendation:
    """Find the cheapest strategy that meets all targets with 95 % confidence and is better than a constant answer.

    The dev records put the candidates in order; a candidate that another one beats in both cost and promise is dropped.
    The test records test the others one by one, from the most expensive and promising to the cheapest, until one fails.
    The sequence is fixed, so all candidates that pass hold together at full confidence (Learn-then-Test, Angelopoulos
    et al. 2021; Pareto testing, Laufer-Goldshtein et al. 2023). The reverse order, cheapest first until one passes,
    would give every candidate a chance to pass by luck. The cheapest candidate that passed is chosen, unless a constant
    answer, the most frequent label of the other records, is as right in a target: such a strategy need not read.

    With labels, one target must say that values are right (`record_accuracy`, `value_accuracy`, `wrong_but_valid` or
    `wrong_of_accepted`): a document may comply and hold wrong values alone. `compliance_only` waives this. Without
    `minimise`, the price counts if it is known for all candidates, otherwise seconds.

    `folds` lets all records decide: every record is tested once, as `evaluate` says. No record is left then to put the
    candidates in order, so all candidates are tested, with Holm's correction for their number.

    `share_out` ignores the splits: the train records that strategies show stay examples, a quarter of the other records
    orders, and the rest decides. Use it only with models that were trained on none of the records. Raises `SpecError`,
    `DataError`.
    """
    wanted = tuple(Target.of(one) if isinstance(one, str) else one for one in several(targets))
    _check_targets(wanted, labelled(dataset), compliance_only=compliance_only)
    if share_out and folds is not None:
        raise SpecError("got both share_out and folds", hint="omit one of them: folds use every record as well")
    if minimise is not None and minimise not in get_args(Minimise):
        raise SpecError(f"invalid minimise: got {minimise!r}", hint=f"give {', '.join(get_args(Minimise))}")
    built = built_of(strategies)
    loaded: dict[str, Model] = {}
    places: dict[str, str | Model] = {}  # the source of each model, which may differ from its name
    for one in several(models):
        model = model_of(one)
        if model.name in loaded:
            raise SpecError(f"got two models with the name {model.name}", hint="measure one at a time")
        loaded[model.name], places[model.name] = model, one
    sampling = sampling or Sampling()
    given = {one: name for name, one in places.items() if isinstance(one, str)}
    prices = {given.get(name, name): price for name, price in (prices or {}).items()}
    common: dict[str, Any] = {"sampling": sampling, "prices": prices, "log": log, "progress": progress}
    common["about"] = {"by": "recommend"}

    def found_in(report: Report) -> list[Candidate]:
        """The candidates of a report, cheapest first."""
        found, rows = [], report.rows()
        unit = about["minimise"] = minimise or unit_of([row.cost for row in rows])
        for row in rows:
            arm = Arm(row.strategy, row.model)
            outcomes = report.plain[arm]
            promise = 1 - max(target.p(outcomes) for target in wanted)
            expression = spec(On(places[row.model], built[row.strategy]))
            rates, constant = _rates(wanted, outcomes), _constant(wanted, outcomes)
            found.append(Candidate(arm, expression, row, _cost(row, unit), promise, rates, constant=constant))
        return sorted(found, key=lambda one: one.cost)

    about: dict[str, Any] = {
        "targets": wanted, "dataset": dataset.name, "max_tokens": sampling.max_tokens,
        "has_labels": dataset.has_labels,
    }  # fmt: skip
    if folds is not None:
        report = evaluate(built, list(loaded.values()), dataset, folds=folds, **common)
        found = found_in(report)
        tested = [_tested(one, wanted, report.plain[one.arm], len(found)) for one in found]
        corrected = holm([1.0 if one.p is None else one.p for one in tested])
        all_tested = tuple(replace(one, p=p) for one, p in zip(tested, corrected, strict=True))
        return Recommendation(
            ordering=0, deciding=len(dataset), candidates=all_tested,
            chosen=next((one for one in all_tested if one.may_be_chosen), None),
            sharing=described(len(dataset), folds), **about,
        )  # fmt: skip
    ordering, deciding, examples = shared_out(dataset, built, share_out, seed)
    common["examples"] = examples
    candidates = found_in(evaluate(built, list(loaded.values()), ordering, **common))

    def is_shown(place: int) -> bool:
        one = candidates[place]
        strategy, model = {one.arm.strategy: built[one.arm.strategy]}, loaded[one.arm.model]
        report = evaluate(strategy, model, deciding, **common)
        candidates[place] = _tested(one, wanted, report.outcomes)
        return candidates[place].shown

    cheapest_shown([one.promise for one in candidates], is_shown)
    chosen = next((one for one in candidates if one.may_be_chosen), None)
    is_short = chosen is None and any(one.lacks_records for one in candidates)
    return Recommendation(
        ordering=len(ordering), deciding=len(deciding), candidates=tuple(candidates), chosen=chosen,
        sharing=_sharing(dataset, ordering, deciding, examples, share_out=share_out, is_short=is_short), **about,
    )  # fmt: skip


def measured_with(place: str, max_tokens: int, expression: str) -> str:
    """The comment in a strategy's file that names the options of a run like the measured one."""
    return f"# Measured with {options_of(place, max_tokens, expression)}.\n"


def options_of(place: str, max_tokens: int, expression: str) -> str:
    """The options of a run like the measured one: examples only if the strategy takes anything from them."""
    examples = f"--examples {line(quote(place))} " if learns(load_strategy(expression)) else ""
    return f"{examples}--max-tokens {max_tokens}"


def cheapest_shown(promises: Sequence[float], is_shown: Callable[[int], bool]) -> int | None:
    """The place of the cheapest candidate that passes, among candidates in order of cost; None if no candidate passes.

    A candidate that promises no more than a cheaper one is dropped. The others are tested from the most promising,
    which is the most expensive, down to the cheapest, until one fails. If the promises come from other records than
    the tests, the probability of choosing a bad candidate is at most that of a single test.
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


def _check_targets(targets: Sequence[Target], dataset: Dataset, *, compliance_only: bool) -> None:
    """Raise `SpecError` for targets that the labels cannot judge, or that leave the labels unused."""
    example = "record_accuracy>=0.9" if dataset.has_labels else "compliance>=0.99"
    if not targets:
        raise SpecError("got no target", hint=f"give e.g. {example}")
    of_values = [target for target in targets if target.is_of_values]
    if of_values and not dataset.has_labels:
        problem = f"{dataset.name} has no labels, and {of_values[0].metric} needs them"
        raise SpecError(problem, hint="label records (structout label), or give a target of compliance or yield")
    if dataset.has_labels and not of_values and not compliance_only:
        problem = f"no target says that values are right: got {' and '.join(map(str, targets))}"
        values = "--record-accuracy 0.9, --value-accuracy 0.9 or --wrong-of-accepted 0.05"
        hint = f"add {values}, or choose by form alone with --compliance-only"
        raise SpecError(problem, hint=hint)


def _sharing(
    dataset: Dataset, ordering: Dataset, deciding: Dataset, shown: Dataset, *, share_out: bool, is_short: bool
) -> str:
    """How the records were shared out, in words, and how more of them decide where these are too few (`is_short`)."""
    counts = f"{len(ordering)} to order the strategies and {len(deciding)} to test them"
    if not dataset.has_labels:
        return f"The {len(dataset)} records became {counts}."
    if share_out:
        counts = f"{len(shown)} to show as examples, {counts}"
        how = "--share-out put aside the examples that the strategies show, and a quarter of the rest gives the order"
    else:
        counts = f"{len(shown)} to show as examples (train), {len(ordering)} to order the strategies (dev) and "
        counts += f"{len(deciding)} to test them (test)"
        by_place = "their place in the file decided: half train, a quarter dev, a quarter test"
        how = f"the rows name no split, so {by_place}" if dataset.split_by_place else "the rows name their split"
    more = f" With --folds 5, all {len(dataset)} count." if is_short else ""
    return f"The {len(dataset)} labelled records became {counts}: {how}.{more}"


def built_of(strategies: Strategies) -> dict[str, Strategy]:
    """The strategies by name; an expression names itself. Raises `SpecError`."""
    if isinstance(strategies, Mapping):
        return {name: strategy_of(one) for name, one in strategies.items()}
    made = [strategy_of(one) for one in several(strategies)]
    return {spec(one): one for one in made}


def shared_out(
    dataset: Dataset, strategies: Mapping[str, Strategy], share_out: bool, seed: int
) -> tuple[Dataset, Dataset, Dataset]:
    """The records that order the candidates, the records that decide, and the records that prompts show. Raises
    `DataError` if none order or decide.
    """
    if not dataset.has_labels:
        mixed = dataset.shuffled(seed)
        quarter = max(1, len(mixed) // 4)
        ordering, deciding = mixed.head(quarter), replace(mixed, records=mixed.records[quarter:])
        shown = dataset.head(0)
    elif not share_out:
        ordering, deciding, shown = dataset.split("dev"), dataset.split("test"), dataset.split("train")
    else:
        most = max(map(_examples, strategies.values()), default=0)
        shown = dataset.split("train").head(most)
        kept = {record.key for record in shown}
        rest = replace(dataset, records=tuple(r for r in dataset if r.key not in kept)).shuffled(seed)
        quarter = max(1, len(rest) // 4)
        ordering, deciding = rest.head(quarter), replace(rest, records=rest.records[quarter:])
    if not ordering.records or not deciding.records:
        hint = "label more records, or let all records count with --folds 5"
        raise DataError(f"{dataset.name} has {len(ordering)} dev and {len(deciding)} test records", hint=hint)
    return ordering, deciding, shown


def _examples(part: Any) -> int:
    """The largest number of examples that a part of a strategy shows."""
    inner = [getattr(part, "inner", None), *getattr(part, "stages", ())]
    return max([getattr(part, "examples", 0), *(_examples(one) for one in inner if one is not None)])


def _cost(row: ReportRow, minimise: Minimise) -> float:
    found = row.cost.price if minimise == "price" else getattr(row.cost, minimise)
    if found is None:
        hint = "give --price MODEL=INPUT,OUTPUT, or minimise seconds"
        raise SpecError(f"the price of {row.model} is unknown", hint=hint)
    return float(found)


def _tested(one: Candidate, targets: Sequence[Target], outcomes: Sequence[Outcome], tests: int = 1) -> Candidate:
    # Each target is tested at the full level, since all of them must be shown.
    p = max(target.p(outcomes) for target in targets)
    needs = [target.needed(outcomes, tests) for target in targets]
    needed = None if any(n is None for n in needs) else max(n for n in needs if n is not None)
    rates, constant = _rates(targets, outcomes), _constant(targets, outcomes)
    return replace(one, rates=rates, n=len(outcomes), p=p, needed=needed, constant=constant)


def _constant(targets: Sequence[Target], outcomes: Sequence[Outcome]) -> dict[str, Rate]:
    """What a constant answer reaches in the targets of values; nothing if it is unknown."""
    constant = Constant.of(outcomes)
    if constant is None:
        return {}
    reached = {re.sub("[ -]", "_", name): rate for name, rate in constant.rates.items()}
    reached[OF_ACCEPTED] = reached["wrong_but_valid"]  # a constant answer is always accepted
    return {target.metric: reached[target.metric] for target in targets if target.is_of_values}


def _is_better(metric: str, rate: Rate, than: Rate) -> bool:
    return rate.value < than.value if metric in WRONG else rate.value > than.value


def _rates(targets: Sequence[Target], outcomes: Sequence[Outcome]) -> dict[str, Rate]:
    always = _ALWAYS if all(outcome.has_label for outcome in outcomes) else ()
    names = dict.fromkeys([*(target.metric for target in targets), *always])
    if OF_ACCEPTED in names:
        names["yield"] = None  # a strategy may accept few records, and meet the target
    return {name: METRICS[name](outcomes) for name in names}
