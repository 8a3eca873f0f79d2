"""What a confidence is worth: how often leaves of which a strategy is so sure are right."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

from structout.document import scalars
from structout.errors import DataError
from structout.evaluation.outcome import Outcome
from structout.evaluation.scoring.score import score
from structout.evaluation.stats.rates import Rate, clustered

Sure = tuple[float, bool, str]  # a leaf: how sure the strategy is of it, whether it is right, and the key of its record


@dataclass(frozen=True, slots=True)
class CalibrationStep:
    """So many `leaves` with a confidence from `low` to `high`, on average `claimed`: the share `right` of them is."""

    low: float
    high: float
    claimed: float
    leaves: int
    right: Rate


@dataclass(frozen=True)
class Calibration:
    """A function of a leaf's confidence: the probability that it is right. `steps` are the reliability table behind it.

    It holds for the strategy, model and schema of the outcomes that it was fitted to, on records like theirs:
    `{place: calibration(sure) for place, sure in result.confidence.items()}`.
    """

    steps: tuple[CalibrationStep, ...]

    def __call__(self, confidence: float) -> float:
        return self.steps[max(0, bisect_right([step.low for step in self.steps], confidence) - 1)].right.value


def calibrate(outcomes: Sequence[Outcome], *, least: int = 20) -> Calibration:
    """Fit the steps that never fall and come closest to the labels, each of `least` leaves or more, to the outcomes of
    one strategy (isotonic regression by pooling adjacent violators, Ayer et al. 1955). Judge it on other records.

    Documents that a verifier refused count too; of sets, only items in the expected place. Raises `DataError`.
    """
    arms = {outcome.arm for outcome in outcomes}
    leaves = sorted(leaf for outcome in outcomes for leaf in _leaves(outcome))
    if len(arms) != 1 or len(leaves) < least:
        hint = f"give {least} or more, from outcomes of one strategy that tells a confidence"
        raise DataError(f"too little to calibrate by: {len(leaves)} leaves, {len(arms)} strategies", hint=hint)
    blocks: list[list[Sure]] = []
    for _, alike in groupby(leaves, key=lambda leaf: leaf[0]):  # equals are never parted
        if not blocks or len(blocks[-1]) >= least:
            blocks.append([])
        blocks[-1] += alike
        while len(blocks) > 1 and len(blocks[-1]) >= least and _share(blocks[-2]) >= _share(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    while len(blocks) > 1 and (len(blocks[-1]) < least or _share(blocks[-2]) >= _share(blocks[-1])):
        blocks[-2:] = [blocks[-2] + blocks[-1]]
    return Calibration(tuple(map(_step, blocks)))


def _leaves(outcome: Outcome) -> Iterator[Sure]:
    document = outcome.document if outcome.ok else outcome.refused
    compared = {leaf.pointer: leaf for leaf in score(outcome.expected, document, outcome.comparison).found}
    for place, value in scalars(document).items() if outcome.ok or outcome.status == "rejected" else ():
        leaf = compared.get(place)
        if place in outcome.confidence and (value is None if leaf is None else leaf.answer == value):
            yield outcome.confidence[place], leaf is None or leaf.verdict == "right", outcome.key


def _share(block: Sequence[Sure]) -> float:
    return fmean(right for _, right, _ in block)


def _step(block: Sequence[Sure]) -> CalibrationStep:
    hits, sizes = Counter(key for _, right, key in block if right), Counter(key for *_, key in block)
    right = clustered([hits[key] for key in sizes], list(sizes.values()))
    return CalibrationStep(block[0][0], block[-1][0], fmean(sure for sure, *_ in block), len(block), right)
