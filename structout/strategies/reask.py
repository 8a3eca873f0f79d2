"""Ask again, with what was wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from structout.completion import Message
from structout.errors import SpecError
from structout.models.base import Model
from structout.prompts import objection, response
from structout.result import Result, Task
from structout.strategies.base import Strategy, check_fields, rerun

T = TypeVar("T")


@dataclass(frozen=True)
class Reask:
    """Ask `inner` again, up to `limit` times, for the records that failed, showing the last answer and its issues.

    Only the last answer is shown, so a re-ask's size is constant. An answer that was cut off by its token limit is
    not asked again at the same limit, nor is a prompt that the model could not take.
    """

    inner: Strategy
    limit: int = 1

    def __post_init__(self) -> None:
        check_fields(self)
        if self.limit < 0:
            raise SpecError(f"Reask's limit is {self.limit}", hint="give 0 or more")

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        results = self.inner.run(tasks, model)
        for _ in range(self.limit):
            follow_ups = [follow_up(task, result) for task, result in zip(tasks, results, strict=True)]
            results = rerun(follow_ups, results, self.inner, model, can_be_asked_again)
        return results


def can_be_asked_again(result: Result[Any]) -> bool:
    """Whether asking on may do better: not where an answer was cut off, nor where the model cannot take the prompt."""
    return result.status in ("invalid", "rejected") and not unanswered(result)


def unanswered(result: Result[Any]) -> bool:
    """Whether the model could not take the prompt."""
    return any(issue.kind == "unanswered" for issue in result.issues)


def follow_up(task: Task[T], result: Result[T]) -> Task[T]:
    """The task with the last answer and what is wrong with it, and nothing before that."""
    return replace(task, turns=(Message("assistant", said(task, result)), Message("user", objection(result.issues))))


def said(task: Task[T], result: Result[T]) -> str:
    """The answer that a result stands for: as the model gave it, unless the document is no single answer's (mended, or
    merged of several). What fits no schema stays as it was given.
    """
    if (result.ok or result.status == "rejected") and task.schema.check_text(result.text).document != result.document:
        return response(task.schema, result.document)
    return result.text
