"""Scores of documents, leaf by leaf."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from structout.document import Json
from structout.evaluation.scoring.comparison import EXACT, Comparison, where
from structout.issue import Steps, pointer

LeafVerdict = Literal["right", "wrong value", "wrong type", "missing", "invented"]
_PLAIN = Comparison()
_MOST_PAIRS = 10_000


@dataclass(frozen=True, slots=True)
class Leaf:
    """One scalar of the expected document or of the answer; None in either stands for an absent value.

    `pointer` is its place, after the items of sets were paired with the expected items; `field` is the place with `*`
    for the items of lists.
    """

    pointer: str
    field: str
    verdict: LeafVerdict
    expected: Json
    answer: Json


@dataclass(frozen=True, slots=True)
class Score:
    """The number of `leaves`, and how many of them are `right`.

    The leaves are those of the expected document and of the answer, each place once: a missing leaf, a wrong leaf and
    an invented leaf each count as one leaf that is not right.
    """

    right: int
    leaves: int
    found: tuple[Leaf, ...] = field(default=(), compare=False, repr=False)

    @property
    def all_right(self) -> bool:
        """Whether every leaf is right."""
        return self.right == self.leaves


def score(expected: Json, document: Json, comparison: Comparison = _PLAIN) -> Score:
    """Compare an answer with the expected document: as `comparison` declares, otherwise exactly.

    Lists are compared item by item in order; sets by the pairing that makes most leaves right. A null means the same
    as an absent key, and neither is a leaf: agreeing on an absent value earns nothing.
    """
    document = _aligned(expected, document, (), comparison)
    gold, answers = dict(_leaves(expected, (), comparison)), dict(_leaves(document, (), comparison))
    found = tuple(_leaf(path, gold.get(path), answers.get(path), comparison) for path in gold | answers)
    return Score(sum(leaf.verdict == "right" for leaf in found), len(found), found)


def _leaf(path: Steps, expected: Json, answer: Json, comparison: Comparison) -> Leaf:
    return Leaf(pointer(path), where(path), _judge(path, expected, answer, comparison), expected, answer)


def _judge(path: Steps, expected: Json, answer: Json, comparison: Comparison) -> LeafVerdict:
    if answer is None:
        return "missing"
    if expected is None:
        return "invented"
    if (comparison.at(path) or EXACT).same(expected, answer):
        return "right"
    return "wrong value" if _kind(expected) is _kind(answer) else "wrong type"


def _kind(value: Json) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


def _leaves(node: Json, path: Steps, comparison: Comparison) -> Iterator[tuple[Steps, Json]]:
    """The paths and values of leaves: scalars but nulls, and lists and objects that are compared as a whole."""
    if node is None:
        return
    rule = comparison.at(path)
    if rule is not None and rule.by == "ignore":
        return
    if isinstance(node, dict | list) and (rule is None or rule.by == "set"):
        steps: Iterable[tuple[str | int, Json]] = node.items() if isinstance(node, dict) else enumerate(node)
        for step, value in steps:
            yield from _leaves(value, (*path, step), comparison)
    else:
        yield path, node


def _aligned(expected: Json, answer: Json, path: Steps, comparison: Comparison) -> Json:
    """The answer with the items of sets moved to the places of the expected items that they match best."""
    if not comparison.has_sets:
        return answer
    if isinstance(expected, dict) and isinstance(answer, dict):
        return {key: _aligned(expected.get(key), value, (*path, key), comparison) for key, value in answer.items()}
    if isinstance(expected, list) and isinstance(answer, list):
        rule = comparison.at(path)
        if rule is not None and rule.by == "set" and len(expected) * len(answer) <= _MOST_PAIRS:
            answer = _paired(expected, answer, path, comparison)
        beside = [*expected, *[None] * len(answer)]
        return [_aligned(beside[i], item, (*path, i), comparison) for i, item in enumerate(answer)]
    return answer


def _paired(expected: list[Json], answer: list[Json], path: Steps, comparison: Comparison) -> list[Json]:
    from scipy.optimize import linear_sum_assignment

    def right(place: int, item: Json) -> int:
        inner = _aligned(expected[place], item, (*path, place), comparison)
        gold = _leaves(expected[place], (*path, place), comparison)
        given = dict(_leaves(inner, (*path, place), comparison))
        return sum(_judge(at, value, given.get(at), comparison) == "right" for at, value in gold)

    worth = [[right(place, item) for item in answer] for place in range(len(expected))]
    pairs = linear_sum_assignment(worth, maximize=True) if expected and answer else ((), ())
    taken = dict(zip(map(int, pairs[0]), map(int, pairs[1]), strict=True))
    left = [item for at, item in enumerate(answer) if at not in taken.values()]
    return [answer[taken[place]] if place in taken else None for place in range(len(expected))] + left
