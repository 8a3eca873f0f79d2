"""Readers for documents without brackets: members without braces, YAML, bullet lists, bare values."""

import re
import tomllib
from collections.abc import Iterator
from typing import Final

from pydantic_core import to_jsonable_python

from structout.document import Json, parse_json
from structout.parsing.allowance import Allowance, Unreadable
from structout.parsing.edits import Edit, edit_text
from structout.parsing.fit.shape import Shape, plain_key
from structout.parsing.locate.sections import Fence
from structout.parsing.syntax.reader import Reading, read_at
from structout.parsing.syntax.tokens import NUMBER, STRING
from structout.parsing.syntax.yaml import YamlLine, read_yaml, split_lines

_FIRST_MEMBER: Final = re.compile(r"""[ \t\r\n]*(?:["'“]([^"'“”\n]{1,80})["'”]|([\w$-]{1,80})["”])[ \t]*:""")
_TIGHT_COMMA: Final = re.compile(r"[0-9],[0-9]")
_ITEM: Final = re.compile(rf"(?:{STRING}|{NUMBER})\s*,")
_TOML: Final = re.compile(r"""(?:[ \t]*(?:\#.*)?\n)*[ \t]*(?:\[[\w."-]+\][ \t]*\n|[\w."-]+[ \t]*=[ \t]*["'\[{\dtf])""")
_LONGEST_TOML: Final = 20_000
_TOP_KEY: Final = re.compile(
    r"""(?:[-*•][ \t]+)?["'*`]{0,2}([^\s"'*`:#{}\[\]][^"*`:#{}\[\]]{0,80}?)["'*`]{0,2}[ \t]*:["'*`]{0,2}(?=[ \t]|$)"""
)
_WORD_KEY: Final = re.compile(r"""["']?[\w$.@/-]+["']?:(?:[ \t]|$)""")
_TIGHT_KEY: Final = re.compile(r"([A-Za-z_][\w-]*)(?::(?=[^\s/:])|[ \t]*=[ \t]*(?=[^\s=>]))")
_NUMBERED_KEY: Final = re.compile(
    r"""(\d{1,2}[.)][ \t]+)[*`"']{0,2}([A-Za-z_][\w -]{0,60})[*`"']{0,2}:[*`"']{0,2}[ \t]"""
)
_BARE_MEMBER: Final = re.compile(r"""(?:(?<=[,;])[ \t]*|\A)([A-Za-z_][\w-]{0,60})[ \t]*[:=](?![=/:])""")
_LATER_MEMBER: Final = re.compile(
    r"""\S[ \t]*[,;|(][ \t]*[*"'`]{0,2}([A-Za-z_][\w -]{0,40})[*"'`]{0,2}[ \t]*[:=](?!//)"""
)
_LONGEST_LINE: Final = 2_000
_BULLET: Final = re.compile(r"(?:[-*•–]|\d{1,3}[.)])[ \t]+")
_JSON_LINE: Final = re.compile(r"""["'][^"']{1,80}["']\s*:.*,""")
_SEPARATOR: Final = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_BARE: Final = re.compile(r"""^[\s"'“”`*_]+|[\s"'“”`*_]+$""")
_LEAD_IN: Final = re.compile(
    r"^[^\n:]{0,60}\b(?:answer|result|value|output|category|label)\b(?: is)?:?[ \t]+", re.IGNORECASE
)
_TAGGED: Final = re.compile(r"<([\w-]{1,40})>(?P<inner>.*)</\1>", re.DOTALL)
_END_TOKEN: Final = re.compile(r"\s*(?:</s>|<eos>|<\|[a-z_]{2,20}\|>|<end_of_turn>|<｜[^｜]{1,30}｜>)\s*\Z")
_STEPS_A_LINE: Final = 60
_MOST_WORDS: Final = 6
_QUOTED: Final = re.compile(STRING)


def read_members(text: str, start: int, end: int, shape: Shape, allowance: Allowance) -> Iterator[Reading]:
    """Read an object without braces, if the schema declares its first key, or without the opening brace only."""
    first = _FIRST_MEMBER.match(text, start, end)
    segment = text[start:end].strip().rstrip(",")
    place = start + len(text[start:end]) - len(text[start:end].lstrip())
    if not first:
        yield from _bare_members(text, place, place + len(segment), shape, allowance)
        return
    if plain_key(first.group(1) or first.group(2)) not in shape.spellings and not segment.endswith("}"):
        return
    allowance.spend(end - start)
    closed = segment.endswith("}")
    document = _in_braces(segment if closed else segment + "}", allowance)
    if document is None or (not closed and not all(plain_key(key) in shape.spellings for key in document)):
        return
    edit = Edit("braces", "lossless", place, segment, edit_text(document))
    if closed:
        yield Reading(document, place, place + len(segment), (edit,))
    else:
        edits = (edit, Edit("unclosed", "lossy", place + len(segment), "", ""))
        cut = text[start:end].rstrip().endswith(",")
        yield Reading(document, place, place + len(segment), edits, unclosed=1, cut=cut)


