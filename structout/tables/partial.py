"""The mark of a partial output: a file beside it, `OUTPUT.partial`, that says that rows are missing.

Who writes a partial output writes the mark first. Who completes it removes the mark last. So no crash leaves a partial
output without its mark; at worst it leaves a mark beside a complete output, which the same command removes.
"""

import json
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from os.path import isfile  # which takes a name that is too long for a missing file
from pathlib import Path
from typing import Final

from structout.document import load_json
from structout.errors import StructoutWarning
from structout.tables.output import is_there
from structout.tables.place import Place, local_stem
from structout.tables.whole_file import replacing

_LARGEST: Final = 2**16  # bytes of a mark


@dataclass(frozen=True)
class Partial:
    """What a mark says: the `rows` that are done, of `total` (None: unknown), why the others are not, and since when.

    A mark that cannot be read says so in `reason`, with -1 rows.
    """

    rows: int
    total: int | None
    reason: str
    time: str

    def __str__(self) -> str:
        return self.reason if self.rows < 0 else f"{self.extent} ({self.reason})"

    @property
    def extent(self) -> str:
        """The rows that are done, without the reason; the reason of a mark that cannot be read."""
        of = "" if self.total is None else f" of {self.total:,}"
        return self.reason if self.rows < 0 else f"{self.rows:,}{of} rows are done"


def mark_of(output: str) -> Path:
    """The mark of an output."""
    return Path(f"{local_stem(output)}.partial")


def read_mark(mark: Path) -> Partial | None:
    """What a mark says; None without a mark."""
    if not isfile(mark):
        return None
    try:
        if mark.stat().st_size > _LARGEST:
            raise ValueError
        found = load_json(mark.read_text(encoding="utf-8"))
        made = Partial(**found)
        if not all(isinstance(one, int) for one in (made.rows, made.total or 0)) or made.rows < 0:
            raise ValueError
        if not (isinstance(made.reason, str) and isinstance(made.time, str)):
            raise ValueError
    except (OSError, ValueError, TypeError):
        return Partial(-1, None, f"its mark {mark} cannot be read", "")
    return made


def write_mark(output: str, partial: Partial) -> None:
    """Mark an output, before it is written in part. Raises `OutputError`."""
    with replacing(mark_of(output)) as stream:
        stream.write(json.dumps(asdict(partial)).encode() + b"\n")


def remove_mark(output: str) -> None:
    """Remove the mark of an output, after it was written as a whole."""
    if takes_marks(output):
        with suppress(OSError):  # the warning that stays is the lesser evil
            mark_of(output).unlink(missing_ok=True)


def takes_marks(output: str) -> bool:
    """Whether an output can be partial: not a stream, an object in a store or a table of a server."""
    place = Place.of(output)
    return not (is_stream(output) or place.is_remote or place.is_database)


def is_stream(output: str) -> bool:
    """Whether an output is stdout, a pipe or a device."""
    return output == "-" or not Place.of(output).is_ordinary


def why_not(output: str, quarantine: str) -> str:
    """Why the two files may not be written in part; "" if they may be. What an earlier run completed is never replaced
    by less.
    """
    if not takes_marks(output):
        shown = "stdout" if output == "-" else Place.of(output).shown
        return f"{shown} takes no partial output"
    if isfile(mark_of(output)):
        return ""
    for one in (output, quarantine):
        place = Place.of(one)
        if place.is_ordinary and is_there(place):
            return f"{one} is of an earlier run and was left as it was"
    return ""


def warn_of_partial(inputs: Iterable[Place]) -> None:
    """Warn of each input that is a partial output."""
    for place in inputs:
        if (
            takes_marks(place.name)
            and (place.is_table or not place.is_query)
            and (found := read_mark(mark_of(place.name)))
        ):
            message = f"{place.name} is partial: {found}: the command that writes it completes it"
            warnings.warn(message, StructoutWarning, stacklevel=2)
