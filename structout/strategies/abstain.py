"""Rather no answer than one that the model was not sure of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from structout.issue import Issue
from structout.models.base import Model
from structout.result import Result, Task
from structout.strategies.base import Strategy

T = TypeVar("T")


@dataclass(frozen=True)
class Abstain:
    """Reject what `inner` accepted with less confidence than `threshold`: see `confidence`.

    What the threshold buys is only known for the records it was found on: `structout certify` finds one, with a
    guarantee.
    """

    inner: Strategy
    threshold: float

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        return [self._judged(result) for result in self.inner.run(tasks, model)]

    def _judged(self, result: Result[T]) -> Result[T]:
        sure = confidence(result)
        if not result.ok or (sure is not None and sure >= self.threshold):
            return result
        how = "unknown" if sure is None else f"{sure:.3f}"
        issue = Issue("", "rejected", f"confidence {how}, wanted {self.threshold:.3f}")
        return replace(result, status="rejected", value=None, issues=(issue,))


def confidence(result: Result[Any]) -> float | None:
    """How sure the model was of the values in its last answer: their tokens' mean log-probability, where it tells."""
    if not result.attempts:
        return None
    completion = result.attempts[-1].completion
    found = completion.mean_value_logprob
    return found if found is not None else completion.mean_logprob
