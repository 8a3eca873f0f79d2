"""The texts of forgotten rows, and the search for them in the bytes of files."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from structout.errors import DataError
from structout.surfaces import json_in_html, json_text
from structout.tables.columnar import Bad, parquet_rows
from structout.tables.place import Place
from structout.tables.streams import opened_bytes

SHORTEST = 6  # characters: shorter texts are everywhere
_PIECE = 4 * 2**20  # bytes that are searched at a time


@dataclass(frozen=True)
class Searched:
    """A file that was searched, its size in bytes, and the fragments that it holds: the place of each in its row, with
    an offset in the file.
    """

    path: str
    size: int
    found: tuple[tuple[str, int], ...]


class Fragments:
    """The texts of forgotten rows: each string and each of its lines, from `SHORTEST` characters on, and exact bytes.

    `own` holds the fragments that no kept row holds, with their places in the forgotten row. `shared` holds the places
    of the fragments that a kept row also holds, each with this row.
    """

    def __init__(self) -> None:
        self.own: dict[str | bytes, str] = {}
        self.shared: dict[str, str] = {}
        self._forms: dict[str | bytes, frozenset[bytes]] = {}

    def add(self, content: Any, place: str = "") -> None:
        """Add the texts of a forgotten row."""
        for where, text in _leaves(content, place):
            for part in [text] if isinstance(text, bytes) else _lines(text):
                self.own.setdefault(part, where)

    def spare(self, content: Any, row: str) -> None:
        """Move the fragments that a kept row also holds from `own` to `shared`."""
        if not self.own:
            return
        exact: set[bytes] = set()

        def noted(one: bytes) -> str:
            exact.add(one)
            return ""

        written = json.dumps(content, default=noted).encode()
        held = [one for one in self.own if (one in exact if isinstance(one, bytes) else self._is_in(one, written))]
        for one in held:
            self.shared.setdefault(self.own.pop(one), row)

    def search(self, path: str | Path) -> Searched:
        """Search the bytes of a file, and what is compressed in it by gzip or Parquet. Raises `DataError`."""
        size, found = 0, dict[str, int]()
        try:
            for start, piece in _pieces(Path(path), self._reach()):
                size = max(size, start + len(piece)) if start >= 0 else size
                for one, place in self.own.items():
                    if place not in found:
                        spots = [at for form in self._of(one) if (at := piece.find(form)) >= 0]
                        if spots:
                            found[place] = max(0, start) + min(spots)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DataError(f"cannot read {path}: {reason}", hint="check the path") from error
        return Searched(str(path), size, tuple(found.items()))

    def _is_in(self, text: str, written: bytes) -> bool:
        return any(form in written for form in self._of(text))

    def _of(self, one: str | bytes) -> frozenset[bytes]:
        if one not in self._forms:
            self._forms[one] = frozenset([one]) if isinstance(one, bytes) else forms(one)
        return self._forms[one]

    def _reach(self) -> int:
        return max((len(form) for one in self.own for form in self._of(one)), default=0)


def forms(text: str) -> frozenset[bytes]:
    """The bytes that stand for a text in the files that structout writes: plain, in JSON, in JSON within JSON, in JSON
    within HTML, and in a quoted cell.
    """
    once = [text, *(_inner(write(text)) for write in (json_text, json_in_html, json.dumps, _ascii, _plain))]
    twice = [_inner(write(one)) for one in once for write in (json_text, json_in_html, json.dumps, _ascii, _plain)]
    every = {*once, *twice, *(one.replace('"', '""') for one in once)}
    return frozenset(one.encode("utf-8", "surrogatepass") for one in every)


def _inner(written: str) -> str:
    return written[1:-1]


def _ascii(text: str) -> str:
    return json_text(text, ascii=True)


def _plain(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _leaves(value: Any, place: str) -> Iterator[tuple[str, str | bytes]]:
    """Every string of a value, with its JSON Pointer. The keys of objects are left out: most are fields of a schema."""
    if isinstance(value, str | bytes):
        yield place, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            where = f"{place}/{str(key).replace('~', '~0').replace('/', '~1')}"
            yield from _leaves(inner, where)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{place}/{number}")


def _lines(text: str) -> list[str]:
    every = dict.fromkeys([text.strip(), *(one.strip() for one in text.split("\n"))])
    return [one for one in every if len(one) >= SHORTEST]


def _pieces(path: Path, reach: int) -> Iterator[tuple[int, bytes]]:
    """The bytes of a file with their offsets, in pieces that overlap by `reach`; then what is compressed in it, with
    the offset -1.
    """
    with path.open("rb") as stream:
        yield from _overlapping(stream, reach)
    place = Place.of(str(path))
    if place.packing:
        with opened_bytes(place) as unpacked:
            yield from ((-1, piece) for _, piece in _overlapping(unpacked, reach))
    elif place.format == "parquet":
        rows = parquet_rows(place, [])
        yield from ((-1, json.dumps(row.record if isinstance(row, Bad) else row).encode()) for row in rows)


def _overlapping(stream: BinaryIO, reach: int) -> Iterator[tuple[int, bytes]]:
    start, tail = 0, b""
    while piece := stream.read(_PIECE):
        whole = tail + piece
        yield start - len(tail), whole
        start += len(piece)
        tail = whole[-reach:] if reach else b""
