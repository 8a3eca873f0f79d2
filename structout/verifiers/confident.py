"""A verifier that uses the strategy's own confidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from structout.document import Json, starred
from structout.errors import SpecError
from structout.field_types import misfit
from structout.issue import Issue
from structout.models.base import Model
from structout.prompts.objections import unsure
from structout.result import Result, Task, answer_probability
from structout.verifiers.base import Verdict, check_threshold

Of = Literal["values", "answer"]
_DIGITS = 17  # of a number, at most


@dataclass(frozen=True)
class Confident:
    """Rejects a result with a leaf whose confidence is below `threshold`; costs no call.

    The strategy provides the confidence: the probability of the leaf's text under the model, or the agreement of a
    `Vote`. A good threshold depends on the model and the strategy: choose it on labelled records. The score is the
    least confidence in any leaf; a result without confidence is unsure.

    With `of="answer"`, the score is the probability of the whole answer, which `threshold` then bounds. It ranks whole
    records better (it also doubts what the answer leaves out), and says nothing of single leaves. A result that was
    chosen among several samples has none, and is unsure.

    `fields` holds thresholds of single fields: pairs of a JSON Pointer, with `*` for each item of a list, and a number.
    With `Verify(..., level="leaf")` a leaf below its threshold becomes null:

        Verify(Constrained(), Confident(0.2, fields=(("/price", 0.9), ("/lines/*/amount", 0.95))), level="leaf")
    """

    threshold: float = 0.5
    fields: tuple[tuple[str, float], ...] = ()
    of: Of = "values"

    def __post_init__(self) -> None:
        if problem := misfit(self):
            raise SpecError(problem, hint="give pairs of a JSON Pointer and a threshold")
        if self.fields and self.of == "answer":
            raise SpecError('got both fields and of="answer": fields are of values', hint="omit one of them")
        for threshold in (self.threshold, *(threshold for _, threshold in self.fields)):
            check_threshold(threshold)

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        return [self._verdict(result) for result in results]

    def _verdict(self, result: Result[Any]) -> Verdict:
        if self.of == "answer":
            return self._of_answer(result)
        if not result.confidence:
            return Verdict("unsure", 0.5)
        known = ((place, sure, self.least(place, result.document)) for place, sure in result.confidence.items())
        issues = tuple(_issue(place, sure, least, "f") for place, sure, least in known if sure < least)
        return Verdict("reject" if issues else "accept", min(result.confidence.values()), issues)

    def _of_answer(self, result: Result[Any]) -> Verdict:
        sure = answer_probability(result.attempts)
        if sure is None:
            return Verdict("unsure", 0.5)
        if sure >= self.threshold:
            return Verdict("accept", sure)
        return Verdict("reject", sure, (_issue("", sure, self.threshold, "g"),))

    def least(self, place: str, document: Json) -> float:
        """The threshold at a place of a document (a JSON Pointer)."""
        return dict(self.fields).get(starred(document, place), self.threshold) if self.fields else self.threshold


def _issue(place: str, sure: float, threshold: float, form: Literal["f", "g"]) -> Issue:
    """The issue of a confidence below a threshold: both in a format of Python, with digits that tell them apart."""
    several = ((f"{sure:.{digits}{form}}", f"{threshold:.{digits}{form}}") for digits in range(2, _DIGITS))
    written = next((pair for pair in several if pair[0] != pair[1]), (repr(sure), repr(threshold)))
    return Issue(place, "rejected", unsure(*written))
