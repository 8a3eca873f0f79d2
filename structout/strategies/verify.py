"""A strategy that has a verifier check its results."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from structout.issue import Issue
from structout.models.base import Model
from structout.prompts import wording
from structout.result import Result, Task
from structout.strategies.base import Strategy, check_fields, rerun
from structout.strategies.reask import follow_up
from structout.verifiers import Verdict, Verifier, verify
from structout.verifiers.base import lower

T = TypeVar("T")

OnReject = Literal["mark", "reask"]
Unsure = Literal["accept", "reject"]


@dataclass(frozen=True)
class Verify:
    """Has `verifier` check the results of `inner`; results without a value are not checked.

    A result that the verifier rejects gets the status `rejected` and the verifier's issues. `on_reject="reask"` asks
    `inner` once more with these issues, and checks the new answer too. (To escalate, use a `Cascade`: later stages get
    the rejected records.) `unsure` decides about verdicts that are unsure.
    """

    inner: Strategy
    verifier: Verifier
    on_reject: OnReject = "mark"
    unsure: Unsure = "reject"

    def __post_init__(self) -> None:
        check_fields(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        results = self._checked(tasks, self.inner.run(tasks, model), model)
        if self.on_reject == "mark":
            return results
        again = [follow_up(task, result) for task, result in zip(tasks, results, strict=True)]
        once = replace(self, on_reject="mark")
        return rerun(again, results, once, model, lambda result: result.status == "rejected")

    def _checked(self, tasks: Sequence[Task[T]], results: Sequence[Result[T]], model: Model) -> list[Result[T]]:
        verdicts = verify(self.verifier, tasks, results, model)
        return [
            self._judged(result, verdict) if result.ok else result
            for result, verdict in zip(results, verdicts, strict=True)
        ]

    def _judged(self, result: Result[T], verdict: Verdict) -> Result[T]:
        result = noted(result, verdict)
        if verdict.decision == "accept" or (verdict.decision == "unsure" and self.unsure == "accept"):
            return result
        return replace(result, status="rejected", value=None, issues=verdict.issues or (self._default(verdict),))

    def _default(self, verdict: Verdict) -> Issue:
        """The issue of a result that the verifier did not accept without giving a reason."""
        said = wording.UNDECIDED if verdict.decision == "unsure" else wording.NOT_ACCEPTED
        return Issue("", "rejected", said.format(verifier=type(self.verifier).__name__, score=f"{verdict.score:.2f}"))


def noted(result: Result[T], verdict: Verdict) -> Result[T]:
    """The result with the confidence, spans and attempts of a verdict, whatever its decision."""
    return replace(
        result,
        checks=result.checks + verdict.attempts,
        confidence=lower(result.confidence, verdict.confidence),
        spans={**result.spans, **verdict.spans},
    )
