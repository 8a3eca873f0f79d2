"""Search for the end of strings whose quotes are wrong, missing, or part of the content."""

import re
from typing import Final, Literal, NamedTuple

from structout.parsing.allowance import Allowance
from structout.parsing.edits import EditKind
from structout.parsing.syntax.escapes import ends_in_path, quote
from structout.parsing.syntax.tokens import ROOM, SIGN

Role = Literal["member", "item"]

OPENING: Final = frozenset("\"'`“”„‘’«")
_CLOSING: Final = {
    '"': '"”', "'": "'’", "`": "`'", "“": '”“"', "”": '”"', "„": '“”"', "‘": "’'", "’": "’'", "«": "»",
}  # fmt: skip
_QUOTES: Final = {opening: re.compile(rf"\\.|[{closing}]", re.DOTALL) for opening, closing in _CLOSING.items()}

_KEY: Final = rf"""[uUbB]?["'“”`«‘][^"'“”`«»‘’\n]{{0,80}}["'“”`»’]{ROOM}{SIGN}"""
# A key with one of its quotes missing.
_HALF_KEY: Final = rf"""(?:[\w$.-]{{1,80}}["”]{ROOM}{SIGN}|["“][\w$.-]{{1,80}}:[ \t])"""
_WORD_KEY: Final = rf"[A-Za-z_$][\w$.-]{{0,80}}{ROOM}:(?!//)"
_COMMENT: Final = r"(?://|/\*|\#)"
# Patterns for the text after the closing quote of a member's value or of an item. A match of `_CERTAIN` proves that the
# quote closes the string; a match of `_LIKELY` counts only if the quotes inside the string so far come in pairs.
_CERTAIN: Final[dict[Role, re.Pattern[str]]] = {
    "member": re.compile(
        rf"""{ROOM}(?:\Z|(?:[,，;]{ROOM})*+{_KEY}|(?:[,，;]{ROOM})++(?:{_HALF_KEY}|\Z|\}}|["'“][^"'“”\n]*["'”]?{ROOM}\Z|{_COMMENT})"""
        rf"""|\}}{ROOM}(?:[,\]}}]|\Z|```|\n)|(?<=\n)\}}|\]{ROOM}[,}}]|{_COMMENT}[^\n]*(?:\n|\Z))"""
    ),
    "item": re.compile(
        rf"""{ROOM}(?:\Z|\]{ROOM}(?:[,\]}};]|\Z|```|\n)|(?:[,，;]{ROOM})++(?:\Z|["'“`\[{{\-0-9\]]|(?:true|false|null|True|False|None)\b"""
        rf"""|{_COMMENT}|\.\.\.)|{_COMMENT}[^\n]*(?:\n|\Z)|(?<=[ \t\r\n])["'“`{{])"""
    ),
}
_LIKELY: Final[dict[Role, re.Pattern[str]]] = {
    "member": re.compile(rf"{ROOM}(?:\}}|\]|[,;]{ROOM}{_WORD_KEY}|(?<=\n){_WORD_KEY}|[,;]{ROOM}(?:\.\.\.|…))"),
    "item": re.compile(rf"{ROOM}(?:\]|\}}|[,;]{ROOM}[\w.…])"),
}
_APOSTROPHE: Final = re.compile(r"[^\W_]['’][^\W\d_]")
_NEXT_KEY: Final = re.compile(_KEY)
_LAST_CLOSERS: Final = re.compile(r"[\s}\]]*\Z")
_LINE_END: Final = re.compile(r"[ \t]*\n")
_CLOSER_LINE: Final = re.compile(r"[ \t]*\n\s*[}\]]")
_SWALLOWED: Final = re.compile(
    r"""(?<!\\)["”]\s++["“]|(?<!\\)["”]\s*+(?:[,;:=，：]\s*+)++(?:["“{\[]|[\w$.-]{1,80}["”]?\s*+[:=：])|(?<!\\)["”][\s}\]]*[}\]]\s*+,"""
)
# Strings and names joined by `+`, as in a program; and a quote that only opens something.
_CONCATENATION: Final = re.compile(r"""(?<!\\)["']\s*\+\s*[A-Za-z_][\w.()\[\]]*|[\w)\]]\s*\+\s*(?<!\\)["']""")
_OPENED: Final = re.compile(r'(?<=\s)(?<!\\)"(?=\w)')
_SEPARATOR_FIRST: Final = re.compile(r"""\s*[:,=]\s*(?<!\\)["”]""")
_DOUBLED: Final = re.compile(r"(?<=\w)''(?=\w)")
_KEY_END: Final = re.compile(rf"{ROOM}{SIGN}")
_VALUE_START: Final = re.compile(r"""[ \t\r\n]*+(?:["'“`{\[0-9-]|(?:true|false|null|True|False|None)\b)""")
_LONGEST_KEY: Final = 1000
_STEPS_A_QUOTE: Final = 20


