"""Targets: bounds for the metrics that a strategy is to reach."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from structout.errors import SpecError
from structout.evaluation.metrics import RATES, Metric, wrong_of_accepted
from structout.evaluation.outcome import Outcome
from structout.evaluation.stats.rates import CONFIDENCE, Rate, p_value, records_needed

OF_ACCEPTED = "wrong_of_accepted"
METRICS: Mapping[str, Metric] = {
    **{re.sub("[ -]", "_", name): RATES[name] for name in RATES},
    OF_ACCEPTED: wrong_of_accepted,
}
WRONG = ("wrong_but_valid", OF_ACCEPTED)  # the metrics of which less is better
_VALUES = ("record_accuracy", "value_accuracy", *WRONG)  # the metrics that say whether values are right


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for a metric: its share of records is at least, or at most, `share`. (`value_accuracy` is a share of
    values, and `wrong_of_accepted` a share of accepted records.)
    """

    metric: str
    at_least: bool
    share: float

    @classmethod
    def of(cls, written: str) -> "Target":
        """Read `compliance>=0.995` or `wrong_but_valid<=0.02`. Raises `SpecError`."""
        found = re.fullmatch(r"\s*([a-z_ -]+?)\s*(>=|<=)\s*(0?\.\d+|[01](?:\.\d*)?)\s*", written)
        name = re.sub(r"[ -]", "_", found[1]) if found else ""
        if found is None or name not in METRICS or not 0 <= float(found[3]) <= 1:
            hint = f"write e.g. compliance>=0.995, with one of {', '.join(METRICS)}"
            raise SpecError(f"invalid target: got {written!r}", hint=hint)
        return cls(name, found[2] == ">=", float(found[3]))

    def __str__(self) -> str:
        return f"{self.metric} {'>=' if self.at_least else '<='} {self.share:g}"

    @property
    def is_of_values(self) -> bool:
        """Whether the target says that values are right, and so needs labels."""
        return self.metric in _VALUES

    def p(self, outcomes: Sequence[Outcome]) -> float:
        """The probability of a rate this good or better if the target is not met.

        The observations are the effective ones of the rate: the values of a record depend on one another.
        """
        rate = METRICS[self.metric](outcomes)
        return p_value(self._met(rate) * rate.effective, rate.effective, self._least)

    def needed(self, outcomes: Sequence[Outcome], tests: int = 1) -> int | None:
        """The number of records needed to show the target at the rate of these outcomes; None if they miss it, or hold
        nothing that the rate counts.

        `tests` is the number of tests that share the level.
        """
        rate = METRICS[self.metric](outcomes)
        needed = records_needed(self._least, self._met(rate), 1 - (1 - CONFIDENCE) / tests) if rate.n else None
        records = len({outcome.key for outcome in outcomes})  # of which the rate may count only some
        return None if needed is None else ceil(needed * records / rate.effective - 1e-9)

    def _met(self, rate: Rate) -> float:
        """The share that counts in favour of the target."""
        return rate.value if self.at_least else 1 - rate.value

    @property
    def _least(self) -> float:
        return self.share if self.at_least else 1 - self.share
