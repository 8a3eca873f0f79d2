"""The protocol of a model, and the error for a batch that was answered in part."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from structout.completion import Completion, Prompt
from structout.errors import ModelError
from structout.halt import HaltedError


@runtime_checkable
class Model(Protocol):
    """Anything that completes prompts: one completion per prompt, in the same order.

    `complete` is thread-safe and does its own batching. A prompt that the model cannot take gets a `refused`
    completion. Only an infrastructure failure raises: a `ModelError`.

        class Shouting:
            name = "shouting"

            def complete(self, prompts):
                return [Completion(prompt.messages[-1].content.upper(), Usage(calls=1)) for prompt in prompts]

        structout.testing.check_model(Shouting())
    """

    @property
    def name(self) -> str:
        """The model's name, as results and reports show it."""
        ...

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """Answer every prompt, in order. Raises `ModelError` if the infrastructure fails."""
        ...


class PartialAnswerError(ModelError):
    """The model answered only part of a batch.

    `completions` holds one entry per prompt, in order: the completion if it was paid for, else None. So no paid
    completion is lost.
    """

    def __init__(self, message: str, completions: Sequence[Completion | None], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.completions = tuple(completions)

    @classmethod
    def of(cls, error: ModelError, completions: Sequence[Completion | None]) -> "PartialAnswerError":
        """The error for a batch that `error` ended; it stops the run if `error` does."""
        made = cls(error.message, completions, hint=error.hint)
        made.retryable, made.stops = error.retryable, error.stops
        return made


class HaltedAnswerError(HaltedError):
    """The end of a batch that was told to end; `completions` as in `PartialAnswerError`."""

    def __init__(self, completions: Sequence[Completion | None]) -> None:
        super().__init__()
        self.completions = tuple(completions)
