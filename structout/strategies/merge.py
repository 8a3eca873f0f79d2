"""Several documents made one, by the majority at each place."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from structout.document import Json, scalars
from structout.issue import pointer

_ABSENT: Any = object()


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
    2203.11171, by the field). A key may be voted out; an element of a list is in if more than half have it.
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
    return json.dumps(node, sort_keys=True)


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
    """The elements that most have, in the order in which they mostly stand. One that stands twice counts as two."""
    at: dict[tuple[str, int], dict[int, int]] = defaultdict(dict)  # element and occurrence -> ballot -> index
    for i, one in enumerate(ballots):
        seen: Counter[str] = Counter()
        for index, element in enumerate(one.node):
            name = canonical(element)
            at[name, seen[name]][i] = index
            seen[name] += 1
    chosen = []
    for (name, _), places in at.items():
        leads.append(abs(2 * len(places) - len(ballots)))
        having = max(ballots[i].weight for i in places)
        lacking = max((one.weight for i, one in enumerate(ballots) if i not in places), default=float("-inf"))
        if (2 * len(places), having) > (len(ballots), lacking):
            chosen.append((sum(places.values()) / len(places), name, len(places)))
    chosen.sort(key=lambda item: item[0])
    merged: list[Json] = []
    for index, (_, name, count) in enumerate(chosen):
        merged.append(json.loads(name))
        for place in scalars(merged[-1]):
            agreement[pointer((*path, index)) + place] = count / total
    return merged
