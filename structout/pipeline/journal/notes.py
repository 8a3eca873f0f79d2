"""The note of a journal: what a run knows of the outcomes, with a checksum of these outcomes and their dictionary."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from structout.errors import DataError
from structout.pipeline.journal.tables import COPY, add, dumped, loaded

_NAME = "note"
_SUMS = "SELECT count(*), sum(seal), (SELECT seal FROM about WHERE name = 'dictionary') FROM outcomes"


def note(db: sqlite3.Connection, by: str, state: Mapping[str, Any]) -> None:
    """Keep what the run `by` knows of all outcomes, within a transaction."""
    last, sums = db.execute("SELECT max(position) FROM outcomes").fetchone()[0], db.execute(_SUMS).fetchone()
    value = dumped({"by": by, "last": -1 if last is None else last, "sums": sums, "state": state}).decode()
    db.executemany(add("about"), [(_NAME, value), (_NAME + COPY, value)])


def noted(db: sqlite3.Connection, by: str) -> tuple[int, dict[str, Any]]:
    """The last row of the note that the run `by` left, and what it knew; -1 and nothing without a note, and if the
    outcomes up to this row are no longer the same.
    """
    row = db.execute("SELECT value FROM about WHERE name = ?", [_NAME]).fetchone()
    try:
        found = loaded(row[0]) if row else {}
        if found.get("by") == by:
            last, state = int(found["last"]), dict(found["state"])
            if found["sums"] == list(db.execute(f"{_SUMS} WHERE position <= ?", [last]).fetchone()):
                return last, state
    except (DataError, AttributeError, KeyError, TypeError, ValueError):
        pass
    return -1, {}


def forget_note(db: sqlite3.Connection) -> None:
    """Remove the note, so that the next run judges every outcome."""
    db.execute(f"DELETE FROM about WHERE name LIKE '{_NAME}%'")
