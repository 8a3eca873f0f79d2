"""Paired comparison of two strategies on the same records."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from structout.evaluation.stats.rates import student

_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean difference between two sides over records, with its 95 % interval.

    `won` and `lost` count the records on which the first side did better and worse. `p` is from the exact two-sided
    McNemar test (with repeats: the sign test on records), without a correction for the number of pairs.
    """

    value: float
    low: float
    high: float
    won: int
    lost: int
    n: int
    p: float


def difference(one: Sequence[float], other: Sequence[float], seed: int = 0) -> Difference:
    """Compare two sides by their values on the same records, each in [0, 1]: the mean over a record's repeats."""
    apart = np.asarray(one, float) - np.asarray(other, float)
    won, lost = int((apart > 0).sum()), int((apart < 0).sum())
    low, high = bootstrap(apart, seed)
    value = float(apart.mean()) if len(apart) else 0.0
    return Difference(value=value, low=low, high=high, won=won, lost=lost, n=len(apart), p=mcnemar(won, lost))


def mcnemar(won: int, lost: int) -> float:
    """The probability by chance of a split at least this uneven: exact, two-sided (McNemar 1947)."""
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(won, lost), won + lost, 0.5)))


def bootstrap(
    apart: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]], seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of the mean difference, from resampled records (Efron 1979).

    The percentiles are widened for small samples (Hesterberg 2015). Two pseudo-records, one for each side, keep the
    interval from collapsing where hardly any records differ, as in Agresti & Min (2005) for pairs.
    """
    from scipy.special import ndtr

    n = len(apart)
    if n < 2:
        return -1.0, 1.0
    values, counts = np.unique(np.append(apart, [sqrt(0.5), -sqrt(0.5)]), return_counts=True)
    tail = float(ndtr(-sqrt(n / (n - 1)) * student(n - 1)))
    drawn = np.random.default_rng(seed).multinomial(n + 2, counts / (n + 2), _DRAWS)
    low, high = np.quantile(drawn @ values / (n + 2), [tail, 1 - tail])
    return max(-1.0, float(low)), min(1.0, float(high))


def holm(values: Sequence[float]) -> list[float]:
    """The p-values corrected for multiple testing; the correction controls the familywise error (Holm 1979)."""
    order = sorted(range(len(values)), key=values.__getitem__)
    corrected, floor = [1.0] * len(values), 0.0
    for rank, place in enumerate(order):
        floor = max(floor, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = floor
    return corrected
