"""`structout forget`: the journal of a run and the files that belong to it, without some rows."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from glob import escape
from pathlib import Path
from typing import Any

from structout.errors import SpecError
from structout.models import identity
from structout.pipeline.journal.journal import Journal
from structout.pipeline.recorded import completion_key
from structout.tables.kept_rows import output, quarantine
from structout.tables.removal import Holder, OtherFile

_BESIDE = ("", "-wal", "-shm", "-journal")


class JournalRows:
    """The rows of a journal, which is locked until `close`. A damaged journal is refused, and not repaired.

    Raises `JournalError`, and `SpecError` if the file is missing.
    """

    def __init__(self, place: str) -> None:
        self.name = place
        if not Path(place).is_file():
            raise SpecError(f"cannot read {place}: it is not a file", hint="give the journal of a run")
        self._journal = Journal(place, {}, only=(), adopt=False, repair=False)
        self._identity = cache(identity)

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The rows that are not forgotten yet."""
        return self._journal.texts(self._answer)

    def remove(self, keys: Collection[str]) -> None:
        """Replace the rows by tombstones, and remove their answers."""
        self._journal.forget(keys, self._answer)

    def close(self) -> None:
        """Close the journal, which empties its log of changes."""
        self._journal.close()

    def files(self) -> Sequence[Path]:
        """The journal, what SQLite keeps beside it, and the damaged journals that earlier runs put aside."""
        place = Path(os.path.realpath(self.name))
        found = [Path(f"{place}{end}") for end in _BESIDE]
        return [one for one in (*found, *sorted(place.parent.glob(f"{escape(place.name)}.damaged*"))) if one.is_file()]

    def _answer(self, call: Mapping[str, Any]) -> bytes:
        return completion_key(self._identity(call["model"]), call["key"])


def holders(journal: str, outputs: str | None = None, set_aside: str | None = None) -> list[Holder]:
    """What holds the rows of a run: its output, its quarantine and, last, its journal, which knows most of a row.

    A file that is not named is looked for where `structout run` puts it, beside the journal. An output that is found
    there and is not ours to rewrite is only searched. Raises `StructoutError` as soon as a file cannot be used.
    """
    found: list[Holder] = []
    stem = journal.removesuffix(".journal")
    if outputs is not None:
        found.append(_checked(output(outputs)))
    elif stem != journal and (beside := _output_of(stem)):
        found.append(_ours(beside))
    rest = set_aside or f"{stem}.quarantine.jsonl"
    if set_aside is not None or (stem != journal and Path(rest).is_file()):
        found.append(_checked(quarantine(rest)))
    return [*found, JournalRows(journal)]


def _output_of(stem: str) -> str:
    """The output that belongs to a journal of this name; "" if it is not there."""
    if Path(stem).is_file():
        return stem
    for suffix in (".duckdb", ".db"):
        database, dot, table = stem.partition(f"{suffix}.")
        if dot and Path(f"{database}{suffix}").is_file():
            return f"{database}{suffix}#{table}"
    return ""


def _ours(target: str) -> Holder:
    try:
        return _checked(output(target))
    except SpecError:
        return OtherFile(target)


def _checked(holder: Holder) -> Holder:
    """The holder, after a look at its first row: a file that is not ours is refused before any file changes."""
    next(iter(holder.rows()), None)
    return holder
