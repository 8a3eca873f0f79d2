"""Confidence thresholds that bound the error rate of accepted records."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, nextafter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structout.completion import Sampling
from structout.errors import DataError
from structout.evaluation.dataset import Dataset
from structout.evaluation.harness import evaluate, labelled
from structout.evaluation.outcome import Outcome
from structout.evaluation.recommendation import measured_with
from structout.evaluation.stats.rates import CONFIDENCE, Rate, clustered, p_value, wilson
from structout.models import Model
from structout.strategies import On, Strategy, Verify, load_strategy, spec, strategy_of
from structout.verifiers import Confident

Confidence = Callable[[Outcome], float | None]
_STEPS = 20  # thresholds to try


@dataclass(frozen=True)
class Certificate:
    """A confidence threshold, with the error rate that is guaranteed at or above it.

    With 95 % confidence, at most the share `max_error` of the accepted records is wrong, if the target `is_met`.
    `threshold` is None if no threshold met it, or if the strategy gives no confidence: then the certificate is for
    all records that the strategy accepts. `coverage` is the share of records that are accepted so; `errors` of the
    `accepted` test records were wrong, and `worst` is the upper bound of the error rate. `base_error` is the error
    rate without a threshold; `bound` is the least share of these records that any method must reject to reach
    `max_error`. `source` is the model as `load_model` takes it. The certificate holds for answers of at most
    `max_tokens`, with the train records of `dataset` as examples. `confidences` are of all dev and test records,
    for `structout run --watch`.
    """

    strategy: str
    model: str
    max_error: float
    threshold: float | None
    coverage: Rate
    accepted: int
    errors: int
    worst: float
    base_error: Rate
    bound: float
    n: int
    source: str
    dataset: str
    max_tokens: int
    is_met: bool
    confidences: tuple[float, ...] = field(default=(), repr=False)

    def written(self, place: str | None = None) -> str:
        """The strategy with its threshold, as text for a file that `load_strategy` reads. `place` is the data set.

        Raises `DataError` if the target is not met.
        """
        if not self.is_met:
            problem = "no threshold met the target with the required confidence"
            raise DataError(problem, hint="label more records, or allow a higher error rate")
        strategy: Strategy = On(self.source, load_strategy(self.strategy))
        if self.threshold is not None:
            strategy = Verify(strategy, Confident(self.threshold))
        allowed, sure, covered = f"{100 * self.max_error:g} %", f"{100 * CONFIDENCE:.0f} %", self.coverage.value
        return (
            f"# At most {allowed} of the accepted records are wrong, with {sure} confidence.\n"
            f"# The strategy accepted {100 * covered:.0f} % of {self.n} test records.\n"
            f"{measured_with(place or self.dataset, self.max_tokens)}{spec(strategy)}\n"
        )


def certify(
    strategy: Strategy | str,
    dataset: Dataset,
    max_error: float = 0.05,
    *,
    model: Model | str = "embedded",
    confidence: Confidence = lambda outcome: outcome.sureness,
    folds: int | None = None,
    sampling: Sampling | None = None,
    log: str | Path | None = None,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Certificate:
    """Find a threshold at which at most `max_error` of the accepted records are wrong, with a finite-sample guarantee.

    The dev records propose thresholds and their order, and the test records judge the thresholds in this order until
    one fails, by Learn-then-Test (Angelopoulos et al. 2021). `confidence` returns the strategy's confidence in an
    outcome: by default `Outcome.sureness`, which `Confident` uses too; `Outcome.value_logprob` is an alternative. If
    the records of `dataset` have groups, such as suppliers, the guarantee holds although the records of a group may be
    wrong together. Without any confidence, all accepted records are certified, or none. Raises `DataError` if there
    are no dev or test records.

    `folds` uses all labelled records: each is asked once, as `evaluate` says; a quarter of them proposes thresholds,
    and the rest judges them. The certificate is then approximate: the strategy that is used shows other examples.
    """
    built = strategy_of(strategy)
    sampling = sampling or Sampling()
    how: dict[str, Any] = {"sampling": sampling, "log": log, "progress": progress}
    if folds is None:
        parts = [labelled(dataset).split("dev"), dataset.split("test")]
        dev, test = (evaluate([built], model, part, examples=dataset, **how).outcomes for part in parts)
    else:
        asked = evaluate([built], model, labelled(dataset), folds=folds, **how).outcomes
        proposing = {record.key for record in dataset.shuffled().head(max(1, len(dataset) // 4))}
        dev, test = (tuple(o for o in asked if (o.key in proposing) is is_dev) for is_dev in (True, False))
    groups = {record.key: record.group for record in dataset}
    proposed, judged = (Sure.of(part, confidence, groups) for part in (dev, test))
    found = threshold(proposed, judged, max_error)
    every = np.ones(len(judged.sure), bool)
    passed = every if found is None else judged.above(found)
    base, above = judged.rate(every), judged.rate(passed)
    is_met = found is not None or (not judged.above(-inf).any() and _p_value(base, max_error) <= 1 - CONFIDENCE)
    accepted, errors = int(passed.sum()), int((passed & np.asarray(judged.wrong, bool)).sum())
    coverage = wilson(accepted / len(test) if is_met else 0.0, len(test))
    worst = above.upper if accepted else 1.0
    bound = max(0.0, (base.value - max_error) / (1 - max_error))
    name = test[0].model
    source = model if isinstance(model, str) else name
    known = tuple(one for one in map(confidence, (*dev, *test)) if one is not None)
    return Certificate(
        strategy=spec(built), model=name, max_error=max_error, threshold=found, coverage=coverage, accepted=accepted,
        errors=errors, worst=worst, base_error=base, bound=bound, n=len(test), source=source, dataset=dataset.name,
        max_tokens=sampling.max_tokens, is_met=is_met, confidences=known,
    )  # fmt: skip


def threshold(proposed: "Sure", judged: "Sure", max_error: float) -> float | None:
    """The lowest threshold at which the error rate is shown to be at most `max_error`; None if every threshold fails.

    The quantiles of the confidences in `proposed` are the thresholds to try, those first that these records speak for
    most. `judged`, other records, then test them in this order until one fails, so each is tested at the full level.
    """
    if not len(proposed.sure) or not len(judged.sure):
        return None
    quantiles = np.linspace(0, 1, _STEPS + 1)
    tried = (float(np.quantile(proposed.sure, q, method="lower")) for q in quantiles)
    steps = {one: proposed.p_value(one, max_error) for one in tried if one > -inf}
    found = None
    for one in sorted(steps, key=lambda step: (steps[step], step)):
        if judged.p_value(one, max_error) > 1 - CONFIDENCE:
            break
        found = one if found is None else min(one, found)
    return found


@dataclass(frozen=True)
class Sure:
    """The confidence in each accepted document (-inf if unknown), whether the document is wrong, and its group.

    Without groups, records are wrong independently of one another, and bounds are exact (binomial). Records of one
    group, such as one supplier, may be wrong together: then bounds are for the effective number of independent records,
    which follows from the variance between groups (Korn & Graubard 1998).
    """

    sure: Sequence[float]
    wrong: Sequence[bool]
    groups: Sequence[str] = ()

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], confidence: Confidence, groups: Mapping[str, str | None]) -> "Sure":
        """The accepted documents among outcomes. `groups` names the group of a key; None is a group of its own."""
        accepted = [outcome for outcome in outcomes if outcome.ok]
        known = [confidence(outcome) for outcome in accepted]
        named = [f"group {groups[one.key]}" if groups[one.key] is not None else f"key {one.key}" for one in accepted]
        return cls(
            [-inf if one is None else one for one in known],
            [not outcome.right for outcome in accepted],
            named if any(group is not None for group in groups.values()) else (),
        )

    def above(self, least: float) -> NDArray[np.bool_]:
        """Which confidences are known and at least `least`."""
        passed: NDArray[np.bool_] = np.asarray(self.sure) >= max(least, nextafter(-inf, 0))
        return passed

    def rate(self, passed: NDArray[np.bool_]) -> Rate:
        """The share of wrong documents among those that passed."""
        wrong = passed & np.asarray(self.wrong, bool)
        if not self.groups:
            n = int(passed.sum())
            return wilson(float(wrong.sum()) / n if n else 0.0, n)
        numbers = np.unique(np.asarray(self.groups, str), return_inverse=True)[1]
        return clustered(np.bincount(numbers, wrong).tolist(), np.bincount(numbers, passed).tolist())

    def p_value(self, least: float, max_error: float) -> float:
        """How likely so few errors above a threshold are if more than `max_error` of such documents are wrong."""
        return _p_value(self.rate(self.above(least)), max_error)


def _p_value(wrong: Rate, max_error: float) -> float:
    return p_value((1 - wrong.value) * wrong.effective, wrong.effective, 1 - max_error)
