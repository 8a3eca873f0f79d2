"""How complete lists are: the share of known items that was found, and the least number of items that nobody found."""

import random
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from structout.document import Json
from structout.errors import DataError
from structout.evaluation.stats.rates import Rate, wilson
from structout.strategies.merge import canonical
from structout.strategies.pieces import has_columns

_CELLS: Final = re.compile(r"\s*[|;\t]\s*|\s{2,}")


def plant(text: str, rows: Sequence[str], seed: int = 0) -> str:
    """Put known rows into a text, each above a random row of as many columns. The same seed gives the same text.

    The share of these rows that is found afterwards (`found_share`) estimates the share of all rows that is found, if
    the planted rows look like the others. Raises `DataError` for a row to which no row of the text is alike.
    """
    lines, chance = text.splitlines(keepends=True), random.Random(seed)
    for row in rows:
        places = [at for at, line in enumerate(lines) if _is_alike(line, row)]
        if not places:
            hint = "write it as the text writes its rows, with all columns"
            raise DataError(f"no row of the text is like {row!r}", hint=hint)
        lines.insert(chance.choice(places), row.rstrip("\n") + "\n")
    return "".join(lines)


def found_share(known: Sequence[Json], found: Sequence[Json]) -> Rate:
    """The share of known items that a list has, with its 95 % interval. An item counts as often as it is known."""
    wanted = Counter(map(canonical, known))
    hits = sum((wanted & Counter(map(canonical, found))).values())
    return wilson(hits / len(known) if known else 0.0, len(known))


def least_missing(readings: Sequence[Sequence[Json]]) -> float:
    """A lower bound of the number of items that none of several readings of the same text found (Chao 1987, in the
    form with correction for bias), by how many items only one reading found, and how many just two of them found.

    It is a lower bound on average, and no more: readings of one model tend to miss the same items, which no comparison
    of readings shows. So a bound of 0 never means that a list is complete. Items are the same if they are equal; the
    second of two equal items of a reading is another item. Raises `DataError` for fewer than two readings.
    """
    if len(readings) < 2:
        raise DataError(f"got {len(readings)} readings, expected 2 or more", hint="read the text again, on its own")
    times = Counter(item for reading in readings for item in _numbered(reading))
    once, twice = (sum(number == n for number in times.values()) for n in (1, 2))
    return (len(readings) - 1) / len(readings) * once * (once - 1) / (2 * (twice + 1))


def _numbered(reading: Sequence[Json]) -> list[tuple[str, int]]:
    """The items of a reading, with the number of equal items before each."""
    seen: Counter[str] = Counter()
    found = []
    for name in map(canonical, reading):
        found.append((name, seen[name]))
        seen[name] += 1
    return found


def _is_alike(line: str, row: str) -> bool:
    columns, digits = len(_CELLS.split(line.strip())), any(map(str.isdigit, line))
    return (has_columns(line) or ";" in line) and digits and columns == len(_CELLS.split(row.strip()))
