"""Strategies that let the model write freely before the answer in the final form."""

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
    """Lets `first` draft an answer freely, then shows the draft to `inner` (DCCD, arXiv 2603.03305).

    The result is that of `inner`; its cost includes both.
    """

    inner: Strategy
    first: Strategy = field(default_factory=Prompted)

    def __post_init__(self) -> None:
        check_fields(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        drafts = self.first.run(tasks, model)
        informed = [
            _with_turn(task, said(task, draft), wording.DRAFTED) for task, draft in zip(tasks, drafts, strict=True)
        ]
        results = self.inner.run(informed, model)
        return [result.after(draft) for result, draft in zip(results, drafts, strict=True)]


@dataclass(frozen=True)
class Think:
    """Lets the model describe the record in a few sentences of at most `max_tokens` tokens, then runs `inner`."""

    inner: Strategy
    max_tokens: int = 96

    def __post_init__(self) -> None:
        check_fields(self)
        if self.max_tokens < 1:
            raise SpecError(
                f"invalid max_tokens of {type(self).__name__}: got {self.max_tokens}", hint="give 1 or more"
            )

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        prompts = [
            Prompt(ask_for_thoughts(task), replace(task.sampling, max_tokens=self.max_tokens), sample=task.sample)
            for task in tasks
        ]
        thoughts = model.complete(prompts)
        informed = [
            _with_turn(task, thought.text, wording.THOUGHT) for task, thought in zip(tasks, thoughts, strict=True)
        ]
        results = self.inner.run(informed, model)
        return [
            replace(result, attempts=(Attempt(model.name, prompt, thought), *result.attempts))
            for result, prompt, thought in zip(results, prompts, thoughts, strict=True)
        ]


def _with_turn(task: Task[T], words: str, then: str) -> Task[T]:
    """The task with the model's words as an earlier turn; unchanged if the words are blank."""
    if not words.strip():
        return task
    return replace(task, turns=(*task.turns, Message("assistant", words), Message("user", then)))