class Quoted(NamedTuple):
    """A string: its content is `text[start:stop]`, and reading continues at `end`."""

    start: int
    stop: int
    end: int
    closed: bool = True


def read_value(text: str, place: int, end: int, role: Role, depth: int, allowance: Allowance) -> Quoted:
    """Find the end of the string that opens at `place`, as a member's value or as an item."""
    opening = text[place]
    triple = opening * 3
    if opening in "\"'" and text.startswith(triple, place):
        close = text.find(triple, place + 3, end)
        if close >= 0:
            return Quoted(place + 3, close, close + 3)
    certain, likely = _CERTAIN[role].match, _LIKELY[role].match
    inner: list[int] = []
    allowance.spend(1)
    for found in _QUOTES[opening].finditer(text, place + 1, end):
        at = found.start()
        if text[at] == "\\":
            if text[at + 1] == text[place] and certain(text, at + 2, end) and ends_in_path(text, place + 1, at):
                return Quoted(place + 1, at + 1, at + 2)
            continue
        if certain(text, at + 1, end) or (len(inner) % 2 == 0 and likely(text, at + 1, end)):
            early = _unclosed_before(text, place, inner, role, end) if len(inner) % 2 else None
            if early is not None:
                allowance.spend(at - place)
                return early
            return Quoted(place + 1, at, at + 1)
        if not _APOSTROPHE.match(text, at - 1, end):
            inner.append(at)
        allowance.spend(_STEPS_A_QUOTE)
    allowance.spend(end - place)
    early = _unclosed_before(text, place, inner, role, end)
    if early is not None:
        return early
    for at in inner[::2]:  # the closers are missing, and prose follows
        if _LINE_END.match(text, at + 1, end):
            return Quoted(place + 1, at, at + 1)
    lines = None if inner else _CLOSER_LINE.search(text, place, end)
    if lines:
        return _without_closers(text, place, lines.start())
    last = _LAST_CLOSERS.search(text, max(place, end - 1000), end)
    is_all = last and last.group().count("}") + last.group().count("]") == depth
    if last and is_all and not _opens_more(text[place + 1 : last.start()]):
        return Quoted(place + 1, last.start(), last.start())
    line = text.find("\n", place, end)
    if line >= 0 and role == "member" and _NEXT_KEY.match(text[line : line + 200].lstrip()):
        stop = line - (text[line - 1] == ",")
        return Quoted(place + 1, stop, stop)
    return Quoted(place + 1, end, end, closed=False)


def _opens_more(content: str) -> bool:
    """Whether closers after a content may belong to it: `"see {x}` without a quote at its end may be cut off."""
    return content.count("{") > content.count("}") or content.count("[") > content.count("]")


