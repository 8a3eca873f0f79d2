"""Refuse what the strategy itself is not sure of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from structout.issue import Issue
from structout.models.base import Model
from structout.prompts import wording
from structout.result import Result, Task
from structout.verifiers.base import Verdict, check_threshold


@dataclass(frozen=True)
class Confident:
    """Refuses a result with a leaf in which the confidence is below `threshold`; costs no call.

    The confidence is what the strategy gives: the probability of the leaf's text under the model, or the agreement of a
    `Vote`. Which threshold is a good one depends on both: choose it on labelled records. The score is the least
    confidence in any leaf; a result without any leaves the verifier unsure.
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        check_threshold(self.threshold)

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        return [self._verdict(result) for result in results]

    def _verdict(self, result: Result[Any]) -> Verdict:
        if not result.confidence:
            return Verdict("unsure", 0.5)
        low = {place: sure for place, sure in result.confidence.items() if sure < self.threshold}
        issues = tuple(Issue(p, "rejected", wording.UNSURE.format(sure=f"{sure:.2f}")) for p, sure in low.items())
        return Verdict("reject" if low else "accept", min(result.confidence.values()), issues)
