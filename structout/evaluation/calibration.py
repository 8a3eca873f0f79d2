"""Calibration: how often leaves are right at each level of confidence."""

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

Sure = tuple[float, bool, str]  # a leaf: its confidence, whether it is right, and the key of its record


@dataclass(frozen=True, slots=True)
class CalibrationStep:
    """`leaves` leaves with a confidence from `low` to `high` (mean: `claimed`), of which the share `right` is right."""

    low: float
    high: float
    claimed: float
    leaves: int
    right: Rate


@dataclass(frozen=True)
class Calibration:
    """A function from a leaf's confidence to the probability that the leaf is right; `steps` is its reliability table.

    The calibration holds for the strategy, model and schema that it was fitted to, on similar records:
    `{place: calibration(sure) for place, sure in result.confidence.items()}`.
    """

    steps: tuple[CalibrationStep, ...]

    def __call__(self, confidence: float) -> float:
        return self.steps[max(0, bisect_right([step.low for step in self.steps], confidence) - 1)].right.value


def calibrate(outcomes: Sequence[Outcome], *, least: int = 20) -> Calibration:
    """Fit a calibration to the outcomes of one strategy; evaluate it on other records.

    The fit is an isotonic regression by pooling adjacent violators (Ayer et al. 1955) with at least `least` leaves a
    step. Documents that a verifier rejected count too; items of sets count only in the expected place. Raises
    `DataError` for too few leaves, or for outcomes of several strategies.
    """
    arms = {outcome.arm for outcome in outcomes}
    leaves = sorted(leaf for outcome in outcomes for leaf in _leaves(outcome))
    if len(arms) != 1 or len(leaves) < least:
        problem = f"cannot calibrate: got {len(leaves)} leaves of {len(arms)} strategies, expected {least} or more of 1"
        raise DataError(problem, hint="give more outcomes, of one strategy that reports a confidence")
    blocks: list[list[Sure]] = []
    for _, alike in groupby(leaves, key=lambda leaf: leaf[0]):  # leaves of equal confidence stay together
        if not blocks or len(blocks[-1]) >= least:
            blocks.append([])
        blocks[-1] += alike
        while len(blocks) > 1 and len(blocks[-1]) >= least and _share(blocks[-2]) >= _share(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    while len(blocks) > 1 and (len(blocks[-1]) < least or _share(blocks[-2]) >= _share(blocks[-1])):
        blocks[-2:] = [blocks[-2] + blocks[-1]]
    return Calibration(tuple(map(_step, blocks)))


def _leaves(outcome: Outcome) -> Iterator[Sure]:
    if not outcome.has_label:
        return
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
