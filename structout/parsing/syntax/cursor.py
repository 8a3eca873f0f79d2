"""The cursor of the tolerant JSON reader: its place, the open containers, and the edits so far."""

from typing import Final, NamedTuple

from structout.parsing.allowance import Allowance
from structout.parsing.edits import Edit, EditKind, Grade
from structout.parsing.syntax.escapes import are_raw
from structout.parsing.syntax.patterns import KEYED

STEPS_A_TOKEN: Final = 40  # the cost of a token that is not clean, in characters


class Parsed(NamedTuple):
    """The result of reading: with the edits applied, the text up to `end` is strict JSON.

    `unclosed` counts the containers that the text left open. `cut` says that the text ended inside a token, after a
    comma or before a value; `loose` says that it ended with a number or word that may be incomplete. `bare` counts the
    strings without quotes. (A tuple, because every attempt makes one.)
    """

    end: int
    edits: tuple[Edit, ...] = ()
    unclosed: int = 0
    cut: bool = False
    loose: bool = False
    bare: int = 0


class Cursor:
    """The state of reading `text[start:end]`."""

    __slots__ = (
        "allowance", "bare", "comma", "edits", "end", "inside", "loose", "ordered", "pos", "quoted", "raw", "stack",
        "start", "text", "tuples",
    )  # fmt: skip

    def __init__(self, text: str, start: int, end: int, allowance: Allowance) -> None:
        self.text = text
        self.start = self.pos = start
        self.end = end
        self.allowance = allowance
        self.edits: list[Edit] = []
        self.ordered = True  # the edits are in the order of their offsets
        self.stack: list[str] = []  # the openers of the open containers
        self.tuples: set[int] = set()  # the depths at which a list is a tuple of Python
        self.comma = -1  # the offset of the last comma if nothing has followed it yet, else -1
        self.inside = False  # whether the document is inside a string
        self.quoted = False  # whether a key had quotes; then all keys of the document have them
        self.bare = 0
        self.raw = are_raw(text, start, end)  # whether backslashes may stand for themselves
        self.loose = False  # the text ended with a number or a word that may be incomplete

    def edit(self, kind: EditKind, grade: Grade, where: int, before: str, after: str) -> None:
        """Note an edit."""
        edit = Edit(kind, grade, where, before, after)
        if self.edits and _offset(edit) < _offset(self.edits[-1]):
            self.ordered = False
        self.edits.append(edit)

    def keyed(self) -> bool:
        """Whether a key and a colon follow."""
        return KEYED.match(self.text, self.pos, self.end) is not None

    def drop_comma(self) -> None:
        """Remove the last comma if nothing has followed it."""
        if self.comma >= 0:
            sign = self.text[self.comma]
            if sign != ",":  # an edit has already turned the sign into a comma
                self.edits = [edit for edit in self.edits if edit.where != self.comma or edit.before != sign]
            self.edit("comma", "lossless", self.comma, sign, "")
            self.comma = -1

    def parsed(self, *, unclosed: int = 0, cut: bool = False) -> Parsed:
        """The result of reading up to here, with the edits in the order of their offsets."""
        self.allowance.spend(self.pos - self.start)
        if not self.ordered:
            self.edits.sort(key=_offset)
        return Parsed(self.pos, tuple(self.edits), unclosed, cut, self.loose, self.bare)


def _offset(edit: Edit) -> tuple[int, bool]:
    """The sort key of an edit: at the same offset, insertions come before changes."""
    return edit.where if isinstance(edit.where, int) else -1, bool(edit.before)
