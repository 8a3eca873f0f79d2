"""A verifier that asks a model about the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, cast

from structout.document import leaves
from structout.errors import SpecError
from structout.issue import Issue
from structout.models.base import Model
from structout.models.lazy import LazyModel
from structout.prompts import wording
from structout.prompts.questions import ask_whether_right, ask_whether_said
from structout.result import Result, Task
from structout.verifiers.base import Verdict, check_threshold
from structout.verifiers.question import Answer, as_verdict, ask


@dataclass(frozen=True)
class Judge:
    """Asks a model whether the document says what the record says: yes or no, for the whole document or for each leaf.

    `model` is a `Model` or the name of one. By default the model of the run is asked, even about the answer of another
    model: to have `big` judge its own answers, write `On(big, Verify(...))`, not `Verify(On(big, ...), Judge())`.

    `instructions` are your own words before the record and outside its tags. `rubric` defines what counts as right (for
    whole documents only). The score is P(yes); with `per_field`, that of the worst leaf. Below `threshold` the document
    is rejected. A document without leaves is judged as a whole. Each question costs one call, and a second one if the
    model reports log-probabilities.
    """

    model: Model | str | None = None
    rubric: str = ""
    per_field: bool = False
    threshold: float = 0.5
    instructions: str = ""

    def __post_init__(self) -> None:
        check_threshold(self.threshold)
        if self.rubric and self.per_field:
            raise SpecError("invalid Judge: got both rubric and per_field", hint="leave out rubric or per_field")
        if isinstance(self.model, str):
            object.__setattr__(self, "model", LazyModel(self.model))

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        who = cast("Model", self.model or model)
        pairs = list(zip(tasks, results, strict=True))
        if not self.per_field:
            answers = ask(
                [ask_whether_right(task, result.document, self.rubric, self.instructions) for task, result in pairs],
                who,
            )
            return [as_verdict(answer, self.threshold, wording.JUDGED_WRONG) for answer in answers]
        questions = [
            [
                ask_whether_said(task, result.document, place, value, self.instructions)
                for place, value in leaves(result.document).items()
            ]
            or [ask_whether_right(task, result.document, instructions=self.instructions)]
            for task, result in pairs
        ]
        answers = ask([question for group in questions for question in group], who)
        bounds = pairwise(accumulate(map(len, questions), initial=0))
        return [
            self._fields(result, answers[first:last]) for (_, result), (first, last) in zip(pairs, bounds, strict=True)
        ]

    def _fields(self, result: Result[Any], answers: Sequence[Answer]) -> Verdict:
        found = leaves(result.document)
        if not found:
            return as_verdict(answers[0], self.threshold, wording.JUDGED_WRONG)
        asked = list(zip(found.items(), answers, strict=True))
        confidence = {place: answer.yes for (place, _), answer in asked if answer.yes is not None}
        issues = tuple(
            Issue(place, "rejected", wording.JUDGED_FIELD_WRONG.format(value=repr(value)[:80]))
            for (place, value), _ in asked
            if confidence.get(place, 1.0) < self.threshold
        )
        attempts = tuple(attempt for answer in answers for attempt in answer.attempts)
        worst = min(confidence.values(), default=0.5)
        if issues:
            return Verdict("reject", worst, issues, attempts, confidence)
        if len(confidence) < len(asked):
            return Verdict("unsure", min(worst, 0.5), (), attempts, confidence)
        return Verdict("accept", worst, (), attempts, confidence)
