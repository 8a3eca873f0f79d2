"""Merging of documents by majority vote."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from structout.document import Json, scalars, with_whole_numbers
from structout.issue import pointer

_ABSENT: Any = object()
Places = dict[int, int]  # ballot -> index of an element in its list


class Ballot(NamedTuple):
    """A document with the log-probability that resolves ties."""

    node: Any
    weight: float


class Merged(NamedTuple):
    """The majority's document; the share of ballots that agree on each leaf, by JSON Pointer; the least lead.

    `lead` is the least lead of any decision: fewer further ballots than this cannot reverse a decision.
    """

    document: Json
    agreement: dict[str, float]
    lead: int


def merge(ballots: Sequence[Ballot]) -> Merged:
    """Merge documents: objects by key, lists by element, scalars by majority (Wang et al., arXiv 2203.11171, by field).

    A key may be voted out. A list gets the greatest length that more than half of the lists reach.
    """
    agreement: dict[str, float] = {}
    leads: list[int] = [len(ballots)]  # the next ballots may bring up new values
    node = _merge(list(ballots), (), len(ballots), agreement, leads)
    return Merged(node, agreement, min(leads))


def majority(ballots: Sequence[Ballot]) -> Merged:
    """The whole document that most ballots agree on."""
    share, lead, node = _lead([(canonical(one.node), one) for one in ballots])
    return Merged(node, {place: share / len(ballots) for place in scalars(node)}, lead)


def canonical(node: Json) -> str:
    """The same text for equal documents (JSON Schema, 4.2.2): 6 equals 6.0, but true does not equal 1."""
    return json.dumps(with_whole_numbers(node), sort_keys=True)


def as_written(document: Json, originals: Sequence[Json]) -> Json:
    """The document without the keys that no original has, which are defaults."""
    if isinstance(document, dict):
        known = [one for one in originals if isinstance(one, dict)]
        inner = {key: [one[key] for one in known if key in one] for key in document}
        return {key: as_written(value, inner[key]) for key, value in document.items() if inner[key]}
    if isinstance(document, list):
        elements = [element for one in originals if isinstance(one, list) for element in one]
        return [as_written(element, elements) for element in document]
    return document


def _kind(node: Json) -> str:
    if node is _ABSENT:
        return "absent"
    return type(node).__name__ if isinstance(node, dict | list) else canonical(node)


def _lead(named: Sequence[tuple[str, Ballot]]) -> tuple[int, int, Any]:
    """The number of ballots for the most frequent value, its lead, and the value.

    Ties go to the likelier value, then to the first.
    """
    counts = Counter(name for name, _ in named)
    weights = {name: max(one.weight for other, one in named if other == name) for name in counts}
    order = sorted(counts, key=lambda name: (-counts[name], -weights[name]))
    best = order[0]
    second = counts[order[1]] if len(order) > 1 else 0
    return counts[best], counts[best] - second, next(one.node for name, one in named if name == best)


def _merge(
    ballots: list[Ballot], path: tuple[str | int, ...], total: int, agreement: dict[str, float], leads: list[int]
) -> Any:
    count, lead, node = _lead([(_kind(one.node), one) for one in ballots])
    leads.append(lead)
    if node is _ABSENT:
        return node
    alike = [one for one in ballots if _kind(one.node) == _kind(node)]
    if isinstance(node, dict):
        merged: dict[str, Json] = {}
        for key in dict.fromkeys(key for one in alike for key in one.node):
            inner = [Ballot(one.node.get(key, _ABSENT), one.weight) for one in alike]
            found = _merge(inner, (*path, key), total, agreement, leads)
            if found is not _ABSENT:
                merged[key] = found
        return merged
    if isinstance(node, list):
        return _merge_lists(alike, path, total, agreement, leads)
    agreement[pointer(path)] = count / total
    return node


def _merge_lists(
    ballots: list[Ballot], path: tuple[str | int, ...], total: int, agreement: dict[str, float], leads: list[int]
) -> Json:
    """The merged list, with as many elements as the majority has.

    It takes the elements on which a majority agrees as a whole, then merges the first remaining elements of all lists,
    then the second ones, and so on. An element that occurs twice counts as two elements.
    """
    at: dict[tuple[str, int], Places] = defaultdict(dict)  # an element and its occurrence
    for i, one in enumerate(ballots):
        seen: Counter[str] = Counter()
        for index, element in enumerate(one.node):
            name = canonical(element)
            at[name, seen[name]][i] = index
            seen[name] += 1
    leads += [abs(2 * len(places) - len(ballots)) for places in at.values()]
    chosen = [places for places in at.values() if _carries(places, ballots)]
    longer = [[i for i, one in enumerate(ballots) if len(one.node) > k] for k in range(max(_lengths(ballots)))]
    leads += [abs(2 * len(some) - len(ballots)) for some in longer]
    count = sum(_carries(some, ballots) for some in longer)
    taken = {(i, index) for places in chosen for i, index in places.items()}
    left = [[index for index in range(size) if (i, index) not in taken] for i, size in enumerate(_lengths(ballots))]
    for k in range(count - len(chosen)):
        chosen.append({i: rest[k] for i, rest in enumerate(left) if len(rest) > k})
    merged: list[Json] = []
    for index, places in enumerate(_in_order(chosen, leads)):
        inner = [Ballot(ballots[i].node[place], ballots[i].weight) for i, place in places.items()]
        merged.append(_merge(inner, (*path, index), total, agreement, leads))
    return merged


def _lengths(ballots: Sequence[Ballot]) -> list[int]:
    return [len(one.node) for one in ballots]


def _carries(having: Collection[int], ballots: Sequence[Ballot]) -> bool:
    """Whether more than half of the ballots are in `having`; a tie goes to the likelier side, then to the first one."""
    lacking = max((one.weight for i, one in enumerate(ballots) if i not in having), default=float("-inf"))
    most = max(ballots[i].weight for i in having)
    return (2 * len(having), most, 0 in having) > (len(ballots), lacking, False)


def _in_order(elements: list[Places], leads: list[int]) -> list[Places]:
    """Elements in their most frequent order: each after the elements that more lists have before it than after it."""
    before = [0] * len(elements)
    for i, one in enumerate(elements):
        for j, other in enumerate(elements[:i]):
            votes = sum(1 if other[k] < one[k] else -1 for k in one.keys() & other.keys())
            leads.append(abs(votes))
            before[i] += votes > 0
            before[j] += votes < 0
    return [elements[i] for i in sorted(range(len(elements)), key=before.__getitem__)]
