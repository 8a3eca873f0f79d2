"""Quick fixes for a few faults in clean text, each at the place where a strict parser reports the fault.

The result is the same as that of the tolerant parser, which reads every token in Python. Here, C code reads everything
but the faults.
"""

import re
from typing import Final, NamedTuple

from structout.document import Json, read_json
from structout.not_json import offset
from structout.parsing.allowance import Allowance
from structout.parsing.edits import Edit, EditKind
from structout.parsing.syntax.escapes import are_raw
from structout.parsing.syntax.patterns import CLOSER, COMMENT, ELIDED, KEYED, NEXT, PYTHON
from structout.parsing.syntax.strings import Quoted, Role, closes, read_value, starts_value, written_as
from structout.parsing.syntax.tokens import STRING

_PLACE: Final = re.compile(r" at line ([0-9]+) column ([0-9]+)")
_STRING: Final = re.compile(STRING)
_BRACKET: Final = re.compile(r"[{}\[\]]")
_LITERAL: Final = re.compile(r"(True|False|None)(?=[ \t\r\n]*+[,}\]])")
_SPACE: Final = " \t\r\n"
_MOST: Final = 4

_Change = tuple[EditKind, int, str, str]  # kind, place, before, after


class Fixed(NamedTuple):
    """The document, the edits that lead to it, and the number of containers that the text left open."""

    document: Json
    edits: tuple[Edit, ...]
    unclosed: int


def fix(text: str, start: int, stop: int, limit: int, fault: str, allowance: Allowance) -> Fixed | None:
    """Fix the document `text[start:stop]`, for which a strict parser reports `fault`; None if quick fixes fail.

    The text from `stop` to `limit` is not part of the document. All edits are lossless, except the closers added at the
    end (`unclosed`).
    """
    if NEXT.match(text, stop, limit) or are_raw(text, start, stop):
        return None
    work = _Work(text, start, stop, limit, allowance)
    for _ in range(_MOST):
        change = work.change(fault)
        if change is None:
            return None
        work.make(change)
        try:
            return Fixed(read_json(work.written), tuple(work.edits), work.unclosed)
        except ValueError as error:
            fault = str(error)
    return None


