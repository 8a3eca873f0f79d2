"""A strategy that asks again with the issues of the last answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from structout.completion import Message
from structout.errors import SpecError
from structout.models.base import Model
from structout.prompts import objection, response
from structout.result import Result, Task, in_parts
from structout.strategies.base import Strategy, check_fields, rerun

T = TypeVar("T")


@dataclass(frozen=True)
class Reask:
    """Asks `inner` again, up to `limit` times, for the records that failed, and shows the last answer with its issues.

    Only the last answer is shown, so the size of a re-ask is constant. An answer that the token limit cut off is not
    asked for again, nor is a prompt that the model could not take.
    """

    inner: Strategy
    limit: int = 1

    def __post_init__(self) -> None:
        check_fields(self)
        if self.limit < 0:
            raise SpecError(f"invalid limit of Reask: got {self.limit}", hint="give 0 or more")

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        results = self.inner.run(tasks, model)
        for _ in range(self.limit):
            follow_ups = [
                follow_up(task, result) if can_be_asked_again(result) else task
                for task, result in zip(tasks, results, strict=True)
            ]
            results = rerun(follow_ups, results, self.inner, model, can_be_asked_again)
        return results


def can_be_asked_again(result: Result[Any]) -> bool:
    """Whether asking again may help: not if the answer was cut off, nor if the model could not take the prompt."""
    return result.status in ("invalid", "rejected") and not unanswered(result)


def unanswered(result: Result[Any]) -> bool:
    """Whether the model could not take the prompt."""
    return any(issue.kind == "unanswered" for issue in result.issues)


def follow_up(task: Task[T], result: Result[T]) -> Task[T]:
    """The task with the last answer and its issues as its only earlier turns."""
    turns = Message("assistant", said(task, result)), Message("user", objection(result.issues, result.edits))
    return replace(task, turns=turns)


def said(task: Task[T], result: Result[T]) -> str:
    """The text of the result's answer: the model's own, or the document as text if it was repaired or merged.

    An answer that does not fit the schema stays as the model gave it, unless it was given in parts.
    """
    if result.document is not None and in_parts(result.attempts):
        return response(task.schema, result.document)
    if (result.ok or result.status == "rejected") and task.schema.check_text(result.text).document != result.document:
        return response(task.schema, result.document)
    return result.text
