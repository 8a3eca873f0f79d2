"""Guesses at what comes next, from the record's own text and from earlier answers; the model checks each of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

_TEXT = (4, 3, 2, 1)  # how many tokens of context a guess goes by
_PAST = (6, 4, 3, 2)
_VOTES = 4  # how often a guess from earlier answers held, less how often it did not: as many kinds
# A pass costs about as much as this many more guesses in it (measured at batches of 1 to 128: weights are read once a
# pass, but a guess also needs logits over the whole vocabulary, and a matcher that goes forth and back).
PASS_IN_TOKENS = 4


@dataclass(slots=True)
class _Rate:
    """How often guesses of a kind came true."""

    hits: float = 1.0
    tries: float = 2.5  # before any evidence, 2 in 5

    def add(self, hit: bool) -> None:
        if self.tries > 200:  # so that the rate follows a change
            self.hits, self.tries = self.hits / 2, self.tries / 2
        self.hits += hit
        self.tries += 1


@dataclass(frozen=True, slots=True)
class Guess:
    """A token that may come next, and how probable that is, going by how such guesses fared so far."""

    token: int
    probability: float
    kind: int  # what its rate is kept by: the context's length, and for earlier answers how often it held


class DraftText:
    """The n-grams of one record's prompt: what followed each context, where it came last."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._next: dict[tuple[int, ...], int] = {}
        for n in _TEXT:
            for i in range(len(tokens) - n):
                self._next[tuple(tokens[i : i + n])] = tokens[i + n]

    def follow(self, context: tuple[int, ...]) -> int | None:
        return self._next.get(context)


class Drafter:
    """Guesses tokens. It learns from answers that are done and from how its guesses fare, in bounded memory.

    Guesses change what decoding costs, never what it gives.
    """

    def __init__(self, contexts: int = 200_000) -> None:
        self._contexts = contexts
        self._past: dict[tuple[int, ...], tuple[int, int]] = {}  # a token, and its votes
        self._rates: defaultdict[int, _Rate] = defaultdict(_Rate)

    def guess(self, text: DraftText, tokens: Sequence[int]) -> Guess | None:
        """The likeliest guess at what follows `tokens`, of which only the last few matter."""
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
        """Note how a guess fared."""
        self._rates[guess.kind].add(hit)

    def learn(self, tokens: Sequence[int]) -> None:
        """Learn from an answer. The contexts that were seen longest ago are forgotten."""
        for n in _PAST:
            for i in range(len(tokens) - n):
                context, token = tuple(tokens[i : i + n]), tokens[i + n]
                old, votes = self._past.pop(context, (token, 0))
                votes += 1 if token == old else -1
                self._past[context] = (token, 1) if votes < 0 else (old, votes)
        while len(self._past) > self._contexts:
            del self._past[next(iter(self._past))]


def worth(rows: int) -> float:
    """How probable a guess must be to be worth its place in a pass that `rows` rows share.

    A guess that comes true saves its row one turn: its part of a pass, and one token. One that fails costs a token.
    """
    return 1 / (1 + PASS_IN_TOKENS / max(rows, 1))
