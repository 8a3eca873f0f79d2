"""Confidence thresholds that bound the error rate of accepted records."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, inf, log, nextafter
from pathlib import Path
from typing import Any

import numpy as np

from structout.completion import Sampling
from structout.errors import DataError
from structout.evaluation.dataset import Dataset
from structout.evaluation.harness import evaluate, labelled
from structout.evaluation.outcome import Outcome
from structout.evaluation.recommendation import measured_with
from structout.evaluation.stats.rates import CONFIDENCE, Rate, p_value, upper_bound, wilson
from structout.models import Model
from structout.strategies import On, Strategy, Verify, load_strategy, spec, strategy_of
from structout.verifiers import Confident

Confidence = Callable[[Outcome], float | None]
_STEPS = 20  # thresholds to try


@dataclass(frozen=True)
class Certificate:
    """A confidence threshold, with the error rate that is guaranteed at or above it.

    With 95 % confidence, at most the share `max_error` of the accepted records is wrong. `threshold` is None if no
    threshold met this target. `coverage` is the share of records that the threshold accepts; `errors` of the `accepted`
    test records were wrong, and `worst` is the upper bound of the error rate. `base_error` is the error rate without
    a threshold; `bound` is the least share of these records that any method must reject to reach `max_error`. `source`
    is the model as `load_model` takes it. The certificate holds for answers of at most `max_tokens`, with the train
    records of `dataset` as examples.
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

    def written(self, place: str | None = None) -> str:
        """The strategy with its threshold, as text for a file that `load_strategy` reads. `place` is the data set.

        Raises `DataError` if `threshold` is None.
        """
        if self.threshold is None:
            problem = "no threshold met the target with the required confidence"
            raise DataError(problem, hint="label more records, or allow a higher error rate")
        strategy = Verify(On(self.source, load_strategy(self.strategy)), Confident(self.threshold))
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

    The dev records propose thresholds and the test records judge them, by Learn-then-Test (Angelopoulos et al. 2021):
    from the strictest threshold that enough records pass down to the laxest, until one fails. `confidence` returns the
    strategy's confidence in an outcome: by default `Outcome.sureness`, which `Confident` uses too;
    `Outcome.value_logprob` is an alternative. Raises `DataError` if there are no dev or test records.

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
    sure, wrong = _judged(test, confidence)
    proposed, _ = _judged(dev, confidence)
    found = threshold(proposed, sure, wrong, max_error)
    accepted, errors = _above(sure, wrong, -inf if found is None else found)
    base = wilson(float(np.mean(wrong)) if len(wrong) else 0.0, len(wrong))
    coverage = wilson(accepted / len(test) if found is not None else 0.0, len(test))
    worst = upper_bound(errors, accepted) if accepted else 1.0
    bound = max(0.0, (base.value - max_error) / (1 - max_error))
    name = test[0].model
    source = model if isinstance(model, str) else name
    return Certificate(
        strategy=spec(built), model=name, max_error=max_error, threshold=found, coverage=coverage, accepted=accepted,
        errors=errors, worst=worst, base_error=base, bound=bound, n=len(test), source=source, dataset=dataset.name,
        max_tokens=sampling.max_tokens,
    )  # fmt: skip


def threshold(
    proposed: Sequence[float], sure: Sequence[float], wrong: Sequence[bool], max_error: float
) -> float | None:
    """The lowest threshold at which the error rate is shown to be at most `max_error`; None if every threshold fails.

    The quantiles of `proposed`, the confidences of other records, are the thresholds to try; `sure` and `wrong` are the
    confidences and errors of the test records. The records that pass a threshold are a sample of all records that
    would pass, so the number of errors is binomial. The thresholds and their order are fixed before the test records
    are looked at, so each threshold is tested at the full level.
    """
    if not len(proposed) or not len(sure):
        return None
    quantiles = np.linspace(1, 0, _STEPS + 1)
    tried = (float(np.quantile(proposed, q, method="lower")) for q in quantiles)
    steps = dict.fromkeys(one for one in tried if one > -inf)
    # Fewer records prove nothing even if all are right; half as many again leave room for chance.
    enough = 1.5 * ceil(log(1 - CONFIDENCE) / log(1 - max_error))
    passing = {one: float(np.mean(np.asarray(proposed) >= one)) * len(sure) for one in steps}
    found = None
    for one in [one for one in steps if passing[one] >= enough] or list(steps)[-1:]:
        accepted, errors = _above(sure, wrong, one)
        if p_value(accepted - errors, accepted, 1 - max_error) > 1 - CONFIDENCE:
            break
        found = one
    return found


def _judged(outcomes: Sequence[Outcome], confidence: Confidence) -> tuple[list[float], list[bool]]:
    """The confidence in each accepted document (-inf if unknown), and whether the document is wrong."""
    accepted = [outcome for outcome in outcomes if outcome.ok]
    known = [confidence(outcome) for outcome in accepted]
    return [-inf if one is None else one for one in known], [not outcome.right for outcome in accepted]


def _above(sure: Sequence[float], wrong: Sequence[bool], least: float) -> tuple[int, int]:
    """How many confidences are at least `least`, and how many of these records are wrong."""
    passed = np.asarray(sure) >= max(least, nextafter(-inf, 0))
    return int(passed.sum()), int((passed & np.asarray(wrong, bool)).sum())
