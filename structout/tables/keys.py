"""The keys of rows, and the count of repeated keys."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing

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
        # A temporary file, deleted when it is closed; a generator may be closed by another thread.
        with closing(sqlite3.connect("", check_same_thread=False)) as db:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("CREATE TABLE keys (key BLOB PRIMARY KEY) WITHOUT ROWID")
            for row in rows:
                key = hashlib.blake2b(json.dumps(row.key).encode(), digest_size=16).digest()
                self.repeated += 1 - db.execute("INSERT OR IGNORE INTO keys VALUES (?)", [key]).rowcount
                yield row
