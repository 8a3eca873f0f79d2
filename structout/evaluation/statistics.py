"""Rates with what they are worth."""

from dataclasses import dataclass
from math import sqrt

_Z = 1.959963984540054  # the 97.5 % point of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % Wilson interval, from `n` independent observations. Nothing observed: 0 to 1."""

    value: float
    low: float
    high: float
    n: int


def wilson(share: float, n: int) -> Rate:
    """The 95 % score interval of a share in [0, 1] of `n` observations (Wilson 1927)."""
    if n == 0:
        return Rate(0.0, 0.0, 1.0, 0)
    z2 = _Z * _Z / n
    centre = (share + z2 / 2) / (1 + z2)
    half = _Z / (1 + z2) * sqrt(share * (1 - share) / n + z2 / (4 * n))
    return Rate(share, max(0.0, centre - half), min(1.0, centre + half), n)
