"""The keys of rows, and the count of repeated keys."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager

from structout.document import Json
from structout.tables.rows import Row


def key_text(key: Json) -> str:
    """A key as text: a string as it is, any other key as JSON."""
    return key if isinstance(key, str) else json.dumps(key)


class Keys:
    """Counts in `repeated` the rows that have the key of an earlier row. A temporary file holds hashes of the keys, so
    that millions of keys need little memory.
    """

    def __init__(self) -> None:
        self.repeated = 0

    def seen(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows; their keys are counted as they pass."""
        with news() as is_new:
            for row in rows:
                self.repeated += not is_new(row.key)
                yield row


@contextmanager
def news() -> Iterator[Callable[[Json], bool]]:
    """A function that says whether it was not called with a key before."""
    # A temporary file, deleted when it is closed; a generator may be closed by another thread.
    with closing(sqlite3.connect("", check_same_thread=False)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("CREATE TABLE keys (key BLOB PRIMARY KEY) WITHOUT ROWID")

        def is_new(key: Json) -> bool:
            digest = hashlib.blake2b(json.dumps(key).encode(), digest_size=16).digest()
            return db.execute("INSERT OR IGNORE INTO keys VALUES (?)", [digest]).rowcount == 1

        yield is_new
