"""Keys that should tell rows apart, and whether they do."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator

from structout.tables.rows import Row


class Keys:
    """Counts in `repeated` the rows whose key an earlier one has. The keys are kept on disk, as hashes, as long as this
    is there: a million of them are no matter of memory.
    """

    def __init__(self) -> None:
        self.repeated = 0
        self._db = sqlite3.connect("")  # a file of its own that goes when it is closed
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("CREATE TABLE keys (key BLOB PRIMARY KEY) WITHOUT ROWID")

    def seen(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, noted as they come."""
        for row in rows:
            key = hashlib.blake2b(json.dumps(row.key).encode(), digest_size=16).digest()
            self.repeated += 1 - self._db.execute("INSERT OR IGNORE INTO keys VALUES (?)", [key]).rowcount
            yield row
        self._db.close()
