"""Confidence thresholds above which the share of wrong answers is shown to be small."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nextafter

import numpy as np
from numpy.typing import NDArray

from structout.evaluation.stats.rates import CONFIDENCE, Rate, clustered, p_value, wilson

_STEPS = 20  # thresholds to try


@dataclass(frozen=True)
class Sure:
    """The confidence in each accepted answer (-inf if unknown), whether the answer is wrong, and its group.

    Without groups, answers are wrong independently of one another, and bounds are exact (binomial). Answers of one
    group, such as one supplier, may be wrong together: then bounds are for the effective number of independent answers,
    which follows from the variance between groups (Korn & Graubard 1998).
    """

    sure: Sequence[float]
    wrong: Sequence[bool]
    groups: Sequence[str] = ()

    def above(self, least: float) -> NDArray[np.bool_]:
        """Which confidences are known and at least `least`."""
        passed: NDArray[np.bool_] = np.asarray(self.sure, float) >= max(least, nextafter(-inf, 0))
        return passed

    def errors(self, passed: NDArray[np.bool_]) -> int:
        """How many of the answers that passed are wrong."""
        return int((passed & np.asarray(self.wrong, bool)).sum())

    def rate(self, passed: NDArray[np.bool_]) -> Rate:
        """The share of wrong answers among those that passed."""
        if not self.groups:
            n = int(passed.sum())
            return wilson(self.errors(passed) / n if n else 0.0, n)
        numbers = np.unique(np.asarray(self.groups, str), return_inverse=True)[1]
        wrong = passed & np.asarray(self.wrong, bool)
        return clustered(np.bincount(numbers, wrong).tolist(), np.bincount(numbers, passed).tolist())

    def p_value(self, passed: NDArray[np.bool_], max_error: float) -> float:
        """How likely so few errors among these are if more than `max_error` of such answers are wrong."""
        rate = self.rate(passed)
        return p_value((1 - rate.value) * rate.effective, rate.effective, 1 - max_error)


def threshold(proposed: Sure, judged: Sure, max_error: float, level: float = 1 - CONFIDENCE) -> float | None:
    """The lowest threshold at which the error rate is shown to be at most `max_error`; None if every threshold fails.

    The quantiles of the confidences in `proposed` are the thresholds to try, those first that these answers speak for
    most. `judged`, other answers, then test them in this order until one fails, so each is tested at the full `level`
    (fixed-sequence testing, as in Learn-then-Test: Angelopoulos et al. 2021).
    """
    if not len(proposed.sure) or not len(judged.sure):
        return None
    quantiles = np.linspace(0, 1, _STEPS + 1)
    tried = (float(np.quantile(proposed.sure, q, method="lower")) for q in quantiles)
    steps = {one: proposed.p_value(proposed.above(one), max_error) for one in tried if one > -inf}
    found = None
    for one in sorted(steps, key=lambda step: (steps[step], step)):
        if judged.p_value(judged.above(one), max_error) > level:
            break
        found = one if found is None else min(one, found)
    return found
