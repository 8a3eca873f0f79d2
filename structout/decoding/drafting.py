"""Guesses at the next tokens, from the record's own text and from earlier answers; the model checks each guess."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

_TEXT = (4, 3, 2, 1)  # the context lengths, in tokens, for guesses from the record
_PAST = (6, 4, 3, 2)  # ... and from earlier answers
_VOTES = 4  # the number of kinds of guesses from earlier answers, by votes: right minus wrong
# The cost of a pass, in guesses. (Measured at batches of 1 to 128. A pass reads the weights once, but every guess needs
# logits over the whole vocabulary, and a matcher that advances and rolls back.)
PASS_IN_TOKENS = 4


@dataclass(slots=True)
class _Rate:
    """The rate of right guesses of a kind."""

    hits: float = 1.0
    tries: float = 2.5  # the prior rate is 2 in 5

    def add(self, hit: bool) -> None:
        if self.tries > 200:  # so that the rate adapts to a change
            self.hits, self.tries = self.hits / 2, self.tries / 2
        self.hits += hit
        self.tries += 1


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess at the next token, with the rate of right guesses of its kind so far as its probability."""

    token: int
    probability: float
    kind: int  # the length of the context, combined with the votes for a guess from earlier answers


class DraftText:
    """The n-grams of one record's prompt: the token after the last occurrence of each context."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._next: dict[tuple[int, ...], int] = {}
        for n in _TEXT:
            for i in range(len(tokens) - n):
                self._next[tuple(tokens[i : i + n])] = tokens[i + n]

    def follow(self, context: tuple[int, ...]) -> int | None:
        """The token after a context; None if the context does not occur."""
        return self._next.get(context)


class Drafter:
    """Guesses tokens. It learns from finished answers and from the success of its guesses, in bounded memory.

    Guesses change the cost of decoding, never its result.
    """

    def __init__(self, contexts: int = 200_000) -> None:
        self._contexts = contexts
        self._past: dict[tuple[int, ...], tuple[int, int]] = {}  # a token, and its votes
        self._rates: defaultdict[int, _Rate] = defaultdict(_Rate)

    def guess(self, text: DraftText, tokens: Sequence[int]) -> Guess | None:
        """The most probable guess at the token after `tokens`, or None. Only the last few tokens matter."""
        best: Guess | None = None
        for n in _TEXT:
            if len(tokens) >= n and (token := text.follow(tuple(tokens[-n:]))) is not None:
                rate = self._rates[n]
                best = Guess(token, rate.hits / rate.tries, n)
                break
        for n in _PAST:
            if len(tokens) >= n and (known := self._past.get(tuple(tokens[-n:]))):
                token, votes = known
                kind = -(n * _VOTES + min(votes, _VOTES - 1))
                rate = self._rates[kind]
                if best is None or rate.hits / rate.tries > best.probability:
                    best = Guess(token, rate.hits / rate.tries, kind)
                break
        return best

    def credit(self, guess: Guess, hit: bool) -> None:
        """Count whether a guess was right."""
        self._rates[guess.kind].add(hit)

    def learn(self, tokens: Sequence[int]) -> None:
        """Learn from an answer. The least recent contexts are forgotten."""
        for n in _PAST:
            for i in range(len(tokens) - n):
                context, token = tuple(tokens[i : i + n]), tokens[i + n]
                old, votes = self._past.pop(context, (token, 0))
                votes += 1 if token == old else -1
                self._past[context] = (token, 1) if votes < 0 else (old, votes)
        while len(self._past) > self._contexts:
            del self._past[next(iter(self._past))]


def worth(rows: int) -> float:
    """The probability from which a guess pays off in a pass that `rows` rows share.

    A right guess saves its row a share of a pass, and one token. A wrong guess costs one token.
    """
    return 1 / (1 + PASS_IN_TOKENS / max(rows, 1))
