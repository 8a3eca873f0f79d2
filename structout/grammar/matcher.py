"""Matchers: positions in a grammar, with the tokens that may or must come next."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from structout.grammar.exponents import START, Exponents, Position, over
from structout.grammar.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch
    from llguidance import LLMatcher


_TRUTH = bytes([0]) + bytes([1]) * 255  # any byte but zero is true
_Past = tuple[Position, "_Past"] | None  # the positions before each token, the last one first


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
    """A matcher over llguidance, without a token limit. Its members are described in `Matcher`.

    With `exponents`, it writes no number that is too large to hold.
    """

    steered: tuple[int, ...] = ()

    def __init__(self, matcher: "LLMatcher", vocabulary: Vocabulary, exponents: Exponents | None = None) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._exponents = exponents
        self._position = START
        self._past: _Past = None
        self._ended = False

    @property
    def may_stop(self) -> bool:
        """Whether the document may end here."""
        return self._ended or bool(self._matcher.is_accepting())

    @property
    def must_stop(self) -> bool:
        """Whether the document must end here, or has ended."""
        if self._ended or self._matcher.is_stopped():
            return self.may_stop  # an engine that gave up also counts as stopped, even if the document may not end
        is_full = self._exponents is not None and self._exponents.is_full(self._position)
        return is_full and self.may_stop and not self._goes_on()

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
        return self._narrowed()

    def _narrowed(self) -> "torch.Tensor":
        """The mask of the engine without the tokens that `exponents` forbids."""
        import torch

        # `Tensor.bool` starts threads, and waits for them for milliseconds on a busy machine.
        mask = torch.frombuffer(bytearray(self._matcher.compute_logit_bias().translate(_TRUTH)), dtype=torch.bool)
        if self._exponents is not None:
            self._exponents.narrow(mask, self._position)
        return mask

    def _goes_on(self) -> bool:
        """Whether a token other than an end token may come next."""
        mask = self._narrowed()
        mask[list(self._vocabulary.end)] = False
        return bool(mask.any())

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
        content, taken = content[:end], 0
        if self._exponents is not None:
            taken = self._advance(content, self._exponents)
        elif content:
            taken = int(self._matcher.try_consume_tokens(content))
        if end is not None and taken == end and self.may_stop:
            self._ended = True
            taken += 1
        return taken

    def _advance(self, content: list[int], exponents: Exponents) -> int:
        """Advance over the longest allowed prefix of `content`, which has no end token; returns its length."""
        positions = [self._position]
        for token in content:
            if exponents.forbids(positions[-1], token):
                break
            positions.append(over(positions[-1], self._vocabulary.pieces[token]))
        wanted = content[: len(positions) - 1]
        taken = int(self._matcher.try_consume_tokens(wanted)) if wanted else 0
        for position in positions[:taken]:
            self._past = position, self._past
        self._position = positions[taken]
        return taken

    def rollback(self, n: int) -> None:
        """Remove the last `n` tokens."""
        if n and self._ended:
            self._ended = False
            n -= 1
        if n:
            self._matcher.rollback(n)
        for _ in range(n):
            if self._past is not None:
                self._position, self._past = self._past

    def copy(self) -> "EngineMatcher":
        """An independent matcher at the same position."""
        other = object.__new__(EngineMatcher)
        other.__dict__.update(self.__dict__)
        other._matcher = self._matcher.deep_copy()
        return other
