"""The JSON reader: strict where possible, tolerant where necessary."""

import json
import re
from collections.abc import Iterator
from html import unescape
from json.scanner import make_scanner
from typing import Any, Final, NamedTuple

from structout.document import Json, parse_json
from structout.parsing.allowance import Allowance, Unreadable
from structout.parsing.edits import Edit, Grade, apply, edit_text, worst
from structout.parsing.syntax.cursor import Parsed
from structout.parsing.syntax.escapes import quote
from structout.parsing.syntax.json import parse

GOES_ON: Final = re.compile(r"""\s*+(?:,\s*+(?:["'][^"'\n]{1,80}["']\s*+:|[{\["0-9-])|["'][^"'\n]{1,80}["']\s*+:)""")
_ENTITIES: Final = ("&quot;", "&#34;", "&#39;", "&#x27;", "&apos;")
_ESCAPED: Final = re.compile(rf"""[{{\[\s]{{1,80}}(?:(?:\\[nrt]\s*+)*+(?:\\\\?"|\\u0022)|{"|".join(_ENTITIES)})""")
_CONTENT: Final = re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)
# The C scanner reports where a document ends; no other strict parser at hand does.
_SCAN: Final = make_scanner(json.JSONDecoder())  # type: ignore[arg-type]  # typeshed has the wrong type


class Reading(NamedTuple):
    """A document read from `text[start:end]`, and the syntax edits that lead to it.

    `unclosed` counts the containers that the text left open. `cut` says that the text ended inside a token, after a
    comma or before a value; `loose` says that it ended with a number or word that may be incomplete. `bare` counts the
    strings without quotes.
    """

    document: Json
    start: int
    end: int
    edits: tuple[Edit, ...] = ()
    unclosed: int = 0
    cut: bool = False
    loose: bool = False
    bare: int = 0


def read_at(text: str, start: int, limit: int, allowance: Allowance, *, strict_first: bool = True) -> Reading:
    """Read the object or list that opens at `start`. Raises `Unreadable` or `Exhausted`."""
    allowance.spend(16)
    if strict_first:
        try:
            _, end = _SCAN(text, start)
        except (StopIteration, ValueError, RecursionError) as error:
            allowance.spend(max(0, getattr(error, "pos", start) - start))
        else:
            allowance.spend(end - start)
            document, issue = parse_json(text[start:end])
            if issue is None and not GOES_ON.match(text, end, limit):
                return Reading(document, start, end)
    parsed = parse(text, start, limit, allowance)
    if parsed.unclosed and any(edit.kind == "closer" for edit in parsed.edits):
        parsed = next((other for other in _otherwise(text, start, limit, allowance) if not other.unclosed), parsed)
    elif any(_is_dropped(edit) for edit in parsed.edits):  # perhaps an earlier closer was read wrongly
        other = parse(text, start, limit, allowance, closers="unopened")
        if not other.unclosed and sum(edit.kind == "closer" for edit in other.edits) == 1:
            parsed = other
    written = apply(text, parsed.edits, start, parsed.end)
    document, issue = parse_json(written)
    edits = parsed.edits
    if issue is not None:
        if issue.kind != "duplicate_key":
            raise Unreadable(parsed.end)
        try:
            document, doubles = _without_doubles(written)
        except (ValueError, RecursionError) as error:  # the strict parser reports only the first fault
            raise Unreadable(parsed.end) from error
        edits += doubles
    return Reading(
        document=document,
        start=start,
        end=parsed.end,
        edits=edits,
        unclosed=parsed.unclosed,
        cut=parsed.cut,
        loose=parsed.loose,
        bare=parsed.bare,
    )


def _is_dropped(edit: Edit) -> bool:
    return edit.kind == "closer" and not edit.after


def _otherwise(text: str, start: int, limit: int, allowance: Allowance) -> Iterator[Parsed]:
    """Other readings of wrong closers, which may leave no container open."""
    yield parse(text, start, limit, allowance, closers="replace")
    yield parse(text, start, limit, allowance, closers="insert")


def _without_doubles(written: str) -> tuple[Json, tuple[Edit, ...]]:
    """Keep the last value of each duplicate key: lossless if the values are equal, else lossy.

    Raises `ValueError` if the text has other faults.
    """
    edits: list[Edit] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                equal = edit_text(found[key]) == edit_text(value)
                grade: Grade = "lossless" if equal else "lossy"
                edits.append(Edit("duplicate_key", grade, "", edit_text({key: found[key]}), edit_text({key: value})))
            found[key] = value
        return found

    document, issue = parse_json(edit_text(json.loads(written, object_pairs_hook=build)))
    if issue is not None:
        raise ValueError(issue.message)
    return document, tuple(edits)


def read_encoded(text: str, allowance: Allowance) -> tuple[Json, Grade] | None:
    """The document that is all of a string, and the worst grade of the edits to read it; None for other strings."""
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] == '"':  # a string in a string
        inner, issue = parse_json(text)
        return None if issue or not isinstance(inner, str) or inner[:1] == '"' else read_encoded(inner, allowance)
    if text[start : start + 1] not in ("{", "["):
        return None
    try:
        reading = read_at(text, start, len(text), allowance)
    except Unreadable:
        return None
    if text[reading.end :].strip():
        return None
    return reading.document, ("lossless", "lossy", "invented")[worst(reading.edits)]


def is_escaped(text: str, start: int) -> bool:
    """Whether the document at `start` has escaped quotes or line breaks, or quotes as HTML entities."""
    return _ESCAPED.match(text, start) is not None


def read_escaped(text: str, start: int, limit: int, allowance: Allowance) -> Reading | None:
    r"""Read a document whose quotes are all escaped, as in `{\"a\": \"b\"}`; None if they are not, or on failure."""
    if not is_escaped(text, start):
        return None
    if text.find('\\"', start, limit) < 0 and '"' in text[start:limit]:
        return None  # only the line breaks are escaped
    allowance.spend(limit - start)
    content = _CONTENT.match(text, start, limit)
    stop = content.end() if content else limit
    if any(entity in text[start : start + 80] for entity in _ENTITIES):
        inner: Json = unescape(text[start:stop])
    else:
        inner = parse_json(quote(text[start:stop].removesuffix("\\"))[0])[0]
    if not isinstance(inner, str):
        return None
    try:
        found = read_at(inner, 0, len(inner), allowance)
    except Unreadable:
        return None
    grade: Grade = "lossless" if worst(edit for edit in found.edits if edit.kind != "unclosed") == 0 else "lossy"
    if found.unclosed:
        edits = (
            Edit("encoded", grade, start, text[start:stop], edit_text(found.document)),
            Edit("unclosed", "lossy", stop, "", ""),
        )
        return Reading(
            document=found.document,
            start=start,
            end=stop,
            edits=edits,
            unclosed=found.unclosed,
            cut=found.cut,
            loose=found.loose,
        )
    if found.end < len(inner.rstrip()):
        stop = max(text.rfind("}", start, stop), text.rfind("]", start, stop)) + 1
    edit = Edit("encoded", grade, start, text[start:stop], edit_text(found.document))
    return Reading(found.document, start, stop, (edit,))


def regrade(reading: Reading, grade: Grade) -> Reading:
    """The reading with another grade for the closers added at the end of the text."""
    edits = tuple(edit._replace(grade=grade) if edit.kind == "unclosed" else edit for edit in reading.edits)
    return reading._replace(edits=edits)
