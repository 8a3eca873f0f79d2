"""The places of a list's items in a text, so that an item that two windows show is known to be one item."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from structout.document import Json, leaves
from structout.strategies.merge import canonical
from structout.verifiers.numbers import in_ascii, numbers
from structout.words import plain_words

MOST: Final = 4_000_000  # pairs of an item and a piece: more are not compared
_HUGE: Final = 1e300
_SHARED: Final = 0.25  # what a second item of a piece costs, so that equal rows are found in different pieces
_IN_ORDER: Final = 0.8  # of the likeness of the items to their pieces, if the items follow the text


def marks(text: str) -> frozenset[str | float]:
    """The words of a text, and all readings of its numbers."""
    return frozenset((*plain_words(text), *(float(one.value) for one in numbers(in_ascii(text)))))


def item_marks(item: Json) -> frozenset[str | float]:
    """The words and numbers that an item says."""
    said: set[str | float] = set()
    for value in leaves(item).values():
        if isinstance(value, str):
            said.update(marks(value))
        elif not isinstance(value, bool):
            said.add(float(value) if abs(value) < _HUGE else str(value))
    return frozenset(said)


def places(items: Sequence[Json], parts: Sequence[frozenset[str | float]]) -> list[int | None]:
    """For each item, the number of the part of a text that says most of it; None if no part says any of it.

    `parts` are the `marks` of each part. Items are expected in the order of the text, so equal items are found in
    different parts. If they have another order, each is found alone. Raises `ValueError` for more than `MOST` pairs.
    """
    if len(items) * len(parts) > MOST:
        raise ValueError(f"{len(items):,} items in {len(parts):,} pieces")
    common = Counter(mark for part in parts for mark in part)
    where: dict[str | float, list[int]] = defaultdict(list)
    for number, part in enumerate(parts):
        for mark in part:
            where[mark].append(number)
    likeness = [_likeness(item, where, common) for item in items]
    chosen, total = _in_order(likeness, len(parts))
    if total < _IN_ORDER * sum(max(one.values(), default=0.0) for one in likeness):
        chosen = _each(items, likeness)
    return [place if one else None for place, one in zip(chosen, likeness, strict=True)]


def _likeness(
    item: Json, where: Mapping[str | float, Sequence[int]], common: Mapping[str | float, int]
) -> dict[int, float]:
    """How much of an item each part says, from 0 to 1, where rare words weigh more."""
    weights = {mark: 1 / common[mark] for mark in item_marks(item) if mark in common}
    whole = sum(weights.values())
    found: dict[int, float] = defaultdict(float)
    for mark, weight in weights.items():
        for number in where[mark]:
            found[number] += weight / whole
    return dict(found)


def _in_order(likeness: Sequence[Mapping[int, float]], size: int) -> tuple[list[int], float]:
    """The parts of items that follow the text, with the greatest likeness in all, and this likeness."""
    if not likeness or not size:
        return [0] * len(likeness), 0.0
    best, back = [0.0] * size, list[list[int]]()
    for one in likeness:
        shared = _SHARED if one and back else 0.0
        origin, now, top = list[int](), list[float](), 0
        for at, score in enumerate(best):
            if at and best[top] >= score - shared:
                origin.append(top)
            else:
                origin.append(at)
            now.append(max(best[top] if at else score - shared, score - shared) + one.get(at, 0.0))
            top = at if score > best[top] else top
        back.append(origin)
        best = now
    place = max(range(size), key=lambda at: best[at])
    total, chosen = best[place], list[int]()
    for origin in reversed(back):
        chosen.append(place)
        place = origin[place]
    return chosen[::-1], total


def _each(items: Sequence[Json], likeness: Sequence[Mapping[int, float]]) -> list[int]:
    """The likeliest part of each item; of equal items, the first is found in the first such part, and so on."""
    seen: Counter[str] = Counter()
    chosen = []
    for item, one in zip(items, likeness, strict=True):
        most = max(one.values(), default=0.0)
        parts = sorted(number for number, score in one.items() if score > most - 1e-9)
        name = canonical(item)
        chosen.append(parts[min(seen[name], len(parts) - 1)] if parts else 0)
        seen[name] += 1
    return chosen
