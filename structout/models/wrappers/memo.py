"""A wrapper that asks a model each prompt once."""

import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence

from structout.completion import Completion, Prompt
from structout.models.base import HaltedAnswerError, Model, PartialAnswerError
from structout.models.wrappers.base import Wrapper


class Memo(Wrapper):
    """Wraps a model and repeats the completion of a prompt, usage included, when the prompt comes again.

    So strategies that share their first calls can be compared for the price of one strategy, and each still reports its
    full cost. `known` holds the earlier completions by the prompt's key. `paid` is called with each new completion
    before it is returned.
    """

    def __init__(
        self,
        inner: Model,
        known: MutableMapping[str, Completion] | None = None,
        paid: Callable[[Prompt, Completion], None] = lambda prompt, completion: None,
    ) -> None:
        super().__init__(inner)
        self._known: MutableMapping[str, Completion] = {} if known is None else known
        self._paid = paid
        self._lock = threading.Lock()

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        keys = [prompt.key() for prompt in prompts]
        with self._lock:
            new = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in self._known}
            if new:
                try:
                    self._keep(new, self.inner.complete(list(new.values())))
                except (PartialAnswerError, HaltedAnswerError) as error:
                    self._keep(new, error.completions)
                    raise
            return [self._known[key] for key in keys]

    def _keep(self, new: Mapping[str, Prompt], completions: Sequence[Completion | None]) -> None:
        for (key, prompt), completion in zip(new.items(), completions, strict=True):
            if completion is not None:
                self._paid(prompt, completion)
                self._known[key] = completion
