"""Matchers: positions in a grammar, with the tokens that may or must come next."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from structout.grammar.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch
    from llguidance import LLMatcher


class Matcher(Protocol):
    """The interface between a grammar and decoding: a position in the grammar that advances token by token.

    The mask contains the end tokens exactly when the document may end here. An end token ends the document:
    `try_advance` counts it, and `rollback` removes it. After an end token, or when a complete document cannot go on,
    `must_stop` is true and only end tokens are allowed. A loop stops at `must_stop` without a pass for the end token.

    If no token is allowed and the document may not end, the mask is empty: the answer is stuck, and `reason` says why.

    A matcher with a token limit may reject a token that its mask allowed, if the document could not be completed within
    the limit after it. Then `try_advance` returns 0 and the next `mask()` is narrower: choose again from the same
    logits. A token that is chosen after a rejection is `steered`, because the model preferred another token.
    """

    @property
    def may_stop(self) -> bool:
        """Whether the document may end here."""

    @property
    def must_stop(self) -> bool:
        """Whether the document must end here, or has ended."""

    @property
    def steered(self) -> tuple[int, ...]:
        """The places of the tokens that the token limit chose although the grammar allowed other tokens.

        They include the place after the last token if the token limit ended a document that could have gone on.
        """

    @property
    def reason(self) -> str:
        """Why the engine gave up in the middle of a document, in a few words; "" if it did not."""

    def mask(self) -> "torch.Tensor":
        """The tokens that may come next: bool [vocabulary size], including end tokens if the document may end."""

    def forced(self) -> list[int]:
        """The tokens that must come next, in their canonical form; [] if there is a choice. Does not advance."""

    def try_advance(self, tokens: Sequence[int]) -> int:
        """Advance over the longest allowed prefix of `tokens`; returns its length."""

    def rollback(self, n: int) -> None:
        """Remove the last `n` tokens, and forget which tokens were rejected after them."""

    def copy(self) -> "Matcher":
        """An independent matcher at the same position."""


class EngineMatcher:
    """A matcher over llguidance, without a token limit. Its members are described in `Matcher`."""

    steered: tuple[int, ...] = ()

    def __init__(self, matcher: "LLMatcher", vocabulary: Vocabulary, *, ended: bool = False) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._ended = ended

    @property
    def may_stop(self) -> bool:
        """Whether the document may end here."""
        return self._ended or bool(self._matcher.is_accepting())

    @property
    def must_stop(self) -> bool:
        """Whether the document must end here, or has ended."""
        # An engine that gave up also counts as stopped, even if the document may not end.
        return self._ended or (bool(self._matcher.is_stopped()) and self.may_stop)

    @property
    def position(self) -> "LLMatcher":
        """The engine's own matcher; searches start from copies of it."""
        return self._matcher

    @property
    def reason(self) -> str:
        """Why the engine gave up; "" if it did not."""
        return str(self._matcher.get_error()).split("\n")[0]

    def mask(self) -> "torch.Tensor":
        """The tokens that may come next."""
        import torch

        if self.must_stop:
            mask = torch.zeros(self._vocabulary.size, dtype=torch.bool)
            mask[list(self._vocabulary.end)] = True
            return mask
        if self._matcher.is_stopped():
            return torch.zeros(self._vocabulary.size, dtype=torch.bool)
        return torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8).bool()

    def forced(self) -> list[int]:
        """The tokens that must come next."""
        return [] if self._ended or self._matcher.is_stopped() else list(self._matcher.compute_ff_tokens())

    def try_advance(self, tokens: Sequence[int]) -> int:
        """Advance over the longest allowed prefix of `tokens`; returns its length."""
        # The engine never gets an end token, because its reaction depends on why it stopped.
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
        """Remove the last `n` tokens."""
        if n and self._ended:
            self._ended = False
            n -= 1
        if n:
            self._matcher.rollback(n)

    def copy(self) -> "EngineMatcher":
        """An independent matcher at the same position."""
        return EngineMatcher(self._matcher.deep_copy(), self._vocabulary, ended=self._ended)