def _bare_members(text: str, start: int, end: int, shape: Shape, allowance: Allowance) -> Iterator[Reading]:
    """Read two or more members of the schema on one line, as in `name: Ann, age: 3` or `name=Ann; age=3`."""
    segment = text[start:end]
    if "\n" in segment or len(segment) > _LONGEST_LINE:
        return
    keys = [plain_key(found.group(1)) for found in _BARE_MEMBER.finditer(segment)]
    if len(keys) < 2 or not _BARE_MEMBER.match(segment) or any(key not in shape.spellings for key in keys):
        return
    allowance.spend(end - start)
    document = _in_braces(segment + "}", allowance)
    if document is not None and [plain_key(key) for key in document] == keys:
        yield Reading(document, start, end, (Edit("braces", "lossless", start, segment, edit_text(document)),))


def _in_braces(segment: str, allowance: Allowance) -> dict[str, Json] | None:
    """The object that is all of a segment without its first brace, if reading loses nothing; else None."""
    try:
        inner = read_at("{" + segment, 0, len(segment) + 1, allowance)
    except Unreadable:
        return None
    is_whole = inner.end == len(segment) + 1 and not inner.unclosed
    if not is_whole or not isinstance(inner.document, dict) or any(edit.grade != "lossless" for edit in inner.edits):
        return None
    return inner.document


def read_items(text: str, start: int, end: int, shape: Shape, allowance: Allowance) -> Iterator[Reading]:
    """Read a list without its brackets, or in those of a tuple: `"oak", "ash"`."""
    segment = text[start:end].strip()
    inner = segment[1:-1].strip() if segment[:1] == "(" and segment[-1:] == ")" else segment
    if "array" not in shape.types or not shape.typed or not _ITEM.match(inner):
        return
    if _TIGHT_COMMA.search(inner):
        return  # 1,234 may be one number
    allowance.spend(end - start)
    document, issue = parse_json(f"[{inner.rstrip(',')}]")
    if issue is None:
        place = text.index(segment, start)
        yield Reading(
            document, place, place + len(segment), (Edit("braces", "lossless", place, segment, f"[{inner}]"),)
        )


def read_toml(text: str, start: int, end: int, shape: Shape, allowance: Allowance) -> Iterator[Reading]:
    """Read a document in TOML, if the schema declares one of its keys."""
    segment = text[start:end]
    if len(segment) > _LONGEST_TOML or "=" not in segment or not _TOML.match(segment):
        return
    allowance.spend(4 * len(segment))
    try:
        document, issue = parse_json(edit_text(to_jsonable_python(tomllib.loads(segment))))
    except (ValueError, RecursionError):
        return
    if issue is None and isinstance(document, dict) and any(plain_key(key) in shape.known_keys for key in document):
        edit = Edit("toml", "lossless", start, segment, edit_text(document))
        yield Reading(document, start, end, (edit,))


def read_lines(
    text: str, start: int, end: int, shape: Shape, allowance: Allowance, *, expected: bool
) -> Iterator[Reading]:
    """Read YAML documents. Unless YAML is `expected`, text whose keys are not keys of the schema counts as prose."""
    place = start
    spans = []
    for mark in _SEPARATOR.finditer(text, start, end):
        spans.append((place, mark.start()))
        place = mark.end()
    spans.append((place, end))
    for begin, stop in spans[:20]:
        if not text[begin:stop].strip():
            continue
        allowance.spend(2 * (stop - begin) + _STEPS_A_LINE * text.count("\n", begin, stop))
        written = split_lines(text, begin, stop)
        lines = [_spaced(line, shape) for line in written]
        places = {id(line): old.place for line, old in zip(lines, written, strict=True)}
        lines = _document_lines(lines, shape, strict=not expected)
        while lines and not lines[-1].content:
            lines.pop()
        if not lines:
            continue
        first, last = places.get(id(lines[0]), lines[0].place), lines[-1].place + len(lines[-1].content)
        if any(_holds_member(line.content, shape) for line in lines):
            continue  # members on one line are not the text of the first
        if not expected and any(_JSON_LINE.fullmatch(line.content) for line in lines):
            continue  # JSON without its first brace
        if any(sign in text[begin:first] for sign in "{["):  # the lines are inside a broken document
            continue
        try:
            document = read_yaml(text, list(lines), last, allowance)
        except Unreadable:
            document = None
        if not isinstance(document, dict | list):
            continue
        edit = Edit("yaml", "lossless", first, text[first:last], edit_text(document))
        yield Reading(document, first, last, (edit,))


def _holds_member(content: str, shape: Shape) -> bool:
    """Whether another member of the schema follows on a line after its value."""
    if content.partition(":")[2].strip()[:1] in ("{", "[", '"', "'"):
        return False
    return any(plain_key(found[1]) in shape.known_keys for found in _LATER_MEMBER.finditer(content))


