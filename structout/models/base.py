"""Who answers."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from structout.completion import Completion, Prompt
from structout.errors import ModelError


@runtime_checkable
class Model(Protocol):
    """Anything that completes prompts: one completion each, in the same order.

    `complete` is thread-safe and batches by itself. A prompt that the model cannot take becomes a completion that
    is `refused`; only infrastructure that fails raises, a `ModelError`.

        class Shouting:
            name = "shouting"

            def complete(self, prompts):
                return [Completion(prompt.messages[-1].content.upper(), Usage(calls=1)) for prompt in prompts]

        structout.testing.check_model(Shouting())
    """

    @property
    def name(self) -> str: ...

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]: ...


class PartialAnswerError(ModelError):
    """Some prompts of a batch could not be answered. `completions` has those that were paid for, None for the others,
    in the order of the prompts, so that none is lost.
    """

    def __init__(self, message: str, completions: Sequence[Completion | None], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.completions = tuple(completions)
