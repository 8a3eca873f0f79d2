"""The labels nearest to a text, by the words of labelled texts, of the labels' names and of what the labels mean."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

_PATTERN = re.compile(r"[a-z]+")
_COMMON = frozenset(_PATTERN.findall(
    "a all although and are at do does for has have in is it its no not of on or out that the there this through to "
    "too with"
))  # fmt: skip


class Nearest:
    """Finds labels for each clause of a text: by words that are more common with a label than without it.

    `learned` are texts with their labels. `described` says what each label means; the words of its name and meaning
    count as one text that has the label.
    """

    def __init__(self, learned: Iterable[tuple[str, Iterable[str]]], described: Mapping[str, str]) -> None:
        self._by_label = {label: Counter(words(f"{label} {told}") - _COMMON) for label, told in described.items()}
        self._overall: Counter[str] = Counter()
        self._sizes: Counter[str] = Counter()
        self._count = 0
        for text, labels in learned:
            found = words(text)
            self._count += 1
            self._overall.update(found)
            for label in labels:
                self._sizes[label] += 1
                self._by_label[label].update(found)

    def find(self, text: str, count: int) -> list[str]:
        """At most `count` labels, the nearest of each clause first."""
        _, _, told = text.rpartition(": ")
        ranked = [self._ranked(words(clause)) for clause in re.split(r"; |\. ", told)]
        return list(islice(dict.fromkeys(label for rank in zip(*ranked, strict=True) for label in rank), count))

    def _ranked(self, clause: frozenset[str]) -> Sequence[str]:
        return sorted(self._by_label, key=lambda label: -self._score(label, clause))

    def _score(self, label: str, clause: frozenset[str]) -> float:
        own, size = self._by_label[label], self._sizes[label]
        return sum(
            math.log((own[word] + 0.1) / (size + 1) / ((self._overall[word] + 0.5) / (self._count + 1)))
            for word in clause
            if own[word]
        )


def words(text: str) -> frozenset[str]:
    """The words of a text, in lower case."""
    return frozenset(_PATTERN.findall(text.lower()))
