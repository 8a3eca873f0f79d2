"""The answers that a journal keeps, as JSON by the keys of their prompts."""

import sqlite3
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from structout.completion import Completion
from structout.errors import DataError, StructoutWarning
from structout.pipeline.journal.tables import loaded
from structout.records import completion_of

_AT_ONCE: Final = 10_000  # keys in a query


def answers_in(db: sqlite3.Connection, keys: Sequence[bytes] | None = None) -> dict[bytes, str]:
    """The answers with these keys as JSON, or all of them."""
    if keys is None:
        return dict(db.execute("SELECT key, data FROM completions"))
    found: dict[bytes, str] = {}
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        found.update(db.execute(f"SELECT key, data FROM completions WHERE key IN ({','.join('?' * len(some))})", some))
    return found


def forget_answers(db: sqlite3.Connection, keys: Iterable[bytes]) -> None:
    """Forget the answers with these keys, within a transaction."""
    db.executemany("DELETE FROM completions WHERE key = ?", [[key] for key in keys])


def answers_of(kept: Mapping[bytes, str]) -> dict[bytes, Completion]:
    """The completions from a journal's JSON, by their keys. A damaged answer is skipped with a warning."""
    found = {}
    for key, data in kept.items():
        try:
            found[key] = completion_of(loaded(data))
        except DataError as error:
            warnings.warn(f"an answer in the journal is damaged and is asked again: {error}", StructoutWarning, 3)
    return found
