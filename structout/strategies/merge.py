"""Several documents made one, by the majority at each place."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from structout.document import Json, scalars
from structout.issue import pointer

_ABSENT: Any = object()
Places = dict[int, int]  # ballot -> index of an element in its list


class Ballot(NamedTuple):
    """A document with the log-probability that resolves ties."""

    node: Any
    weight: float


class Merged(NamedTuple):
    """What the majority says; per leaf, by JSON Pointer, the share that says so; and the least lead of any decision.

    More ballots than that lead could turn a decision, and no fewer.
    """

    document: Json
    agreement: dict[str, float]
    lead: int


def merge(ballots: Sequence[Ballot]) -> Merged:
    """Merge documents: objects by key, lists by element, and what is neither by the majority (Wang et al., arXiv
    2203.11171, by the field). A key may be voted out; a list has as many elements as more than half have at least.
    """
    agreement: dict[str, float] = {}
    leads: list[int] = [len(ballots)]  # nobody has seen what the next ballot may bring up
    node = _merge(list(ballots), (), len(ballots), agreement, leads)
    return Merged(node, agreement, min(leads))


def majority(ballots: Sequence[Ballot]) -> Merged:
    """The document that most ballots agree on as a whole."""
    share, lead, node = _lead([(canonical(one.node), one) for one in ballots])
    return Merged(node, {place: share / len(ballots) for place in scalars(node)}, lead)


def canonical(node: Json) -> str:
    """A name that documents share if they are equal (JSON Schema, 4.2.2): 6 and 6.0 are, true and 1 are not."""
    return json.dumps(_whole(node), sort_keys=True)


def _whole(node: Json) -> Json:
    if isinstance(node, dict):
        return {key: _whole(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_whole(value) for value in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node


def as_written(document: Json, originals: Sequence[Json]) -> Json:
    """The document without the keys that no original has: defaults, which nobody said."""
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
    """How many ballots have what most have, by how many it leads, and what it is.

    Ties go to the likelier, then to the first.
    """
    counts = Counter(name for name, _ in named)
    weights = {name: max(one.weight for other, one in named if other == name) for name in counts}
    order = sorted(counts, key=lambda name: (-counts[name], -weights[name]))
    best = order[0]
    behind = counts[order[1]] if len(order) > 1 else 0
    return counts[best], counts[best] - behind, next(one.node for name, one in named if name == best)


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
    """As many elements as most have: those that most have as a whole, and for the rest the first that is left of each
    list made one, then the second. One that stands twice counts as two.
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
    """Whether more than half have something; a tie goes to the likelier side, then to that of the first."""
    lacking = max((one.weight for i, one in enumerate(ballots) if i not in having), default=float("-inf"))
    most = max(ballots[i].weight for i in having)
    return (2 * len(having), most, 0 in having) > (len(ballots), lacking, False)


def _in_order(elements: list[Places], leads: list[int]) -> list[Places]:
    """Elements as they mostly stand: each after those that more lists have before it than behind it."""
    before = [0] * len(elements)
    for i, one in enumerate(elements):
        for j, other in enumerate(elements[:i]):
            votes = sum(1 if other[k] < one[k] else -1 for k in one.keys() & other.keys())
            leads.append(abs(votes))
            before[i] += votes > 0
            before[j] += votes < 0
    return [elements[i] for i in sorted(range(len(elements)), key=before.__getitem__)]
