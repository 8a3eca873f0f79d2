"""Early stopping of an experiment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from structout.evaluation.metrics import complies
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.stats.rates import CONFIDENCE
from structout.evaluation.stats.sequences import confidence_sequence


@dataclass(frozen=True, slots=True)
class Until:
    """Rules for stopping early, based on intervals that hold at every number of records.

    `width`: an arm is done as soon as the intervals of its compliance and its record accuracy are at most this wide.
    `decided`: an arm is done as soon as another arm is shown to get more records right; all arms are done as soon as
    one is left.
    """

    width: float | None = None
    decided: bool = False

    def open(self, arms: Sequence[Arm], outcomes: Sequence[Outcome]) -> list[Arm]:
        """The arms that need more records, in order; an arm without outcomes, whose model fails, is done."""
        found: dict[Arm, list[Outcome]] = {}
        for outcome in outcomes:
            found.setdefault(outcome.arm, []).append(outcome)
        going = [arm for arm in arms if arm in found and (self.width is None or not self._is_narrow(found[arm]))]
        if self.decided:
            rights = {arm: _means(of_arm) for arm, of_arm in found.items()}
            pairs = len(list(combinations(found, 2)))
            going = [
                arm for arm in going if not any(_is_worse(rights[arm], rights[o], pairs) for o in _peers(arm, found))
            ]
            going = going if len(going) > 1 else []
        return going

    def _is_narrow(self, outcomes: Sequence[Outcome]) -> bool:
        for values in (_means(outcomes), _means(outcomes, compliance=True)):
            low, high = confidence_sequence(list(values.values()))[-1]
            if self.width is not None and high - low > self.width:
                return False
        return True


def _means(outcomes: Sequence[Outcome], *, compliance: bool = False) -> dict[str, float]:
    """The share of each record's repeats that are right, or that comply, in the order of the run."""
    found: dict[str, list[bool]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.key, []).append(complies(outcome) if compliance else outcome.right)
    return {key: sum(values) / len(values) for key, values in found.items()}


def _peers(arm: Arm, arms: Iterable[Arm]) -> list[Arm]:
    return [other for other in arms if other != arm and other.perturbation == arm.perturbation]


def _is_worse(one: dict[str, float], other: dict[str, float], pairs: int) -> bool:
    apart = [(1 + one[key] - other[key]) / 2 for key in one if key in other]
    return confidence_sequence(apart, 1 - (1 - CONFIDENCE) / pairs)[-1][1] < 0.5 if apart else False
