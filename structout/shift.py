"""Whether the rows of a run still look like the labelled records that its strategy was certified on."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import log
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Literal

from structout.document import load_json
from structout.errors import DataError

_BINS = 2048  # of the logit of a confidence, from -12 to 12
_REACH = 12.0
_BETS = (-1.0, 0.0, 1.0)  # on low ranks, on nothing and on high ranks
_JUMP = 0.01  # the share of the capital that changes its bet at each row
_MOST = 1e200  # of a capital: more says nothing, and would overflow
_LAST = 100  # rows whose median a message tells
_LEAST = 30  # confidences of a reference


@dataclass
class ShiftDetector:
    """Tells when confidences stop looking like those of a `reference`.

    Each confidence gets its rank among the reference and all earlier rows. Without a shift, the ranks are uniform and
    independent (Vovk, Gammerman & Shafer 2005). A bettor on low or high ranks (the Simple Jumper, Vovk et al. 2021)
    starts anew at each row; `evidence` is the sum of all capitals (an e-detector, Shin, Ramdas & Rinaldo 2023). Without
    a shift, the evidence reaches `limit` at most once in `limit` rows on average, so within `limit / 20` rows in at
    most 5 % of the runs. `rows` counts the confidences, and `alarm` is their number when the evidence first reached the
    limit.

    Confidences cannot show a shift to records on which the model is as sure, and wrong.

    >>> detector = ShiftDetector([0.9, 0.95, 0.99] * 20, limit=1000)
    >>> [detector.add(0.92) for _ in range(50)][-1], [detector.add(0.3) for _ in range(50)][-1]
    (False, True)
    """

    reference: Sequence[float]
    limit: float
    rows: int = field(default=0, init=False)
    alarm: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._counts = [0] * _BINS
        self._tree = [0] * (_BINS + 1)  # sums of the counts (Fenwick 1994)
        self._capitals = [0.0] * len(_BETS)
        self._last: deque[float] = deque(maxlen=_LAST)
        for sure in self.reference:
            self._count(_bin(sure))

    @property
    def evidence(self) -> float:
        """The sum of the capitals of all bettors, of whom each starts with 1."""
        return sum(self._capitals)

    def add(self, sure: float) -> bool:
        """Take the confidence of the next row. Whether there is an alarm, at this row or since an earlier one."""
        place = _bin(sure)
        known, draw = len(self.reference) + self.rows, Random(self.rows).random()  # for the rank among equals
        rank = (self._below(place) + draw * (self._counts[place] + 1)) / (known + 1)
        self._count(place)
        self._last.append(sure)
        self.rows += 1
        fresh = (_JUMP * self.evidence + 1) / len(_BETS)
        self._capitals = [
            min(((1 - _JUMP) * capital + fresh) * (1 + bet * (rank - 0.5)), _MOST)
            for bet, capital in zip(_BETS, self._capitals, strict=True)
        ]
        if self.alarm is None and self.evidence >= self.limit:
            self.alarm = self.rows
        return self.alarm is not None

    def told(self) -> str:
        """What the detector has found, in words."""
        now, before = median(self._last or [0.0]), median(self.reference)
        return (
            f"the rows no longer look like the labelled records (evidence since row {self.alarm or self.rows:,} of the "
            f"rows with a confidence): the median confidence of the last {len(self._last)} rows is {now:.2f}, and "
            f"{before:.2f} of the labelled records"
        )

    def state(self) -> dict[str, Any]:
        """What `add` has counted, as JSON for `restore`."""
        return {
            "rows": self.rows, "alarm": self.alarm, "counts": self._counts, "capitals": self._capitals,
            "last": list(self._last),
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state` of a detector with the same reference. Raises `DataError` for anything else."""
        try:
            counts, capitals = list(map(int, state["counts"])), list(map(float, state["capitals"]))
            rows, alarm, last = int(state["rows"]), state["alarm"], list(map(float, state["last"]))
            if len(counts) != _BINS or len(capitals) != len(_BETS) or sum(counts) != rows + len(self.reference):
                raise ValueError("the counts do not fit the reference")
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"invalid state of a detector: {error}") from error
        self.rows, self.alarm, self._capitals = rows, None if alarm is None else int(alarm), capitals
        self._last.clear()
        self._last.extend(last)
        self._counts, self._tree = [0] * _BINS, [0] * (_BINS + 1)
        for place, count in enumerate(counts):
            self._count(place, count)

    def _count(self, place: int, count: int = 1) -> None:
        self._counts[place] += count
        place += 1
        while place <= _BINS:
            self._tree[place] += count
            place += place & -place

    def _below(self, place: int) -> int:
        """How many known confidences are in lower bins."""
        total = 0
        while place > 0:
            total += self._tree[place]
            place -= place & -place
        return total


def _bin(sure: float) -> int:
    """The bin of a confidence. The bins are fixed, so that a rank does not depend on what came before."""
    logit = log(max(sure, 1e-9) / max(1 - sure, 1e-9))
    return min(int((min(max(logit, -_REACH), _REACH) + _REACH) / (2 * _REACH) * _BINS), _BINS - 1)


@dataclass(frozen=True)
class Reference:
    """The confidences of labelled records: `of` the least sure value of each record, or of its whole answer."""

    confidences: tuple[float, ...]
    of: Literal["values", "answer"] = "values"


def reference_json(strategy: str, model: str, reference: Reference) -> str:
    """A reference as text for a file that `read_reference` reads."""
    return json.dumps({"strategy": strategy, "model": model, **asdict(reference)}) + "\n"


def read_reference(file: str | Path) -> Reference:
    """The reference in a file of `reference_json`. Raises `DataError` for any other file, and for too few confidences.

    A file that does not say what its confidences are of is older: they are of the least sure values.
    """
    try:
        found = load_json(Path(file).read_text(encoding="utf-8"))
        reference = Reference(tuple(float(one) for one in found["confidences"]), found.get("of", "values"))
        if not all(0 <= one <= 1 for one in reference.confidences):
            raise ValueError("a confidence is not between 0 and 1")
        if reference.of not in ("values", "answer"):
            raise ValueError(f"invalid of: got {reference.of!r}, expected 'values' or 'answer'")
    except (OSError, ValueError, TypeError, KeyError) as error:
        hint = "give the file of confidences that structout certify writes"
        raise DataError(f"cannot read {file}: {error}", hint=hint) from error
    if (count := len(reference.confidences)) < _LEAST:
        problem = f"too few confidences in {file}: got {count}, expected {_LEAST}"
        raise DataError(problem, hint="certify on more labelled records")
    return reference
