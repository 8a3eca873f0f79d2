"""Freedom first, then form: a constraint costs least where the model has already said what it means."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from structout.completion import Message, Prompt
from structout.errors import SpecError
from structout.models.base import Model
from structout.prompts import wording
from structout.prompts.questions import ask_for_thoughts
from structout.result import Attempt, Result, Task
from structout.strategies.base import Strategy, check_fields
from structout.strategies.generate import Prompted
from structout.strategies.reask import said

T = TypeVar("T")


@dataclass(frozen=True)
class Draft:
    """Have `first` answer freely, then `inner` answer with that draft before it (DCCD, arXiv 2603.03305).

    Costs both; the result is that of `inner`.
    """

    inner: Strategy
    first: Strategy = field(default_factory=Prompted)

    def __post_init__(self) -> None:
        check_fields(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        drafts = self.first.run(tasks, model)
        informed = [_told(task, said(task, draft), wording.DRAFTED) for task, draft in zip(tasks, drafts, strict=True)]
        results = self.inner.run(informed, model)
        return [result.after(draft) for result, draft in zip(results, drafts, strict=True)]


@dataclass(frozen=True)
class Think:
    """Have the model say in a few sentences what the record holds, at most `max_tokens` long, then `inner` answer."""

    inner: Strategy
    max_tokens: int = 96

    def __post_init__(self) -> None:
        check_fields(self)
        if self.max_tokens < 1:
            raise SpecError(f"max_tokens is {self.max_tokens}", hint="give 1 or more")

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        prompts = [
            Prompt(ask_for_thoughts(task), replace(task.sampling, max_tokens=self.max_tokens), sample=task.sample)
            for task in tasks
        ]
        thoughts = model.complete(prompts)
        informed = [_told(task, thought.text, wording.THOUGHT) for task, thought in zip(tasks, thoughts, strict=True)]
        results = self.inner.run(informed, model)
        return [
            replace(result, attempts=(Attempt(model.name, prompt, thought), *result.attempts))
            for result, prompt, thought in zip(results, prompts, thoughts, strict=True)
        ]


def _told(task: Task[T], words: str, then: str) -> Task[T]:
    """The task with what the model said of it; as it was, if the model said nothing."""
    if not words.strip():
        return task
    return replace(task, turns=(*task.turns, Message("assistant", words), Message("user", then)))