def _document_lines(lines: list[YamlLine], shape: Shape, *, strict: bool) -> list[YamlLine]:
    """The lines from the first to the last that may belong to a document of this shape."""
    if not strict and _is_all_yaml(lines, strict=False):
        return lines
    known = [index for index, line in enumerate(lines) if _is_known(line, shape)]
    if not known and "array" in shape.types and shape.typed:
        known = [index for index, line in enumerate(lines) if _BULLET.match(line.content)]
        if known:
            margin = min(lines[index].indent for index in known)
            for index in known:
                bullet = _BULLET.match(lines[index].content)
                if bullet and lines[index].indent == margin:
                    line = lines[index]
                    shift = bullet.end() - 2
                    lines[index] = YamlLine(line.indent, "- " + line.content[bullet.end() :], line.place + shift)
    if not known:
        return lines if _is_all_yaml(lines, strict=strict) else []
    margin = min(lines[index].indent for index in known)
    first, last = known[0], known[-1]
    if lines[first].indent > margin or (first and lines[first - 1].content and lines[first - 1].indent < margin):
        return []  # inside something else
    while first and _carries_on(lines[first - 1], margin):
        first -= 1
    while last + 1 < len(lines) and (not lines[last + 1].content or _carries_on(lines[last + 1], margin)):
        last += 1
    return [*lines[first:last], lines[last]]


def _spaced(line: YamlLine, shape: Shape) -> YamlLine:
    """The line as YAML, if it begins with a key of the schema, as in `name:value`, `name = value`, `1. name: value`."""
    numbered = _NUMBERED_KEY.match(line.content)
    if numbered and plain_key(numbered.group(2)) in shape.known_keys:
        end = numbered.end(1)
        return YamlLine(line.indent, "- " + line.content[end:], line.place + end - 2)
    found = _TIGHT_KEY.match(line.content)
    if not found or plain_key(found.group(1)) not in shape.known_keys:
        return line
    value = line.content[found.end() :]
    content = f"{found.group(1)}: {value}"
    return YamlLine(line.indent, content, line.place + len(line.content) - len(content))


def _is_all_yaml(lines: list[YamlLine], *, strict: bool) -> bool:
    """Whether lines with unknown keys are a document: if `strict`, they need two keys or more, and no prose."""
    filled = [line for line in lines if line.content and not line.content.startswith("#")]
    margin = min((line.indent for line in filled), default=0)
    outer = [line.content for line in filled if line.indent == margin and not line.content.startswith("- ")]
    if strict and any(line.content.endswith(("}", "]")) for line in filled):  # labels before JSON
        return False
    return len(outer) > (1 if strict else 0) and all(_WORD_KEY.match(content) for content in outer)


def _carries_on(line: YamlLine, margin: int) -> bool:
    """Whether a line may belong to the document next to it: indented deeper, an item, a comment, or a one-word key."""
    if line.indent > margin and line.content:
        return True
    return (
        line.indent == margin
        and line.content[:1] != ""
        and (line.content[0] in "-#}]" or bool(_WORD_KEY.match(line.content) or _TIGHT_KEY.match(line.content)))
    )


def _is_known(line: YamlLine, shape: Shape) -> bool:
    found = _TOP_KEY.match(line.content)
    return found is not None and plain_key(found.group(1)) in shape.known_keys


def read_bare_value(text: str, start: int, fences: tuple[Fence, ...], shape: Shape) -> Iterator[Reading]:
    """Read a bare value, for a schema of scalars: the whole text, or its only fenced block."""
    begin, end = (fences[0].start, fences[0].end) if len(fences) == 1 else (start, len(text))
    if len(fences) == 1 and "null" in shape.types and text[begin:end].strip() == "null":
        place = text.index("null", begin)
        yield Reading(None, place, place + len("null"))
    if {"object", "array"} & set(shape.types) or not shape.typed or len(fences) > 1:
        return
    bare = _END_TOKEN.sub("", text[begin:end]).strip()
    tagged = _TAGGED.fullmatch(bare)
    if tagged:
        bare = tagged.group("inner").strip()
    quoted = _QUOTED.findall(bare)
    if len(quoted) == 1 and parse_json(quoted[0])[1] is None:
        bare = str(parse_json(quoted[0])[0])
    else:
        bare = _BARE.sub("", bare)
        lead = _LEAD_IN.match(bare)
        bare = _BARE.sub("", bare[lead.end() :]) if lead else bare
    free = "string" in shape.types and not shape.values and not quoted
    if free and (len(bare.split()) > _MOST_WORDS or any(sign in bare for sign in "{}[]<>")):
        return  # a sentence is more likely a refusal than the value
    if not bare or '"' in bare or "\n" in bare or (len(bare) > 200 and not fences):
        return
    place = text.find(bare, begin)
    document: Json
    for word in dict.fromkeys((bare, bare.rstrip("."))):
        parsed, issue = parse_json(word)
        document = word if issue is not None or "string" in shape.types else parsed
        edit = Edit("quotes", "lossless", place, word, edit_text(document))
        yield Reading(document, place, place + len(word), (edit,))
        if shape.valid(document):
            return
