"""A place in a text that is being read, with what is open there and what has been changed on the way."""

from typing import Final, NamedTuple

from structout.parsing.allowance import Allowance
from structout.parsing.edits import Edit, Grade
from structout.parsing.syntax.escapes import are_raw
from structout.parsing.syntax.patterns import KEYED

STEPS_A_TOKEN: Final = 40  # what a token costs that is not clean, in characters


class Parsed(NamedTuple):
    """What was read: the text up to `end` is strict JSON once the edits are applied.

    `unclosed` counts the containers that the text left open; `cut` tells that it broke off inside a token, after
    a comma or before a value, `loose` that it ended with a number or word that might go on; `bare` counts the
    strings that had no quotes. (A tuple, since one is made for every try.)
    """

    end: int
    edits: tuple[Edit, ...] = ()
    unclosed: int = 0
    cut: bool = False
    loose: bool = False
    bare: int = 0


class Cursor:
    """Where reading has come to in `text[start:end]`."""

    __slots__ = (
        "bare", "budget", "comma", "edits", "end", "loose", "ordered", "pos", "quoted", "raw", "stack", "start",
        "text", "tuples",
    )  # fmt: skip

    def __init__(self, text: str, start: int, end: int, budget: Allowance) -> None:
        self.text = text
        self.start = self.pos = start
        self.end = end
        self.budget = budget
        self.edits: list[Edit] = []
        self.ordered = True  # the edits are in the order of their offsets
        self.stack: list[str] = []  # the openers of the containers that are open
        self.tuples: set[int] = set()  # the depths at which a list is a tuple
        self.comma = -1  # the offset of a comma that nothing has followed yet
        self.quoted = False  # a key had quotes: then the keys of this document have
        self.bare = 0
        self.raw = are_raw(text, start, end)  # backslashes stand for themselves
        self.loose = False  # the text ended with a number or a word that might go on

    def edit(self, kind: str, grade: Grade, where: int, before: str, after: str) -> None:
        edit = Edit(kind, grade, where, before, after)
        if self.edits and _offset(edit) < _offset(self.edits[-1]):
            self.ordered = False
        self.edits.append(edit)

    def keyed(self) -> bool:
        """Whether a key and a colon stand here."""
        return KEYED.match(self.text, self.pos, self.end) is not None

    def drop_comma(self) -> None:
        """Take away a comma that nothing followed."""
        if self.comma >= 0:
            sign = self.text[self.comma]
            if sign != ",":  # it has been written as one already
                self.edits = [edit for edit in self.edits if edit.where != self.comma or edit.before != sign]
            self.edit("comma", "lossless", self.comma, sign, "")
            self.comma = -1

    def parsed(self, *, unclosed: int = 0, cut: bool = False) -> Parsed:
        """What has been read up to here, the edits in the order of their offsets."""
        self.budget.spend(self.pos - self.start)
        if not self.ordered:
            self.edits.sort(key=_offset)
        return Parsed(self.pos, tuple(self.edits), unclosed, cut, self.loose, self.bare)


def _offset(edit: Edit) -> tuple[int, bool]:
    """What is put in comes before what stands at the same place and is changed."""
    return edit.where if isinstance(edit.where, int) else -1, bool(edit.before)
