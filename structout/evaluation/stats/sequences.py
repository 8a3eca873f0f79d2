"""Confidence sequences: intervals that hold at every number of records at once, so that a run may stop at any time."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structout.evaluation.stats.rates import CONFIDENCE

_Floats: TypeAlias = NDArray[np.float64]
_GRID = np.linspace(0.0005, 0.9995, 1000)


def confidence_sequence(values: Sequence[float], confidence: float = CONFIDENCE) -> list[tuple[float, float]]:
    """The interval of the mean after each value in [0, 1]; all intervals hold together at this confidence.

    This is the hedged capital process of Waudby-Smith & Ramdas, "Estimating means of bounded random variables by
    betting" (2024): a bettor plays against each candidate mean, which is ruled out once the bettor has multiplied the
    capital by 1 / (1 - confidence). A bet uses earlier values only; the order of the values must not depend on them.
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
        else:  # the mean lies between two points of the grid
            intervals.append(intervals[-1] if intervals else (0.0, 1.0))
    return intervals


def mean_at_least(values: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """The one-sided lower bound of the mean of values in [0, 1], for any distribution (same source)."""
    x = np.asarray(values, float)
    if not len(x):
        return 0.0
    out = log_capital(x[None, :], _GRID[:, None], hedge=1.0).max(axis=1) >= -np.log(1 - confidence)
    kept = np.flatnonzero(~out)
    return float(_GRID[kept[0] - 1]) if len(kept) and kept[0] > 0 else 0.0


def log_capital(values: ArrayLike, mean: ArrayLike, hedge: float = 0.5) -> _Floats:
    """The logarithm of the capital of a bettor who plays against `mean`, after each value along the last axis.

    The share `hedge` of the capital bets on a higher mean, the rest on a lower mean. `values` (..., n) and `mean`
    broadcast against each other.
    """
    x, m = np.asarray(values, float), np.asarray(mean, float)
    bets = _bets(x)
    with np.errstate(divide="ignore"):  # log(0): the capital is lost, or nothing was bet
        up = np.log(hedge) + np.cumsum(np.log1p(np.minimum(bets, 0.5 / m) * (x - m)), axis=-1)
        down = np.log(1 - hedge) + np.cumsum(np.log1p(-np.minimum(bets, 0.5 / (1 - m)) * (x - m)), axis=-1)
    best: _Floats = np.maximum(up, down)
    return best


def _bets(x: _Floats) -> _Floats:
    """The bet before each value, from the variance so far (predictable plug-in, same source)."""
    t = np.arange(1, x.shape[-1] + 1)
    mean = (0.5 + np.cumsum(x, axis=-1)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2, axis=-1)) / (t + 1)
    before = np.concatenate([np.full((*x.shape[:-1], 1), 0.25), variance[..., :-1]], axis=-1)
    bets: _Floats = np.sqrt(2 * np.log(2 / (1 - CONFIDENCE)) / (before * t * np.log(1 + t)))
    return bets
