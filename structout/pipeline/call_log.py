"""A log of a model's answered calls, so that their cost is counted even if a later call fails."""

from collections.abc import Sequence

from structout.completion import Completion, Prompt
from structout.models import Model
from structout.models.base import PartialAnswerError
from structout.models.wrappers.base import Wrapper
from structout.result import Attempt


class CallLog(Wrapper):
    """Wraps a model and adds every answered call to `calls`, also from a batch that failed in part."""

    def __init__(self, inner: Model, calls: list[Attempt]) -> None:
        super().__init__(inner)
        self._calls = calls

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        try:
            completions = self.inner.complete(prompts)
        except PartialAnswerError as error:
            self._note(prompts, error.completions)
            raise
        self._note(prompts, completions)
        return completions

    def _note(self, prompts: Sequence[Prompt], completions: Sequence[Completion | None]) -> None:
        for prompt, completion in zip(prompts, completions, strict=True):
            if completion is not None:
                self._calls.append(Attempt(self.name, prompt, completion))
