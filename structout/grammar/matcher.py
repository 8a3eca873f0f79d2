"""Where a text stands in its grammar: which tokens may come next, which must, and whether it may end here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from structout.grammar.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch
    from llguidance import LLMatcher


class Matcher(Protocol):
    """The one interface between a grammar and decoding: a position in the grammar that moves token by token.

    End tokens: they are in the mask exactly when the document may end here. Taking one ends it (`try_advance` counts
    it, `rollback` takes it back); after that, and when a document is complete and nothing can follow, `must_stop`
    holds and nothing but an end token is admitted. A loop stops at `must_stop` without paying for an end token.

    Where nothing leads on and the document may not end, the mask is empty: the answer is stuck, for `reason`.

    A matcher with a budget may refuse a token that its mask had allowed, when what the token goes on with or opens
    could no longer be closed in time: `try_advance` returns 0 and `mask()` is then narrower, so choose again from the
    same logits. What is chosen after that is `steered`: the model's own choice was another.
    """

    @property
    def may_stop(self) -> bool:
        """The document may end here."""

    @property
    def must_stop(self) -> bool:
        """Nothing but the end is possible, or the end was taken."""

    @property
    def steered(self) -> tuple[int, ...]:
        """Which of the tokens up to here the budget chose, by their places, where the grammar had allowed another.

        The place after the last token is among them if the budget ended the document where it could have gone on.
        """

    @property
    def reason(self) -> str:
        """Why the engine gave up in the middle of a document, in a few words; "" if it did not."""

    def mask(self) -> "torch.Tensor":
        """The tokens that may come next: bool [vocabulary size], end tokens included when the document may end."""

    def forced(self) -> list[int]:
        """The tokens that must come next, canonically tokenised; [] if a choice is open. Does not advance."""

    def try_advance(self, tokens: Sequence[int]) -> int:
        """Advance over the longest admitted prefix of `tokens`; returns its length."""

    def rollback(self, n: int) -> None:
        """Take back the last `n` tokens, and what was tried after them and refused: as if none of it had been tried."""

    def copy(self) -> "Matcher":
        """An independent matcher at the same position."""


class EngineMatcher:
    """A matcher over llguidance, without a budget."""

    steered: tuple[int, ...] = ()

    def __init__(self, matcher: "LLMatcher", vocabulary: Vocabulary, *, ended: bool = False) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._ended = ended

    @property
    def may_stop(self) -> bool:
        return self._ended or bool(self._matcher.is_accepting())

    @property
    def must_stop(self) -> bool:
        # An engine that gave up has stopped too, before the document may end.
        return self._ended or (bool(self._matcher.is_stopped()) and self.may_stop)

    @property
    def position(self) -> "LLMatcher":
        """The engine's own matcher, to search on from copies of it."""
        return self._matcher

    @property
    def reason(self) -> str:
        return str(self._matcher.get_error()).split("\n")[0]

    def mask(self) -> "torch.Tensor":
        import torch

        if self.must_stop:
            mask = torch.zeros(self._vocabulary.size, dtype=torch.bool)
            mask[list(self._vocabulary.end)] = True
            return mask
        if self._matcher.is_stopped():
            return torch.zeros(self._vocabulary.size, dtype=torch.bool)
        return torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8).bool()

    def forced(self) -> list[int]:
        return [] if self._ended or self._matcher.is_stopped() else list(self._matcher.compute_ff_tokens())

    def try_advance(self, tokens: Sequence[int]) -> int:
        # The engine never sees an end token: what it does with one depends on how it came to stop.
        content = list(tokens)
        end = next((i for i, token in enumerate(content) if self._vocabulary.is_end(token)), None)
        if self._ended:
            return 0
        taken = int(self._matcher.try_consume_tokens(content[:end])) if content[:end] else 0
        if end is not None and taken == end and self.may_stop:
            self._ended = True
            taken += 1
        return taken

    def rollback(self, n: int) -> None:
        if n and self._ended:
            self._ended = False
            n -= 1
        if n:
            self._matcher.rollback(n)

    def copy(self) -> "EngineMatcher":
        return EngineMatcher(self._matcher.deep_copy(), self._vocabulary, ended=self._ended)
