"""The damage of a journal, and the rescue of its other rows."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from structout.pipeline.journal.tables import (
    ADDED,
    COPY,
    FORGOTTEN,
    LATER,
    STATUSES,
    TABLES,
    UNSEALED,
    VERSION,
    add,
    create,
    interruptible,
    seal_of,
    stored,
)
from structout.pipeline.journal.waves import LOST, put

_ROW = 128  # bytes of the smallest row
_QUESTIONS = 2_000  # to a table with unreadable pages; about a millisecond each
_LAST = 2**63 - 1  # position
_KEY = 32  # bytes of the key of a completion
_POSSIBLE = {
    "about": "typeof(value) = iif(name LIKE 'dictionary%', 'blob', 'text')",
    "outcomes": f"position >= 0 AND status IN ({', '.join(map(repr, STATUSES))})"
    " AND typeof(digest) = 'blob' AND typeof(data) = 'blob'",
    "completions": f"typeof(key) = 'blob' AND length(key) = {_KEY} AND typeof(data) = 'text'",
    "spent": "calls >= 0 AND input_tokens >= 0 AND output_tokens >= 0 AND seconds >= 0"
    " AND typeof(calls) || typeof(input_tokens) || typeof(output_tokens) = 'integerintegerinteger'"
    " AND typeof(seconds) = 'real' AND "
    + " AND ".join(f"{column} >= 0 AND typeof({column}) = 'integer'" for column in LATER),
    "batches": "typeof(model) || typeof(data) = 'texttext'",
}
_NAMED = 10  # stretches of rows in a message


@dataclass
class Damage:
    """The lost parts of a journal: stretches of `rows` as first and last position (None: the last is unknown), whether
    `answers` are lost, and the names of `others`.
    """

    rows: list[tuple[int, int | None]] = field(default_factory=list)
    answers: bool = False
    others: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [named(self.rows)] if self.rows else []
        if self.answers:
            parts.append("some of the answers")
        if "spent" in self.others:
            parts.append("the earlier spending (a budget counts from here on)")
        if "batches" in self.others:
            parts.append("what waits at a provider of batches")
        return " and ".join(parts)


def named(rows: list[tuple[int, int | None]]) -> str:
    """Stretches of positions as text, with row numbers from 1."""
    merged: list[tuple[int, int | None]] = []
    for first, last in sorted(rows, key=lambda row: row[0]):
        before = merged[-1] if merged else None
        if before and (before[1] is None or first <= before[1] + 1):
            ends = None if before[1] is None or last is None else max(before[1], last)
            merged[-1] = (before[0], ends)
        else:
            merged.append((first, last))
    if merged == [(0, None)]:
        return "all rows"
    shown = [_stretch(first, last) for first, last in merged[:_NAMED]]
    if len(merged) > _NAMED:
        shown.append(f"{len(merged) - _NAMED:,} other stretches")
    single = len(merged) == 1 and merged[0][0] == merged[0][1]
    return ("row " if single else "rows ") + " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _stretch(first: int, last: int | None) -> str:
    if last is None:
        return f"{first + 1:,} to the end"
    return f"{first + 1:,}" if first == last else f"{first + 1:,} to {last + 1:,}"


def is_whole(db: sqlite3.Connection) -> bool:
    """Whether the pages of a journal are consistent, and the checksums of all rows are right."""
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        return False
    return not any(
        db.execute(f"SELECT 1 FROM {table} WHERE NOT ({_trusted(table)}) LIMIT 1").fetchone() for table in TABLES
    )


def _trusted(table: str, version: int = VERSION) -> str:
    """The condition for a row that is as it was written (SQL)."""
    seal = "TRUE" if version == UNSEALED else f"seal IS {seal_of(table, version)}"
    return f"{seal} AND ({_POSSIBLE[table]}) IS TRUE"


def rescue(db: sqlite3.Connection, new: sqlite3.Connection, size: int, version: int) -> Damage:
    """Copy all readable and trustworthy rows of a journal of `size` bytes and a version into an empty database."""
    damage = Damage()
    new.execute("BEGIN")
    create(new)
    for table in [one for one in TABLES if version > UNSEALED or one not in ADDED]:
        for cells in _readable(_Reading(db, table, version), size, damage):
            new.execute(add(table), cells)
    _pair(new, damage)
    if "batches" in damage.others:
        put(new, "", LOST)
    new.execute("COMMIT")
    return damage


def _pair(new: sqlite3.Connection, damage: Damage) -> None:
    """Restore the copies of the rows in `about`. Without the dictionary, the packed outcomes are lost."""
    whole = dict(new.execute("SELECT name, value FROM about"))
    for name, value in whole.items():
        for twin in (name.removesuffix(COPY), name.removesuffix(COPY) + COPY):
            new.execute(add("about"), [twin, value])
    damage.others = [one for one in damage.others if one.removesuffix(COPY) not in whole and one + COPY not in whole]
    if not whole.keys() & {"dictionary", "dictionary" + COPY} and new.execute("SELECT 1 FROM outcomes").fetchone():
        new.execute(f"DELETE FROM outcomes WHERE status <> '{FORGOTTEN}'")
        damage.rows = [(0, None)]


@dataclass(frozen=True)
class _Reading:
    """A table that may be damaged."""

    db: sqlite3.Connection
    table: str
    version: int

    def rows(self, where: str = "", bounds: Sequence[Any] = ()) -> Iterator[tuple[list[Any], bool]]:
        """Rows without their checksums, and whether each is trustworthy. Raises `sqlite3.DatabaseError`."""
        with interruptible():
            for *cells, trusted in self.db.execute(self._query + where, bounds):
                yield cells, bool(trusted)

    @cached_property
    def _query(self) -> str:
        trusted = _trusted(self.table, self.version)
        return f"SELECT {', '.join(TABLES[self.table])}, {trusted} FROM {stored(self.table, self.version)}"


def _readable(reading: _Reading, size: int, damage: Damage) -> Iterator[list[Any]]:
    """The readable and trustworthy rows of a table. Adds all other rows to `damage`."""
    most = max(1, size // _ROW)
    if reading.table == "outcomes":
        for found in _around(reading, _Keys("position", int, int, _LAST, most, 0), most):
            if isinstance(found, list):
                yield found
            elif found[1] >= 0:
                damage.rows.append((found[0], None if found[1] == _LAST else found[1]))
            else:
                damage.others.append("a row before the first")
    elif reading.table == "completions":
        last = 2 ** (8 * _KEY) - 1
        for found in _around(reading, _Keys("key", _number, _key, last, last, last // most), most):
            if isinstance(found, list):
                yield found
            else:
                damage.answers = True
    else:
        try:
            for cells, whole in reading.rows():
                if whole:
                    yield cells
                else:
                    damage.others.append(str(cells[0]) if reading.table == "about" else reading.table)
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            damage.others.append(reading.table)


def _number(key: Any) -> int:
    return int.from_bytes(key[:_KEY]) if isinstance(key, bytes) else 0


def _key(number: int) -> bytes:
    return number.to_bytes(_KEY)


@dataclass(frozen=True)
class _Keys:
    """The keys of a table as numbers from 0 to `last`. The search for single rows ends at `far`, and at stretches of at
    most `finest` keys.
    """

    column: str
    number: Callable[[Any], int]
    at: Callable[[int], Any]
    last: int
    far: int
    finest: int


def _around(reading: _Reading, keys: _Keys, most: int) -> Iterator[list[Any] | tuple[int, int]]:
    """The trustworthy rows, and the stretches that may hold lost rows.

    The search approaches an unreadable page from both sides, and halves the stretch between them, breadth first. It
    ends for any damage: after `_QUESTIONS` failed queries, or four times the possible number of rows.
    """
    stretches = deque([(0, keys.last)])
    questions = rows = 0
    while stretches:
        first, last = stretches.popleft()
        for order in ("ASC", "DESC"):
            where = f" WHERE {keys.column} BETWEEN ? AND ? ORDER BY {keys.column} {order}"
            try:
                for cells, whole in reading.rows(where, [keys.at(first), keys.at(last)]):
                    rows += 1
                    if rows > 4 * most:
                        break
                    place = keys.number(cells[0])
                    if not whole:
                        yield place, place
                        continue
                    yield cells
                    first, last = (max(first, place + 1), last) if order == "ASC" else (first, min(last, place - 1))
                else:
                    first = last + 1
            except (sqlite3.DatabaseError, UnicodeDecodeError):
                questions += 1
            if first > last:
                break
        if first <= last and last > keys.far:
            yield max(first, keys.far + 1), last
            last = keys.far
        if first > last:
            continue
        if last - first <= keys.finest or questions > _QUESTIONS or rows > 4 * most:
            yield first, last
        else:
            middle = (first + last) // 2
            stretches += [(first, middle), (middle + 1, last)]
