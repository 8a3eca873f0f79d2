"""Is a document right? Leaf by leaf."""

from dataclasses import dataclass

from structout.document import Json, leaves


@dataclass(frozen=True, slots=True)
class Score:
    """How many leaves were to be got right, and how many were.

    The leaves are those of the expected document and those of the answer, each place once: one that is missing, one
    that is wrong and one that was made up each count as one that is not right.
    """

    right: int
    leaves: int

    @property
    def all_right(self) -> bool:
        return self.right == self.leaves


def score(expected: Json, document: Json) -> Score:
    """Compare an answer with the expected document. Lists are compared item by item, in order.

    A null says the same as an absent key, and neither is a leaf: agreeing that there is nothing earns nothing.
    Text must be equal to the letter, numbers in value.
    """
    gold, answer = leaves(expected), leaves(document)
    right = sum(1 for place, value in gold.items() if place in answer and _equal(value, answer[place]))
    return Score(right, len(gold | answer))


def _equal(one: str | float | bool, other: str | float | bool) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other
