"""Confidence thresholds above which the share of wrong answers is shown to be small."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, nextafter

import numpy as np
from numpy.typing import NDArray

from structout.evaluation.stats.rates import CONFIDENCE, Rate, clustered, p_value, records_needed, wilson

_STEPS = 20  # thresholds to try
_FEW = 20  # answers whose share of wrong answers says too little to plan with


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


@dataclass(frozen=True, slots=True)
class Separation:
    """How well confidence tells right answers from wrong answers.

    `area` is the share of pairs of a right and a wrong answer in which the right answer is surer; ties count half, and
    0.5 is chance (the area under the ROC curve). `p` is the probability of such an area by chance (Mann & Whitney 1947,
    by the normal approximation with ties).
    """

    area: float
    p: float

    @property
    def is_shown(self) -> bool:
        """Whether right answers are shown to be surer."""
        return self.p <= 1 - CONFIDENCE

    @classmethod
    def of(cls, answers: Sure) -> "Separation | None":
        """The separation of answers with a known confidence; None unless some are right and some wrong."""
        from scipy.special import ndtr

        known = answers.above(-inf)
        sure, wrong = np.asarray(answers.sure, float)[known], np.asarray(answers.wrong, bool)[known]
        right, wrong = sure[~wrong], sure[wrong]
        if not len(right) or not len(wrong):
            return None
        pairs, n = len(right) * len(wrong), len(sure)
        surer = float((right[:, None] > wrong).sum() + 0.5 * (right[:, None] == wrong).sum())
        ties = np.unique(sure, return_counts=True)[1].astype(float)
        variance = pairs / 12 * (n + 1 - float((ties**3 - ties).sum()) / (n * (n - 1)))
        return cls(surer / pairs, float(ndtr((pairs / 2 - surer) / variance**0.5)) if variance > 0 else 1.0)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What judged thresholds: `accepted` answers, of which `wrong` are wrong, from `records` records.

    `needed` is the number of judging records that would show the target at the present rates, None if no number would.
    """

    records: int
    accepted: int
    wrong: int
    separation: Separation | None
    needed: int | None

    @classmethod
    def of(cls, judged: Sure, records: int, max_error: float, level: float = 1 - CONFIDENCE) -> "Evidence":
        """The evidence of these answers, which `records` records gave."""
        every = np.ones(len(judged.sure), bool)
        separation = Separation.of(judged)
        known = sorted({one for one in judged.sure if one > -inf})
        if separation is None or not separation.is_shown:
            known = known[:1]  # a higher threshold would look better by chance alone
        tried = [judged.above(one) for one in known] or [every]
        enough = [passed for passed in tried if passed.sum() >= min(_FEW, len(judged.sure))]
        needed = [_records(judged.rate(passed), records, max_error, level) for passed in enough if passed.any()]
        return cls(
            records=records,
            accepted=len(judged.sure),
            wrong=judged.errors(every),
            separation=separation,
            needed=min((one for one in needed if one is not None), default=None),
        )


def _records(rate: Rate, records: int, max_error: float, level: float) -> int | None:
    """How many records show the error rate, if `records` records gave the independent answers that `rate` counts."""
    answers = records_needed(1 - max_error, 1 - rate.value, 1 - level)
    return None if answers is None else ceil(answers * records / rate.effective - 1e-9)


def threshold(proposed: Sure, judged: Sure, max_error: float, level: float = 1 - CONFIDENCE) -> float | None:
    """The lowest threshold at which the error rate is shown to be at most `max_error`; None if every threshold fails.

    The thresholds to try are the quantiles of the confidences in `proposed`, and 0, which every confidence from 0 on
    passes; those first that these answers speak for most. `judged`, other answers, then test them in this order until
    one fails, so each is tested at the full `level` (fixed-sequence testing, as in Learn-then-Test: Angelopoulos et al.
    2021).
    """
    if not len(proposed.sure) or not len(judged.sure):
        return None
    quantiles = np.linspace(0, 1, _STEPS + 1)
    tried = (float(np.quantile(proposed.sure, q, method="lower")) for q in quantiles)
    known = {one for one in tried if one > -inf}
    if known and min(known) >= 0:
        known.add(0.0)
    steps = {one: proposed.p_value(proposed.above(one), max_error) for one in known}
    found = None
    for one in sorted(steps, key=lambda step: (steps[step], step)):
        if judged.p_value(judged.above(one), max_error) > level:
            break
        found = one if found is None else min(one, found)
    return found
