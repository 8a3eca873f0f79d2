"""The tolerant YAML reader: block style by indentation, with tabs, stray colons and half-quoted values."""

import re
from dataclasses import dataclass
from typing import Final

from structout.document import Json, parse_json
from structout.parsing.allowance import Allowance, Unreadable
from structout.parsing.syntax.escapes import quote
from structout.parsing.syntax.reader import read_at
from structout.parsing.syntax.strings import is_doubtful
from structout.parsing.syntax.tokens import NUMBER

_DEEPEST: Final = 60
_ITEM: Final = re.compile(r"-(?:[ \t]+|$)")
_KEY: Final = re.compile(
    r"""(?:"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)'|([^\s#&*!|>{}\[\]"'%@`,?-][^#{}\[\]"]*?"""
    r"""|-[^\s:][^:]*?|\*\*[^*:]{1,60}\*\*|\*\*[^*:]{1,60}(?=:\*\*)|`[^`]{1,60}`|\?[^ :]+))"""
    r"\s*:(?:\*\*)?(?:[ \t]+|$)"
)
_BLOCK_TEXT: Final = re.compile(r"([|>])([+-]?)[0-9]?([+-]?)[ \t]*(?:#.*)?$")
_PROPERTY: Final = re.compile(r"(?:![^\s]*|&[^\s]+)(?:[ \t]+|$)")
_COMMENT: Final = re.compile(r"(?:^|[ \t]+)#(?:[ \t].*)?$")  # in `see issue #12` the number is content
_JSON_NUMBER: Final = re.compile(NUMBER)
_MEMBER_AFTER: Final = re.compile(r"""',\s*["']?[\w$ .-]{1,80}["']?\s*:""")
_CLOSED: Final = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')[ \t]*(?:#.*)?$""")
_WORDS: Final[dict[str, Json]] = {
    "null": None, "Null": None, "NULL": None, "~": None, "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(slots=True)
class YamlLine:
    """One line: its indentation, its content, and the offset of its content in the text."""

    indent: int
    content: str
    place: int


def split_lines(text: str, start: int, end: int) -> list[YamlLine]:
    """The lines of a text; a tab counts as the smallest indentation by spaces."""
    raw = text[start:end].split("\n")
    spaces = [len(line) - len(line.lstrip(" ")) for line in raw if line.strip()]
    unit = min((count for count in spaces if count), default=2)
    lines, place = [], start
    for line in raw:
        content = line.lstrip(" \t\u00a0\ufeff")
        margin = line[: len(line) - len(content)]
        indent = sum(unit if char == "\t" else 1 for char in margin)
        lines.append(YamlLine(indent, content.rstrip(), place + len(margin)))
        place += len(line) + 1
    return lines


def read_yaml(text: str, lines: list[YamlLine], end: int, allowance: Allowance) -> Json:
    """Read lines as one YAML document. Raises `Unreadable` or `Exhausted`."""
    reader = _Reader(text, lines, end, allowance)
    document = reader.block(reader.current_indent(), 0)
    if reader.line() is not None:
        raise Unreadable(reader.lines[reader.at].place)
    return document


class _Reader:
    def __init__(self, text: str, lines: list[YamlLine], end: int, allowance: Allowance) -> None:
        self.text = text
        self.lines = lines
        self.end = end
        self.allowance = allowance
        self.at = 0

    def line(self) -> YamlLine | None:
        """The next line that is not empty and not a comment; None at the end."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.content and not line.content.startswith("#"):
                return line
            self.at += 1
        return None

    def current_indent(self) -> int:
        """The indentation of the next line. Raises `Unreadable` at the end."""
        line = self.line()
        if line is None:
            raise Unreadable(self.end)
        return line.indent

    def block(self, indent: int, depth: int) -> Json:
        """Read the list, object or scalar at one level of indentation."""
        line = self.line()
        if line is None or depth > _DEEPEST:
            raise Unreadable(self.end if line is None else line.place)
        if _ITEM.match(line.content):
            return self._items(indent, depth)
        if _KEY.match(line.content):
            return self._members(indent, depth)
        return self._value(line.content, line.place, indent - 1, depth)

    def _items(self, indent: int, depth: int) -> Json:
        found: list[Json] = []
        while (line := self.line()) is not None and line.indent == indent:
            dash = _ITEM.match(line.content)
            if dash is None:
                break
            self.allowance.spend(len(line.content) + 8)
            rest = line.content[dash.end() :]
            if not rest or rest.startswith("#"):
                self.at += 1
                below = self.line()
                found.append(self.block(below.indent, depth + 1) if below and below.indent > indent else None)
            elif _ITEM.match(rest) or _KEY.match(rest):
                inner = indent + dash.end()
                self.lines[self.at] = YamlLine(inner, rest, line.place + dash.end())
                below = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else None
                if below and indent < below.indent < inner and below.content and not _ITEM.match(below.content):
                    # Members under "-" may be indented less than the first member.
                    self.lines[self.at].indent = below.indent
                found.append(self.block(self.lines[self.at].indent, depth + 1))
            else:
                found.append(self._value(rest, line.place + dash.end(), indent, depth))
        return found

    def _members(self, indent: int, depth: int) -> Json:
        found: dict[str, Json] = {}
        while (line := self.line()) is not None and line.indent == indent:
            key = _KEY.match(line.content)
            if key is None or _ITEM.match(line.content):
                break
            self.allowance.spend(len(line.content) + 8)
            name = _key_name(key)
            if name in found:
                raise Unreadable(line.place)
            rest = line.content[key.end() :]
            if tag := _PROPERTY.match(rest):
                if not tag.group().startswith("!!"):
                    raise Unreadable(line.place)  # an anchor, a tag of one's own, or content
                rest = rest.removeprefix(tag.group())
            if not rest or rest.startswith("#"):
                self.at += 1
                below = self.line()
                if below and (below.indent > indent or (below.indent == indent and _ITEM.match(below.content))):
                    found[name] = self.block(below.indent, depth + 1)
                else:
                    found[name] = None
            else:
                place = line.place + len(line.content) - len(rest)
                found[name] = self._value(rest, place, indent, depth)
        return found

    def _value(self, rest: str, place: int, indent: int, depth: int) -> Json:
        """Read the value that begins with `rest` in the current line and continues on lines indented deeper."""
        block = _BLOCK_TEXT.fullmatch(rest)
        following = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else None
        if block and (following is None or (following.content and following.indent <= indent)):
            raise Unreadable(place)  # `>5` is a value
        if block:
            self.at += 1
            return self._block_text(indent, block.group(1), block.group(2) or block.group(3))
        if rest[0] in "{[":
            document, issue = parse_json(rest)
            if issue is None:
                self.at += 1
                return document
            try:
                reading = read_at(self.text, place, self.end, self.allowance)
            except Unreadable:
                if rest[0] == "{":
                    raise
            else:
                tail = self.text[reading.end : self.end].split("\n", 1)[0].strip()
                if tail[:1] in ("}", "]") or (reading.unclosed and rest[0] == "{"):  # JSON without its first brace
                    raise Unreadable(reading.end)
                if not reading.unclosed and (not tail or tail.startswith("#")):
                    while self.at < len(self.lines) and self.lines[self.at].place <= reading.end:
                        self.at += 1
                    return reading.document
        self.at += 1
        if rest[0] in "\"'" and _CLOSED.fullmatch(rest):
            return _unquoted(rest)
        pieces = [_COMMENT.sub("", rest).strip()]
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.content and line.indent <= indent:
                break
            if (
                line.content
                and (rest[0] not in "\"'")
                and _KEY.match(line.content)
                and " " not in line.content.split(":")[0]
            ):
                raise Unreadable(line.place)  # a member under a value: the indentation is wrong
            pieces.append(line.content)
            self.at += 1
        while pieces and not pieces[-1]:
            pieces.pop()
        folded = _folded(pieces)
        if rest[0] in "\"'" and _CLOSED.fullmatch(folded.replace("\n", " ")):
            return _unquoted(folded)
        if (rest[0] == '"' and is_doubtful(folded[1:])) or (rest[0] == "'" and _MEMBER_AFTER.search(folded)):
            raise Unreadable(place)  # JSON that lost its first brace
        return plain_value(folded)

    def _block_text(self, indent: int, style: str, chomp: str) -> str:
        kept: list[YamlLine] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.content and line.indent <= indent:
                break
            kept.append(line)
            self.at += 1
        trailing = 0
        while kept and not kept[-1].content:
            kept.pop()
            trailing += 1
        margin = min((line.indent for line in kept if line.content), default=0)
        pieces = [" " * max(0, line.indent - margin) + line.content for line in kept]
        body = "\n".join(pieces) if style == "|" else _folded(pieces)
        if chomp == "-" or not body:
            return body
        return body + "\n" * (1 + trailing if chomp == "+" else 1)


def _key_name(key: re.Match[str]) -> str:
    if key.group(1) is not None:
        return str(_unquoted(f'"{key.group(1)}"'))
    if key.group(2) is not None:
        return key.group(2).replace("''", "'")
    name = key.group(3).strip()
    return name.strip("*`").strip() if name.startswith(("**", "`")) else name


def plain_value(text: str) -> Json:
    """The value of a scalar without quotes (core schema of YAML 1.2, but numbers only in JSON's form)."""
    if text in _WORDS:
        return _WORDS[text]
    if _JSON_NUMBER.fullmatch(text):
        value, issue = parse_json(text)
        if issue is None:
            return value
    return text


def _unquoted(text: str) -> Json:
    text = text[: text.rindex(text[0]) + 1]
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    return parse_json(quote(text[1:-1])[0])[0]


def _folded(pieces: list[str]) -> str:
    """Join lines by spaces; an empty line becomes a line break."""
    text = ""
    for index, piece in enumerate(pieces):
        if not piece:
            text += "\n"
        elif index and text and not text.endswith("\n"):
            text += " " + piece
        else:
            text += piece
    return text
