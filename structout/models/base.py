"""Who answers."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from structout.completion import Completion, Prompt


@runtime_checkable
class Model(Protocol):
    """Anything that completes prompts: one completion each, in the same order.

    `complete` is thread-safe and batches by itself. A prompt that the model cannot take becomes a completion that
    is `refused`; only infrastructure that fails raises, a `ModelError`.
    """

    @property
    def name(self) -> str: ...

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]: ...
