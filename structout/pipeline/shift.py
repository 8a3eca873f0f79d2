"""Whether the rows of a run still look like the labelled records that its strategy was certified on."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import log
from random import Random

_BINS = 2048  # of the logit of a confidence, from -12 to 12
_REACH = 12.0
_BETS = (-1.0, 0.0, 1.0)  # on low ranks, on nothing and on high ranks
_JUMP = 0.01  # the share of the capital that changes its bet at each row


@dataclass
class ShiftDetector:
    """Tells when confidences stop looking like those of a reference.

    Each confidence gets its rank among the reference and all earlier rows. Without a shift, the ranks are uniform and
    independent (Vovk, Gammerman & Shafer 2005). A bettor on low or high ranks (the Simple Jumper, Vovk et al. 2021)
    starts anew at each row; `evidence` is the sum of all capitals (an e-detector, Shin, Ramdas & Rinaldo 2023). Without
    a shift, the evidence reaches `limit` at most once in `limit` rows on average, so within `limit / 20` rows in at
    most 5 % of the runs. `seed` draws the rank of a confidence among equal ones.

    Confidences cannot show a shift to records on which the model is as sure, and wrong.
    """

    reference: Iterable[float]
    limit: float
    seed: int = 0
    rows: int = field(default=0, init=False)
    alarm: int | None = field(default=None, init=False)  # the number of rows at the first alarm

    def __post_init__(self) -> None:
        self._counts = [0] * (_BINS + 1)  # a Fenwick tree
        self._known = 0
        self._random = Random(self.seed)
        self._capitals = [0.0] * len(_BETS)
        for sure in self.reference:
            self._count(_bin(sure))

    @property
    def evidence(self) -> float:
        """The sum of the capitals of all bettors, 1 being what each of them started with."""
        return sum(self._capitals)

    def add(self, sure: float) -> bool:
        """Take the confidence of the next row. Whether the evidence is at the limit, at this row or an earlier one."""
        place = _bin(sure)
        below, upto = self._upto(place - 1), self._upto(place)
        rank = (below + self._random.random() * (upto - below + 1)) / (self._known + 1)
        self._count(place)
        self.rows += 1
        total = self.evidence
        # Capital beyond the limit says nothing more, and would overflow.
        self._capitals = [
            min(((1 - _JUMP) * capital + (_JUMP * total + 1) / len(_BETS)) * (1 + bet * (rank - 0.5)), 1e200)
            for bet, capital in zip(_BETS, self._capitals, strict=True)
        ]
        if self.alarm is None and self.evidence >= self.limit:
            self.alarm = self.rows
        return self.alarm is not None

    def _count(self, place: int) -> None:
        self._known += 1
        place += 1
        while place <= _BINS:
            self._counts[place] += 1
            place += place & -place

    def _upto(self, place: int) -> int:
        """How many known confidences are in this bin or a lower one."""
        total, place = 0, place + 1
        while place > 0:
            total += self._counts[place]
            place -= place & -place
        return total


def _bin(sure: float) -> int:
    """The bin of a confidence; the bins are fixed, so that ranks do not depend on the order of the rows."""
    logit = log(max(sure, 1e-9) / max(1 - sure, 1e-9))
    return min(int((min(max(logit, -_REACH), _REACH) + _REACH) / (2 * _REACH) * _BINS), _BINS - 1)
