"""Search for the labelled records that are most similar to a new record."""

from collections import Counter
from collections.abc import Sequence
from math import log, sqrt

from structout.result import Example
from structout.words import plain_words


class Similar:
    """Finds the examples whose texts are most similar to a record's, by shared words.

    Rare words weigh more (idf), and the length of a text does not matter (cosine). A word with digits also counts by
    its shape, so that `35TH` is similar to `12th`.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples
        self._bags = [_bag(example.text) for example in examples]
        spread = Counter(word for bag in self._bags for word in bag)
        self._weights = {word: log(1 + len(examples) / count) for word, count in spread.items()}
        self._sizes = [self._size(bag) for bag in self._bags]

    def find(self, text: str, count: int) -> tuple[Example, ...]:
        """The `count` most similar examples; the most similar one is last, next to the record.

        An example with the same words as the record is skipped: its label would reveal the answer.
        """
        bag, words = _bag(text), plain_words(text)
        scores = [self._alike(bag, i) for i in range(len(self._examples))]
        best = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
        others = [i for i in best if plain_words(self._examples[i].text) != words]
        return tuple(self._examples[i] for i in reversed(others[:count]))

    def _alike(self, bag: frozenset[str], i: int) -> float:
        shared = sum(self._weights[word] ** 2 for word in bag & self._bags[i])
        return shared / self._sizes[i] if shared else 0.0

    def _size(self, bag: frozenset[str]) -> float:
        return sqrt(sum(self._weights[word] ** 2 for word in bag)) or 1.0


def _bag(text: str) -> frozenset[str]:
    words = plain_words(text)
    shapes = ("".join("0" if char.isdigit() else char for char in word) for word in words)
    return frozenset((*words, *(shape for shape in shapes if "0" in shape)))
