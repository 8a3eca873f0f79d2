"""Two strategies on the same records: which is better, and is it chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from structout.evaluation.stats.rates import student

_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean over records of what one side has more than the other, with its 95 % interval.

    `won` and `lost` count the records on which it did better and worse; `p` is the exact two-sided McNemar test on
    these (with repeats: the sign test on the records), not corrected for how many pairs are looked at.
    """

    value: float
    low: float
    high: float
    won: int
    lost: int
    n: int
    p: float


def difference(one: Sequence[float], other: Sequence[float], seed: int = 0) -> Difference:
    """Compare two sides by their values on the same records, in [0, 1] each: over repeats, a record's mean."""
    apart = np.asarray(one, float) - np.asarray(other, float)
    won, lost = int((apart > 0).sum()), int((apart < 0).sum())
    low, high = bootstrap(apart, seed)
    value = float(apart.mean()) if len(apart) else 0.0
    return Difference(value=value, low=low, high=high, won=won, lost=lost, n=len(apart), p=mcnemar(won, lost))


def mcnemar(won: int, lost: int) -> float:
    """How likely so uneven a split of the records that differ is by chance: exact, two-sided (McNemar 1947)."""
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(won, lost), won + lost, 0.5)))


def bootstrap(
    apart: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]], seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of the mean difference over records: whole records are drawn again (Efron 1979).

    Percentiles, widened for small samples (Hesterberg 2015). Two made-up records, one for each side, keep it from
    collapsing where hardly any records differ, as Agresti & Min (2005) do for pairs.
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
    """The p-values corrected for how many there are, so that all that stay small are right together (Holm 1979)."""
    order = sorted(range(len(values)), key=values.__getitem__)
    corrected, floor = [1.0] * len(values), 0.0
    for rank, place in enumerate(order):
        floor = max(floor, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = floor
    return corrected