def written_as(text: str, place: int, quoted: Quoted, *, raw: bool = False) -> tuple[EditKind, str, str, bool]:
    """The edit that makes a string JSON: its kind, the text before and after, and whether all content is kept."""
    before, content = text[place : quoted.end], text[quoted.start : quoted.stop]
    after, whole = quote(content, raw=raw)
    if before == after:
        return "string", before, after, True
    whole = whole and not (before[0] in '"“”' and is_doubtful(content))
    whole = whole and not (before[0] == "'" and _DOUBLED.search(content))  # a quote, or the end of a string of Python
    return "quotes" if after[1:-1] == content else "string", before, after, whole


def starts_value(text: str, place: int) -> bool:
    """Whether a value begins at `place`."""
    return _VALUE_START.match(text, place) is not None


def is_doubtful(content: str) -> bool:
    """Whether a string with quotes inside may have swallowed a part of the document after it."""
    whole = len(content) > 1 and content[0] == content[-1] == '"'
    if _CONCATENATION.search(content) or (_OPENED.search(content) and content.count('"') == 1):
        return True
    return whole or _SWALLOWED.search(content) is not None or _SEPARATOR_FIRST.match(content) is not None


def closes(text: str, place: int, end: int, role: Role) -> bool:
    """Whether the text after the quote at `place` allows it to be a closing quote."""
    return bool(_CERTAIN[role].match(text, place + 1, end) or _LIKELY[role].match(text, place + 1, end))


def _unclosed_before(text: str, place: int, inner: list[int], role: Role, end: int) -> Quoted | None:
    """The string, if its closing quote is missing and an `inner` quote opens the next key or item; else None."""
    for at in inner:
        before = text[max(place + 1, at - 80) : at]
        gap = before.rstrip()
        opens = gap.endswith((",", ", {", ",{", "[{")) or "\n" in before[len(gap) :]
        if opens and (role == "item" or _NEXT_KEY.match(text, at, end)):
            stop = at - len(before) + len(gap.rstrip("{[ \t\r\n"))
            stop -= text[stop - 1] == ","
            return _without_closers(text, place, stop)
    return None


def _without_closers(text: str, place: int, stop: int) -> Quoted:
    """The string up to `stop`, without the closers at its end that close nothing inside it."""
    content = text[place + 1 : stop]
    while (bare := content.rstrip())[-1:] in ("]", "}"):
        if bare.count(bare[-1]) <= bare.count("[" if bare[-1] == "]" else "{"):
            break
        content = bare[:-1]
    stop = place + 1 + len(content.rstrip() if len(content) < stop - place - 1 else content)
    return Quoted(place + 1, stop, stop)


def read_key(text: str, place: int, end: int) -> tuple[Quoted, bool] | None:
    """Find the end of the key whose quote opens at `place`, and whether a colon follows; None without a key."""
    first = -1
    limit = min(end, place + _LONGEST_KEY)
    for found in _QUOTES[text[place]].finditer(text, place + 1, limit):
        at = found.start()
        if text[at] == "\\":
            continue
        if first < 0:
            first = at
            # `"key: "x"`: a quote is missing.
            if text[place + 1 : at].rstrip().endswith(":") and not _KEY_END.match(text, at + 1, end):
                colon = text.rindex(":", place, at)
                return Quoted(place + 1, colon, colon), True
            if not _KEY_END.match(text, at + 1, end) and _VALUE_START.match(text, at + 1, end):
                return Quoted(place + 1, at, at + 1), False
        if _KEY_END.match(text, at + 1, end):
            colon = text.find(":", place, first)
            if at > first and colon >= 0:
                return Quoted(place + 1, colon, colon), True
            return Quoted(place + 1, at, at + 1), True
    colon = text.find(":", place, limit if first < 0 else first)
    if colon >= 0 and "\n" not in text[place:colon]:
        return Quoted(place + 1, colon, colon), True
    if first >= 0 and not text[first + 1 : end].strip():
        return Quoted(place + 1, first, end, closed=False), False
    if first < 0 and limit == end:
        return Quoted(place + 1, end, end, closed=False), False
    return None
