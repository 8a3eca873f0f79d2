"""A strategy that has a verifier check its results."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from structout.document import scalars, steps
from structout.issue import Issue
from structout.models.base import Model
from structout.parsing import Edit
from structout.prompts import wording
from structout.result import Result, Task
from structout.schema import Schema
from structout.strategies.base import Strategy, check_fields, rerun
from structout.strategies.reask import follow_up
from structout.surfaces import json_text
from structout.verifiers import Verdict, Verifier, verify
from structout.verifiers.base import lower

T = TypeVar("T")

OnReject = Literal["mark", "reask"]
Level = Literal["record", "leaf"]
Unsure = Literal["accept", "reject"]


@dataclass(frozen=True)
class Verify:
    """Has `verifier` check the results of `inner`; results without a value are not checked.

    A result that the verifier rejects gets the status `rejected` and the verifier's issues. `on_reject="reask"` asks
    `inner` once more with these issues, and checks the new answer too. (To escalate, use a `Cascade`: later stages get
    the rejected records.) `unsure` decides about verdicts that are unsure.

    With `level="leaf"`, a value to which the verifier objects becomes null, by an edit of the kind `withheld`, and the
    rest of the record is accepted. The record is rejected if the schema allows no null there, or if an objection names
    no value.
    """

    inner: Strategy
    verifier: Verifier
    on_reject: OnReject = "mark"
    unsure: Unsure = "reject"
    level: Level = "record"

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
            self._judged(task, result, verdict) if result.ok else result
            for task, result, verdict in zip(tasks, results, verdicts, strict=True)
        ]

    def _judged(self, task: Task[T], result: Result[T], verdict: Verdict) -> Result[T]:
        result = noted(result, verdict)
        if verdict.decision == "accept" or (verdict.decision == "unsure" and self.unsure == "accept"):
            return result
        if self.level == "leaf" and (kept := _withheld(task.schema, result, verdict.issues)):
            return kept
        return replace(result, status="rejected", value=None, issues=verdict.issues or (self._default(verdict),))

    def _default(self, verdict: Verdict) -> Issue:
        """The issue of a result that the verifier did not accept without giving a reason."""
        said = wording.UNDECIDED if verdict.decision == "unsure" else wording.NOT_ACCEPTED
        return Issue("", "rejected", said.format(verifier=type(self.verifier).__name__, score=f"{verdict.score:.2f}"))


def _withheld(schema: Schema[T], result: Result[T], issues: Sequence[Issue]) -> Result[T] | None:
    """The result with null for each value that has an issue; None if an issue has no value, or null is not allowed."""
    values = scalars(result.document)
    places = list(dict.fromkeys(issue.pointer for issue in issues))
    if not places or not all(place in values for place in places):
        return None
    document = deepcopy(result.document)
    for place in places:
        *path, last = steps(document, place)
        node: Any = document
        for step in path:
            node = node[step]
        node[last] = None
    checked = schema.check(document)
    if not checked.ok:
        return None
    edits = tuple(Edit("withheld", "lossy", place, json_text(values[place]), "null") for place in places)
    return replace(
        result,
        status="repaired",
        value=checked.value,
        document=document,
        edits=result.edits + edits,
        confidence={place: sure for place, sure in result.confidence.items() if place not in places},
        spans={place: span for place, span in result.spans.items() if place not in places},
    )


def noted(result: Result[T], verdict: Verdict) -> Result[T]:
    """The result with the confidence, spans and attempts of a verdict, whatever its decision."""
    return replace(
        result,
        checks=result.checks + verdict.attempts,
        confidence=lower(result.confidence, verdict.confidence),
        spans={**result.spans, **verdict.spans},
    )
