"""A model that works in batches, for the journal of a run."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from structout.completion import Completion, Prompt, Usage
from structout.errors import SpecError
from structout.models import Model, identity
from structout.models.base import PartialAnswerError
from structout.models.ledger import with_ledger
from structout.pipeline.budget import Budget
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.ledger import JournalLedger
from structout.pipeline.most import most_of
from structout.pipeline.recorded import Kept, Recorded, completion_key
from structout.prices import Prices


class InWaves(Recorded):
    """Wraps a model that works in batches: the journal is its ledger, and keeps its answers as it collects them.

    Equal prompts get the same answer, also sampled ones. A prompt that the provider leaves unanswered gets a refusal,
    and its key is added to `unanswered` with the reason; without `unanswered`, it raises. A budget counts requests as
    soon as they are submitted, with all tokens that their answers may have.
    """

    def __init__(
        self,
        inner: Model,
        journal: Journal,
        budget: Budget | None,
        prices: Prices,
        unanswered: dict[str, str] | None,
    ) -> None:
        known = identity(inner.name)
        self._ledger = JournalLedger(journal, inner.name, lambda key: completion_key(known, key))
        self._unanswered = unanswered
        super().__init__(with_ledger(inner, self._ledger), journal, budget, prices)

    def _is_kept(self, prompt: Prompt) -> bool:
        return True

    def _ask(self, prompts: list[Prompt], keys: list[bytes]) -> list[Completion]:
        if not prompts:
            return []
        found: Sequence[Completion | None]
        reason = ""
        with self._reserved(prompts):
            try:
                found = self.inner.complete(prompts)
            except PartialAnswerError as error:
                if self._unanswered is None:
                    raise
                reason, found = error.message, error.completions
        answers = []
        for prompt, answer in zip(prompts, found, strict=True):
            if answer is None and self._unanswered is not None:
                self._unanswered[prompt.key()] = reason
            elif self._unanswered:
                self._unanswered.pop(prompt.key(), None)
            answers.append(answer or Completion("", finish_reason="refused", refusal=reason))
        return answers

    def _reserved(self, prompts: Sequence[Prompt]) -> AbstractContextManager[None]:
        """Room in the budget for the prompts; prompts that are submitted already always have room."""
        if self._budget is None:
            return nullcontext()
        waiting = {key for wave in self._ledger.waves() for key in wave.keys}
        submitted = [prompt for prompt in prompts if prompt.key() in waiting]
        new = [prompt for prompt in prompts if prompt.key() not in waiting]
        most = most_of(new, self.inner) if new else Usage()
        theirs = most_of(submitted, self.inner)
        return self._budget.room(self.name, self._journal.spent, self._prices, most, theirs)


def check_recordable(journal: Kept, *, cache: bool) -> Journal:
    """The journal of a run whose model works in batches. Raises `SpecError` unless it can be the ledger."""
    check_settings(cache=cache, is_local=isinstance(journal, Journal))
    assert isinstance(journal, Journal)
    return journal


def check_settings(*, cache: bool, is_local: bool) -> None:
    """Check the settings of a run whose model works in batches. Raises `SpecError`."""
    if not cache:
        raise SpecError("invalid --no-cache: a model with #batch asks equal prompts once", hint="leave it out")
    if not is_local:
        raise SpecError(
            "invalid engine: a model with #batch needs a journal on this machine", hint="use --engine local"
        )
