"""Intervals that hold at every number of records at once, so that one may look, and stop, at any time."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structout.evaluation.stats.rates import CONFIDENCE

_Floats: TypeAlias = NDArray[np.float64]
_GRID = np.linspace(0.0005, 0.9995, 1000)


def confidence_sequence(values: Sequence[float], confidence: float = CONFIDENCE) -> list[tuple[float, float]]:
    """After each value in [0, 1], between what the mean is: with this confidence, in all of the intervals at once.

    The hedged capital process of Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting"
    (2024): for each mean that might be, a bettor plays against it, and it is ruled out once the bettor has made
    1 / (1 - confidence) of each coin. The bets know only the values before, so that the order must not depend on them.
    """
    x = np.asarray(values, float)
    if not len(x):
        return []
    out = log_capital(x[None, :], _GRID[:, None]) >= -np.log(1 - confidence)
    possible = ~np.logical_or.accumulate(out, axis=1)
    step = _GRID[1] - _GRID[0]
    intervals = []
    for column in possible.T:
        left = _GRID[column]
        if len(left):
            low, high = max(0.0, left[0] - step), min(1.0, left[-1] + step)
            intervals.append((float(low), float(high)))
        else:  # all is ruled out but what lies between two points
            intervals.append(intervals[-1] if intervals else (0.0, 1.0))
    return intervals


def mean_at_least(values: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """What the mean of values in [0, 1] is at least, one-sided, however they are distributed (same source)."""
    x = np.asarray(values, float)
    if not len(x):
        return 0.0
    out = log_capital(x[None, :], _GRID[:, None], hedge=1.0).max(axis=1) >= -np.log(1 - confidence)
    kept = np.flatnonzero(~out)
    return float(_GRID[kept[0] - 1]) if len(kept) and kept[0] > 0 else 0.0


def log_capital(values: ArrayLike, mean: ArrayLike, hedge: float = 0.5) -> _Floats:
    """The logarithm of what a bettor has who plays against `mean`, after each value along the last axis.

    `hedge` of the money is on the mean being higher, the rest on it being lower. `values` (..., n) and `mean`
    broadcast against each other.
    """
    x, m = np.asarray(values, float), np.asarray(mean, float)
    bets = _bets(x)
    with np.errstate(divide="ignore"):  # log(0): the money is gone, or none was laid
        up = np.log(hedge) + np.cumsum(np.log1p(np.minimum(bets, 0.5 / m) * (x - m)), axis=-1)
        down = np.log(1 - hedge) + np.cumsum(np.log1p(-np.minimum(bets, 0.5 / (1 - m)) * (x - m)), axis=-1)
    best: _Floats = np.maximum(up, down)
    return best


def _bets(x: _Floats) -> _Floats:
    """How much to lay before each value: as the variance so far suggests (predictable plug-in, same source)."""
    t = np.arange(1, x.shape[-1] + 1)
    mean = (0.5 + np.cumsum(x, axis=-1)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2, axis=-1)) / (t + 1)
    before = np.concatenate([np.full((*x.shape[:-1], 1), 0.25), variance[..., :-1]], axis=-1)
    bets: _Floats = np.sqrt(2 * np.log(2 / (1 - CONFIDENCE)) / (before * t * np.log(1 + t)))
    return bets