class _Work:
    """One text whose faults are fixed from left to right. Places are offsets in the partly fixed text, `written`."""

    __slots__ = ("allowance", "edits", "limit", "made", "origin", "stop", "text", "unclosed", "written")

    def __init__(self, text: str, start: int, stop: int, limit: int, allowance: Allowance) -> None:
        self.text, self.stop, self.limit, self.allowance = text, stop, limit, allowance
        self.written = text[start:stop] if start or stop < len(text) else text
        self.origin = start  # a place after the last change plus `origin` is the offset in the original text
        self.made = 0  # where the last change ends
        self.edits: list[Edit] = []
        self.unclosed = 0

    def make(self, change: _Change) -> None:
        """Make a change in `written`, and note the edit."""
        kind, place, before, after = change
        grade, where = ("lossy", self.limit) if kind == "unclosed" else ("lossless", place + self.origin)
        self.edits.append(Edit(kind, grade, where, before, after))  # type: ignore[arg-type]
        self.written = self.written[:place] + after + self.written[place + len(before) :]
        self.made = place + len(after)
        self.origin += len(before) - len(after)

    def change(self, fault: str) -> _Change | None:
        """The change that fixes a fault; None if the fault is unclear, or lies before the last change."""
        found = _PLACE.search(fault)
        if found is None:
            return None
        kind, written = fault[: found.start()], self.written
        if kind.startswith("EOF"):
            return self._close() if kind in ("EOF while parsing an object", "EOF while parsing a list") else None
        place = offset(written, int(found[1]), int(found[2]))
        last = place - 1
        while last > self.made and written[last] in _SPACE:
            last -= 1
        if last < self.made or place >= len(written):
            return None
        if kind == "trailing comma":
            return ("comma", last, ",", "") if written[last] == "," else None
        if kind == "expected `,` or `}`" or kind == "expected `,` or `]`":
            return self._after(place, last, "member" if "}" in kind else "item")
        if kind == "key must be a string":
            return self._comment(place, last, "member")
        if kind == "expected value":
            name = _LITERAL.match(written, place)
            if name and written[last] in ":,[":
                return "literal", place, name[1], PYTHON[name[1]]
            return self._comment(place, last, "member" if written[last] == ":" else "item")
        if kind == "expected `:`":
            return self._colon(place, last)
        if kind == "invalid escape" or kind.startswith("control character"):
            return self._string(place)
        return None

    def _after(self, place: int, last: int, role: Role) -> _Change | None:
        """The change after a value, where the parser expects a comma or a closer."""
        written, char, before = self.written, self.written[place], self.written[last]
        if char not in ('"' if role == "member" else '"{['):
            return self._comment(place, last, role) if before in '"}]' else None
        if before == '"':
            if not closes(self.text, last + self.origin, self.limit, role) or written[last - 1 : last + 2] == '"""':
                return None
        elif before not in "}]":
            known = role == "member" and place > last + 1
            if not known or not KEYED.match(self.text, place + self.origin, self.limit):
                return None
        return "comma", place, "", ","

    def _comment(self, place: int, last: int, role: Role) -> _Change | None:
        """The change that removes a comment between tokens; None if it may be part of the text before it."""
        written, char = self.written, self.written[place]
        if char not in "/#<" or (char == "#" and not written[place + 1 : place + 2].isspace()):
            return None
        end = last
        if written[end] == ",":
            end -= 1
            while end > self.made and written[end] in _SPACE:
                end -= 1
        if end < self.made or (written[end] == '"' and not closes(self.text, end + self.origin, self.limit, role)):
            return None
        found = COMMENT.match(self.text, place + self.origin, self.limit)
        if found is None or found.end() > self.stop or ELIDED.search(found.group()):
            return None
        return "comment", place, found.group(), ""

    def _colon(self, place: int, last: int) -> _Change | None:
        """The change after a key, where the parser expects a colon."""
        written = self.written
        if written[last] != '"' or not starts_value(written, place):
            return None
        key = written[max(self.made, written.rfind('"', self.made, last)) : last]
        if not key.startswith('"') or "\\" in key or "”" in key or key.rstrip().endswith(":") or len(key) > 80:
            return None
        return "colon", last + 1, "", ":"

    def _string(self, place: int) -> _Change | None:
        """The change to a member's value that holds characters or escapes invalid in JSON strings."""
        written = self.written
        opening = written.rfind('"', self.made, place)
        while opening > 0 and written[opening - 1] == "\\":
            opening = written.rfind('"', self.made, opening)
        lead = written[self.made : opening].rstrip(_SPACE) if opening > 0 else ""
        if not lead.endswith(":"):
            return None
        start = opening + self.origin
        quoted: Quoted = read_value(self.text, start, self.limit, "member", 0, self.allowance)
        if not quoted.closed or quoted.end > self.stop or quoted.start != start + 1 or quoted.stop != quoted.end - 1:
            return None
        kind, before, after, whole = written_as(self.text, start, quoted)
        if not whole or before == after or "+" in before:
            return None
        return kind, opening, before, after

    def _close(self) -> _Change | None:
        """The change that adds missing closers at the end."""
        written = self.written.rstrip(_SPACE)
        if written[-1:] not in ('"', "}", "]") or self.unclosed or (self.stop < self.limit):
            return None
        stack: list[str] = []
        for bracket in _BRACKET.findall(_STRING.sub("", written)):
            if bracket in CLOSER:
                stack.append(CLOSER[bracket])
            elif not stack or stack.pop() != bracket:
                return None
        self.unclosed = len(stack)
        return "unclosed", len(self.written), "", "".join(reversed(stack))
