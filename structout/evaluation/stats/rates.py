"""Rates with intervals for display and bounds for decisions, and the number of records that a decision needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log, sqrt

import numpy as np

CONFIDENCE = 0.95
_Z = 1.959963984540054  # the 97.5 % point of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % Wilson interval, from `n` records; without records, the interval is 0 to 1.

    `effective` is the effective number of independent observations; it can exceed `n` if records were repeated.
    """

    value: float
    low: float
    high: float
    n: int
    effective: float

    @property
    def lower(self) -> float:
        """The one-sided 95 % lower bound of the share, for decisions (Clopper & Pearson 1934)."""
        return lower_bound(self.value * self.effective, self.effective)

    @property
    def upper(self) -> float:
        """The one-sided 95 % upper bound of the share, for decisions (Clopper & Pearson 1934)."""
        return upper_bound(self.value * self.effective, self.effective)


def wilson(share: float, n: float, records: int | None = None) -> Rate:
    """A share in [0, 1] of `n` observations with its 95 % score interval (Wilson 1927); `records` is `n` by default."""
    if n == 0:
        return Rate(0.0, 0.0, 1.0, 0, 0.0)
    z2 = _Z * _Z / n
    centre = (share + z2 / 2) / (1 + z2)
    half = _Z / (1 + z2) * sqrt(share * (1 - share) / n + z2 / (4 * n))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Rate(share, low, high, int(n) if records is None else records, float(n))


def clustered(hits: Sequence[float], sizes: Sequence[float], folds: Sequence[int] = ()) -> Rate:
    """The share of hits among observations that are clustered by record.

    Record `i` has `hits[i]` hits among `sizes[i]` observations. The interval is Wilson's for the effective number of
    observations. This number follows from the variance between records (linearised, as in a survey), corrected for
    its own uncertainty (Korn & Graubard 1998); it is at most the number of observations, and at least the number for
    records whose observations all agree.

    Record `i` is in the fold `folds[i]`. The records of a fold share what was fitted for them, so the number falls
    further if the variance between the folds exceeds the variance that the records explain. No estimate of this
    variance is unbiased (Bengio & Grandvalet 2004), so folds never make an interval narrower.
    """
    h, s = np.asarray(hits, float), np.asarray(sizes, float)
    records, total = int((s > 0).sum()), float(s.sum())
    if not records:
        return wilson(0.0, 0)
    share, floor = float(h.sum() / total), total**2 / float((s**2).sum())
    # Two pseudo-records, one all right and one all wrong: where hardly any record fails, the variance is hardly known.
    size = total / records
    h, s = np.append(h, [0.0, size]), np.append(s, [size, size])
    middle = float(h.sum() / s.sum())
    variance = float(((h - middle * s) ** 2).sum()) / float(s.sum()) * (records + 2) / (records + 1)
    effective = total * middle * (1 - middle) / variance * (_Z / student(records - 1)) ** 2
    effective = min(max(effective, floor), total)
    return wilson(share, effective / _excess(hits, sizes, folds, effective), records)


def _excess(hits: Sequence[float], sizes: Sequence[float], folds: Sequence[int], effective: float) -> float:
    """How many times the variance of the share between folds exceeds its variance between records; at least 1."""
    names, of = np.unique(np.asarray(folds, int), return_inverse=True)
    if len(names) < 2:
        return 1.0
    h, s = np.bincount(of, weights=np.asarray(hits, float)), np.bincount(of, weights=np.asarray(sizes, float))
    total = float(s.sum())
    share = float(h.sum()) / total
    within = share * (1 - share) / effective
    between = len(names) / (len(names) - 1) * float(((h - share * s) ** 2).sum()) / total**2
    return min(max(1.0, between / within), effective / len(names)) if within else 1.0


def lower_bound(hits: float, n: float, confidence: float = CONFIDENCE) -> float:
    """The least share for which this many hits are still credible, one-sided (Clopper & Pearson 1934)."""
    from scipy.special import betaincinv

    return float(betaincinv(hits, n - hits + 1, 1 - confidence)) if hits > 0 else 0.0


def upper_bound(hits: float, n: float, confidence: float = CONFIDENCE) -> float:
    """The greatest share for which this few hits are still credible, one-sided (Clopper & Pearson 1934)."""
    return 1 - lower_bound(n - hits, n, confidence)


def p_value(hits: float, n: float, target: float) -> float:
    """The probability of this many hits or more if the share is at most `target` (exact binomial)."""
    from scipy.special import betainc

    return float(betainc(hits, n - hits + 1, target)) if hits > 0 else 1.0


def records_needed(target: float, share: float = 1.0, confidence: float = CONFIDENCE) -> int | None:
    """The number of records that show a share of at least `target`, if the share `share` of them are hits.

    None if no number does. Without a failure (`share` 1), the number is 299 for 99 %, 2,995 for 99.9 % and 29,956 for
    99.99 %.
    """
    from scipy.special import betaincinv

    if target <= 0:
        return 0
    if share <= target or target >= 1:
        return None
    least = ceil(log(1 - confidence) / log(target))
    if share == 1:
        return least
    n, step = least, 1024
    while n < 1 << 33:
        tried = np.arange(n, n + step, dtype=float)
        hits = np.floor(share * tried + 1e-9)
        shown = betaincinv(hits, tried - hits + 1, 1 - confidence) >= target
        # One more record may be one more failure, so every larger number must be enough too.
        if shown[-1]:
            return int(tried[np.flatnonzero(~shown)[-1] + 1]) if not shown.all() else n
        n, step = n + step, min(step * 2, 1 << 20)
    return None


def student(freedom: int) -> float:
    """The 97.5 % point of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(max(freedom, 1), 0.975))
