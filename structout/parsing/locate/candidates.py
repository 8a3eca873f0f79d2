"""Candidates: the parts of an answer that may be the document, read one after another until one is good enough."""

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any, Final, Literal

from structout.parsing.allowance import Allowance, Unreadable
from structout.parsing.edits import Edit
from structout.parsing.fit.shape import Shape, shape_of
from structout.parsing.locate.calls import read_calls, without_call
from structout.parsing.locate.sections import BRACKET, Fence, Sections, layout
from structout.parsing.locate.table import read_tables
from structout.parsing.locate.unbracketed import read_bare_value, read_items, read_lines, read_members, read_toml
from structout.parsing.syntax.reader import Reading, read_at, read_escaped
from structout.schema import Schema

Format = Literal["json", "yaml"]

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_LEFT_OVER: Final = re.compile(r"\s*+[}\]]")
_TWO_CLOSERS: Final = re.compile(r"""[}\]]\s*+([}\]])(?=\s*+,\s*+["'{\[])""")
# The beginning of a document, readable or not.
_OPENS: Final = re.compile(r"""[{\[][\s{\[]{0,80}["'“`]?[^"'“”`{}\[\]\n:=]{1,80}["'”`]?\s*(?:[:：=]|->)""")
MEMBER: Final = re.compile(r"""["'“][^"'“”\n]{1,80}["'”]\s*:""")
MEMBER_LINE: Final = re.compile(rf"^[ \t]*+{MEMBER.pattern}", re.MULTILINE)
_KEY_BEFORE: Final = re.compile(r"""(?:^|[,{])\s*+["'“][^"'“”\n]{1,80}["'”]\s*+:\s*+\Z""", re.MULTILINE)
_YAML_LINE: Final = re.compile(r"""[ \t]*(?:[-*] +)?["'`*]{0,3}[\w$.@/-]{1,60}["'`*]{0,3}[ \t]*:(?:\*\*)?(?:[ \t]|$)""")
# The beginning of a member, a row, an element or a call.
ANOTHER_FORM: Final = re.compile(
    r"^[ \t]*(?:\||<[A-Za-z]|\[\[ ##|(?:[-*][ \t]+)?[*`\"']{0,2}[A-Za-z_][\w -]{0,40}[*`\"']{0,2}[ \t]*[:=(])",
    re.MULTILINE,
)
_MOST_REOPENED: Final = 4
_LONGEST_MARGIN: Final = 200
_MOST_BRACKETS: Final = 5000
_MOST_STARTS: Final = 200
_MOST_FENCES: Final = 50


def repaired_closers(reading: Reading) -> bool:
    """Whether closers were repaired: then another closer may be the real fault."""
    return any(edit.kind == "closer" for edit in reading.edits)


def is_left_over(text: str, reading: Reading) -> bool:
    """Whether a closer that closes nothing comes right after a reading."""
    return _LEFT_OVER.match(text, reading.end) is not None


def begins_with_a_key(found: Sections) -> bool:
    """Whether a line before the first bracket looks like YAML, so that the brackets may be part of YAML."""
    text = found.text
    for begin, end in spans(found):
        bracket = BRACKET.search(text, begin, end)
        before = text[begin : bracket.start() if bracket else end]
        if ":" in before and any(map(_YAML_LINE.match, before.split("\n"))):
            return True
    return False


def spans(found: Sections) -> list[tuple[int, int]]:
    """The fenced blocks, or else the whole text, without the thinking; nothing in a text with a lone surrogate."""
    text = found.text
    if not text.isascii() and _SURROGATE.search(text):
        return []
    fenced = [(fence.start, fence.end) for fence in found.fences[:_MOST_FENCES]]
    if not fenced:
        return [(found.thinking[-1][1] if found.thinking else 0, len(text))]
    return [span for span in fenced if not any(span[0] < end and begin < span[1] for begin, end in found.thinking)]


