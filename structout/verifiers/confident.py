"""A verifier that uses the strategy's own confidence."""

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
    """Rejects a result with a leaf whose confidence is below `threshold`; costs no call.

    The strategy provides the confidence: the probability of the leaf's text under the model, or the agreement of a
    `Vote`. A good threshold depends on the model and the strategy: choose it on labelled records. The score is the
    least confidence in any leaf; a result without confidence is unsure.
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
