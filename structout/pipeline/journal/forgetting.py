"""The removal of rows from a journal, to the last byte."""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from structout.errors import DataError
from structout.parsing import Edit
from structout.pipeline.journal.notes import forget_note
from structout.pipeline.journal.tables import (
    COPY,
    FORGOTTEN,
    add,
    loaded,
    packed_outcome,
    tombstone,
    unpacked,
)
from structout.pipeline.journal.waves import without
from structout.pipeline.outcome import RowOutcome
from structout.records import outcome_texts, understood
from structout.tables.keys import key_text

Answer = Callable[[Mapping[str, Any]], bytes]  # the key in the journal of the answer to a call
HASHED = '"hashed"'  # what a journal says about its texts once they are removed
_AT_ONCE = 500  # outcomes in memory
_TAIL = 32  # bytes at the end of a packed outcome, with the checksum of its content
_DICTIONARY = 32768  # bytes


def texts(db: sqlite3.Connection, answer: Answer) -> Iterator[tuple[str, Any]]:
    """The key of each row as text, and all that the journal keeps of the row. Bytes stand for what is hashed or packed:
    its digest, its packed outcome and the keys of its answers.
    """
    for _, digest, _, data, text in _outcomes(db):
        with understood("an outcome"):
            row = loaded(text)
            answers = [answer(call) for call in _calls(row)]
            found = {"value": row.get("value"), "input": row.get("record"), **outcome_texts(_named(row))}
        yield key_text(row.get("key")), {**found, "hashes": [digest, data[-_TAIL:], *answers]}


def forget(db: sqlite3.Connection, path: Path, keys: Collection[str], answer: Answer) -> None:
    """Replace the rows with these keys by tombstones, which keep their positions alone, and rewrite the whole file.

    The answers that no other row's calls refer to are removed too: nobody can tell whose they were. The usage stays.
    The dictionary is made anew, since it is a text of a row.
    """
    needed: set[bytes] = set()
    prompts: dict[str, bytes] = {}  # of the forgotten rows

    def kept(text: bytes) -> bytes | None:
        row = loaded(text)
        if key_text(row.get("key")) in keys:
            prompts.update((call["key"], answer(call)) for call in _calls(row))
            return None
        needed.update(answer(call) for call in _calls(row))
        return text

    def settle() -> None:
        without(db, path, {prompt for prompt, key in prompts.items() if key not in needed})

    _rewrite(db, kept, needed, settle=settle)


def hash_texts(db: sqlite3.Connection) -> None:
    """Remove the texts of all rows (see `RowOutcome.hashed`) and all answers, and rewrite the whole file. The journal
    notes that its texts are `HASHED`.
    """

    def hashed(text: bytes) -> bytes:
        return json.dumps(RowOutcome.from_json(loaded(text)).hashed().to_json()).encode()

    _rewrite(db, hashed, set(), [("texts", HASHED), ("texts" + COPY, HASHED)])


def _rewrite(
    db: sqlite3.Connection,
    change: Callable[[bytes], bytes | None],
    needed: Collection[bytes],
    about: Sequence[tuple[str, str]] = (),
    settle: Callable[[], None] = lambda: None,
) -> None:
    """Write what `change` makes of each outcome's JSON (None: a tombstone) and the rows `about` the journal, and keep
    the `needed` answers alone, which may grow while outcomes are changed. Then `settle` what else depends on them. Free
    pages and the log of changes keep nothing of the former content.
    """
    dictionary, empty = b"", tombstone()
    db.execute("PRAGMA secure_delete = ON")
    db.execute("BEGIN IMMEDIATE")
    try:
        for position, digest, status, _, before in _outcomes(db):
            text = change(before)
            if text is None:
                db.execute(add("outcomes"), [position, b"", FORGOTTEN, empty])
                continue
            dictionary = dictionary or text[-_DICTIONARY:]
            db.execute(add("outcomes"), [position, digest, status, packed_outcome(text, dictionary)])
        for (key,) in db.execute("SELECT key FROM completions").fetchall():
            if key not in needed:
                db.execute("DELETE FROM completions WHERE key = ?", [key])
        settle()
        db.execute("DELETE FROM about WHERE name LIKE 'dictionary%'")
        forget_note(db)  # its checksum is of the rows before
        db.executemany(add("about"), about)
        if dictionary:
            db.executemany(add("about"), [("dictionary", dictionary), ("dictionary" + COPY, dictionary)])
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
        db.execute(statement).fetchall()


def _outcomes(db: sqlite3.Connection) -> Iterator[tuple[int, bytes, str, bytes, bytes]]:
    """Position, digest, status, packed outcome and JSON of each row that is not forgotten. Rows may be written
    meanwhile, but the dictionary that is read here is the one before.
    """
    found = db.execute("SELECT value FROM about WHERE name = 'dictionary'").fetchone()
    dictionary, last = found[0] if found else b"", -1
    some = "SELECT position, digest, status, data FROM outcomes"
    query = f"{some} WHERE position > ? AND status <> ? ORDER BY position LIMIT ?"
    while rows := db.execute(query, [last, FORGOTTEN, _AT_ONCE]).fetchall():
        for position, digest, status, data in rows:
            try:
                yield position, digest, status, data, unpacked(data, dictionary)
            except DataError as error:
                hint = "run its command again first: it asks for the row again"
                raise DataError(f"row {position + 1} of the journal is damaged: {error}", hint=hint) from error
            last = position


def _calls(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [*row.get("attempts", ()), *row.get("checks", ())]


def _named(row: dict[str, Any]) -> dict[str, Any]:
    """The row with issues and edits as objects; codec 1 wrote lists."""
    names = {"issues": ("pointer", "kind", "message"), "edits": Edit._fields}
    parts = {
        name: [one if isinstance(one, dict) else dict(zip(fields, one, strict=False)) for one in row.get(name, ())]
        for name, fields in names.items()
    }
    return {**row, **parts}