class Candidates:
    """The candidates in one text. `broken` is the offset of a document that could not be read, or -1."""

    def __init__(self, text: str, schema: Schema[Any], allowance: Allowance, format: Format | None) -> None:  # noqa: A002
        self.text = text
        self.schema = schema
        self.allowance = allowance
        self.format = format
        self.broken = -1
        self._skip_to = 0  # where reading may continue after the last failure

    @cached_property
    def layout(self) -> Sections:
        """The sections of the text."""
        return layout(self.text)

    @property
    def shape(self) -> Shape:
        """The shape of the schema."""
        return shape_of(self.schema)

    def documents(self, served: Callable[[Reading], bool]) -> Iterator[Reading]:
        """The outermost documents in the text, from left to right.

        `served` says of a reading that was yielded whether it led to a valid document.
        """
        if self.format == "yaml":
            return
        text = self.text
        start = len(text) - len(text.lstrip(" \t\r\n\ufeff"))
        if text[start : start + 1] in ("{", "["):
            reading = self._read(start, len(text))
            if reading is not None:
                yield reading
                if not served(reading) or repaired_closers(reading):
                    yield from self._reopened(reading)
                if reading.end == len(text) or text[reading.end :].isspace():
                    if not served(reading) and self.format is None:
                        yield from self._calls()
                    return
        else:
            reading = None
        if self.format is None and (reading is None or not served(reading)):
            calls = list(self._calls())
            yield from calls
            if any(map(served, calls)):
                return
        found = self.layout
        place = reading.end if reading else 0
        covered: list[Reading] = []
        if reading is None and self.format is None and begins_with_a_key(self.layout):
            for lines in self._yaml():
                covered.append(lines)
                yield lines
        broken: tuple[int, Fence | None] | None = None
        if (
            reading is None
            and not text.startswith("{{", start)
            and (_OPENS.match(text, start) or MEMBER.match(text, start))
        ):
            broken = (start, None)
            self.broken = start
        tried = 0
        for start in islice(found.starts(), _MOST_BRACKETS):
            if start < place or any(lines.start <= start < lines.end for lines in covered if served(lines)):
                continue
            fence = found.fence_at(start)
            if broken is not None and not self._outside(start, fence, *broken):
                continue
            tried += 1
            if tried > _MOST_STARTS:
                return
            reading = self._read(start, fence.end if fence else len(text))
            if reading is not None and reading.cut and fence and fence.closed:  # the fence may be content
                reading = self._read(start, len(text)) or reading
            if reading is not None and _KEY_BEFORE.search(text, max(0, start - _LONGEST_MARGIN), start):
                broken, self.broken = (start, fence), start  # inside a document without its first brace
            elif reading is not None:
                yield reading
                if not served(reading) or repaired_closers(reading):
                    yield from self._reopened(reading)
                place = reading.end
            else:
                place = max(place, self._skip_to)
                # An object cannot begin with an object.
                if not text.startswith("{{", start) and _OPENS.match(text, start):
                    broken = (start, fence)
                    self.broken = start

    def _calls(self) -> Iterator[Reading]:
        """The records in other dialects, outside of the thinking."""
        thinking = self.layout.thinking
        for reading in read_calls(self.text, self.shape, self.allowance):
            if not any(begin <= reading.start < end for begin, end in thinking):
                yield reading

    def _reopened(self, reading: Reading) -> Iterator[Reading]:
        """Other readings of a document with repaired or left-over closers: a closer inside it may be superfluous."""
        if reading.unclosed or not (repaired_closers(reading) or is_left_over(self.text, reading)):
            return
        places = list(_TWO_CLOSERS.finditer(self.text, reading.start, reading.end))
        # In a document of many lines, two adjacent closers are suspicious.
        if "\n" in self.text[reading.start : reading.end]:
            places = [found for found in places if found.end() - found.start() == 2] or places
        for found in places[:_MOST_REOPENED]:
            place = found.start(1)
            text = self.text[:place] + " " + self.text[place + 1 :]
            try:
                other = read_at(text, reading.start, len(text), self.allowance)
            except Unreadable:
                continue
            if other.end >= reading.end and not other.unclosed:
                edit = Edit("closer", "lossless", place, self.text[place], " ")
                edits = sorted(
                    (edit, *(e for e in other.edits if isinstance(e.where, int))), key=lambda e: int(e.where)
                )
                yield other._replace(edits=(*edits, *(e for e in other.edits if isinstance(e.where, str))))

    def _outside(self, start: int, fence: Fence | None, broken: int, broken_fence: Fence | None) -> bool:
        """Whether a bracket is outside a document that could not be read: in another fence, or not indented deeper."""
        if fence is not broken_fence:
            return True
        line = self.text.rfind("\n", max(0, start - _LONGEST_MARGIN), start) + 1
        if not line or self.text[line:start].strip():
            return False
        return start - line <= broken - (self.text.rfind("\n", max(0, broken - _LONGEST_MARGIN), broken) + 1)

    def _read(self, start: int, limit: int) -> Reading | None:
        try:
            found = read_escaped(self.text, start, limit, self.allowance) or read_at(
                self.text, start, limit, self.allowance
            )
            return without_call(found, self.text, self.shape)
        except Unreadable as error:
            deep = error.place - start > _LONGEST_MARGIN and not self.text[start : error.place].strip('{[ \n":a')
            # Nothing inside a deep nest of brackets can be read either.
            self._skip_to = error.place if deep else start + 1
            return None

    def others(self, readings: list[Reading]) -> Iterator[Reading]:
        """Readings for a text without good JSON: members without braces, YAML, a bare value."""
        found, shape = self.layout, self.shape
        if any(reading.unclosed for reading in readings):
            return
        start = found.thinking[-1][1] if found.thinking else 0
        for begin, end in spans(self.layout):
            if self.format != "yaml":
                yield from read_members(self.text, begin, end, shape, self.allowance)
                yield from read_items(self.text, begin, end, shape, self.allowance)
                yield from read_toml(self.text, begin, end, shape, self.allowance)
                yield from read_tables(self.text, begin, end, shape, self.allowance)
        if self.format != "json" and not any(edit.kind == "yaml" for reading in readings for edit in reading.edits):
            yield from self._yaml()
        if not readings and spans(self.layout):
            yield from read_bare_value(self.text, start, found.fences, shape)

    def after(self, end: int) -> Iterator[Reading]:
        """Readings in other forms than JSON of the text after a document."""
        text, stop = self.text, len(self.text)
        if self.format is not None or not ANOTHER_FORM.search(text, end):
            return
        yield from read_tables(text, end, stop, self.shape, self.allowance)
        fenced = [span for span in spans(self.layout) if span[0] > end]
        for begin, until in [(end, stop), *fenced]:
            yield from read_lines(text, begin, until, self.shape, self.allowance, expected=False)
        yield from read_calls(text[end:], self.shape, self.allowance)

    def _yaml(self) -> Iterator[Reading]:
        """The YAML documents in the text."""
        expected = self.format == "yaml" or any(fence.language in ("yaml", "yml") for fence in self.layout.fences)
        for begin, end in spans(self.layout):
            yield from read_lines(self.text, begin, end, self.shape, self.allowance, expected=expected)
