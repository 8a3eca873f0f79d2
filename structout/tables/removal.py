"""The removal of rows by their keys from all files that hold them, and the proof of it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from structout.tables.fragments import SHORTEST, Fragments, Searched
from structout.tables.lock import locked
from structout.tables.whole_file import clear_parts


class Holder(Protocol):
    """Files that hold rows with keys."""

    @property
    def name(self) -> str:
        """The name of the main file, for messages."""

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The key of each row as text, and the texts of the row; bytes stand for hashes."""

    def remove(self, keys: Collection[str]) -> None:
        """Remove the rows with these keys from the files."""

    def close(self) -> None:
        """Release the files: their bytes are searched next."""

    def files(self) -> Sequence[Path]:
        """The files whose bytes are searched."""


@dataclass
class Removal:
    """What was removed: the number of rows by file, the keys that no file holds, the searches of the files, and the
    places in the removed rows of texts that a kept row also holds, with this row.
    """

    removed: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    searched: list[Searched] = field(default_factory=list)
    shared: dict[str, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every key was known, and the search found nothing."""
        return not self.unknown and not any(one.found for one in self.searched)

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON."""
        searched = [
            {"file": one.path, "bytes": one.size, "found": [{"text": place, "at": at} for place, at in one.found]}
            for one in self.searched
        ]
        return {"removed": self.removed, "unknown": self.unknown, "searched": searched, "shared": self.shared}


def remove(holders: Sequence[Holder], keys: Sequence[str], *, dry_run: bool = False) -> Removal:
    """Remove the rows with these keys from all holders, in their order, and search their bytes for what is left.

    The search looks for the texts of the removed rows that no kept row holds, and for the keys, from `SHORTEST`
    characters on. A `dry_run` changes nothing and searches nothing. Raises `StructoutError`.
    """
    wanted, fragments, found = set(keys), Fragments(), Removal()
    met: set[str] = set()
    try:
        for holder in holders:
            count = 0
            for key, content in holder.rows():
                if key in wanted:
                    fragments.add(content)
                    met.add(key)
                    count += 1
            found.removed[holder.name] = found.removed.get(holder.name, 0) + count
        found.unknown = [key for key in dict.fromkeys(keys) if key not in met]
        for key in met:
            if len(key) >= SHORTEST:
                fragments.own.setdefault(key, "the key")
        if not met:
            return found
        for holder in holders:
            for key, content in holder.rows():
                if key not in wanted:
                    fragments.spare([key, content], f"{holder.name}, row {key}")
        found.shared = fragments.shared
        if dry_run:
            return found
        for holder in holders:
            if found.removed[holder.name]:
                holder.remove(wanted)
        for holder in holders:
            for file in holder.files():
                with locked(file, file):
                    clear_parts(file)
    finally:
        for holder in holders:
            holder.close()
    found.searched = [fragments.search(file) for holder in holders for file in holder.files()]
    return found


@dataclass(frozen=True)
class OtherFile:
    """A file that is only searched."""

    name: str

    def rows(self) -> Iterator[tuple[str, Any]]:
        """A file without rows that are known."""
        return iter(())

    def remove(self, keys: Collection[str]) -> None:
        """Leave the file as it is."""

    def close(self) -> None:
        """A file that is not open."""

    def files(self) -> Sequence[Path]:
        """The file itself."""
        return [Path(self.name)]


def searched(found: Searched) -> str:
    """The result of a search in words."""
    if not found.found:
        return f"found nothing in {found.path} ({found.size:,} bytes searched)"
    places = ", ".join(f"{place} at byte {at:,}" for place, at in found.found[:5])
    more = f" and {len(found.found) - 5:,} other texts" if len(found.found) > 5 else ""
    return f"{found.path} still holds {places}{more}"
