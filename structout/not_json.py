"""Why a text is not one JSON document, in plain words: a pure function of the text and of what a strict parser says."""

import re
from typing import Final

EMPTY: Final = "the text is empty"
NO_JSON: Final = "no JSON in the text"
FENCE: Final = "in a code fence"
THINKING: Final = "thinking tags before the JSON"
BEFORE: Final = "text before the JSON"
AFTER: Final = "text after the JSON"
TWO: Final = "two documents"
CUT_OFF: Final = "cut off"
YAML: Final = "lines of keys and values, as in YAML"
SINGLE: Final = "single quotes"
CURLY: Final = "curly quotes"
BARE_KEY: Final = "a key without quotes"
BARE_VALUE: Final = "a value without quotes"
QUOTE: Final = "a quote inside a text without a backslash"
COMMA: Final = "a trailing comma"
NO_COMMA: Final = "a missing comma"
NO_COLON: Final = "a missing colon"
NO_VALUE: Final = "a missing value"
CLOSER: Final = "a wrong closing bracket"
COMMENT: Final = "a comment"
NOT_FINITE: Final = "NaN or Infinity"
NUMBER: Final = "a number that is not written as in JSON"
CONTROL: Final = "a line break or another control character inside a text"
ESCAPE: Final = "an escape that JSON does not know"
DEEP: Final = "nested too deep"
OTHER: Final = "other faults"
REASONS: Final = (
    EMPTY, NO_JSON, FENCE, THINKING, BEFORE, AFTER, TWO, CUT_OFF, YAML, SINGLE, CURLY, BARE_KEY, BARE_VALUE, QUOTE,
    COMMA, NO_COMMA, NO_COLON, NO_VALUE, CLOSER, COMMENT, NOT_FINITE, NUMBER, CONTROL, ESCAPE, DEEP,
)  # fmt: skip

_PLACE: Final = re.compile(r" at line ([0-9]+) column ([0-9]+)$")
_OPENER: Final = re.compile(r"""\{(?=\s{0,99}(?:["'“}]|[\w-]{1,60}\s{0,9}:))|\[(?=\s{0,99}["'“{\[\]0-9-])""")
_FENCE: Final = re.compile(r"^[ \t]{0,9}(?:```|~~~)", re.MULTILINE)
_THINKING: Final = re.compile(r"\s{0,99}<(?:think|thinking|thought|reasoning)\b", re.IGNORECASE)
_YAML: Final = re.compile(
    r"\s{0,99}(?:---\s{0,99})?[\w-]{1,60}:(?:[ \t][^\n]*)?\n[ \t]{0,99}(?:- )?[\w-]{1,60}:(?:\s|$)"
)
_NOT_FINITE: Final = re.compile(r"[+-]?(?:nan|inf)", re.IGNORECASE)
_SPACE: Final = " \t\r\n"
_OPEN: Final = {"string": "a text", "list": "a list", "object": "an object"}  # by the parser's word, if one is open


def reason(text: str, error: str) -> str:
    """Why a text is not JSON: one of `REASONS`, with its place. `error` is what a strict parser says of the text.

    Places are offsets in characters. The time is linear in the length of the text.
    """
    start = len(text) - len(text.lstrip(_SPACE))
    if start == len(text):
        return EMPTY
    found = _PLACE.search(error)
    fault = error[: found.start()] if found else error
    if text[start] == "{" or _OPENER.match(text, start):
        place = offset(text, int(found[1]), int(found[2])) if found else start
        why = _within(text, fault, max(place, 0))
        return f"{why}, at character {place}" if ":" not in why and why not in (FENCE, DEEP) else why
    opener = _OPENER.search(text, start)
    if _FENCE.search(text, 0, opener.start() if opener else len(text)):
        return FENCE
    if opener:
        return THINKING if _THINKING.match(text) else f"{BEFORE}, which begins at character {opener.start()}"
    if text[start] == '"' and fault.startswith("EOF"):
        return cut_off(text, _OPEN["string"])
    return YAML if _YAML.match(text) else NO_JSON


def cut_off(text: str, what: str) -> str:
    """The reason of a text that ends within `what`, such as "a list"."""
    return f"{CUT_OFF}: {what} is open at the end, character {len(text)}"


def group(message: str) -> str:
    """The reason in a message of `reason`, without its place; `OTHER` for another message."""
    return next((one for one in REASONS if message.startswith(one)), OTHER)


def offset(text: str, line: int, column: int) -> int:
    """The offset of a line and column of the strict parser, which counts lines from 1, and columns in bytes."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    if text.isascii():
        return start + column - 1
    before = text[start : start + column].encode("utf-8", "surrogatepass")[: max(0, column - 1)]
    return start + len(before.decode(errors="ignore")) - (column == 0)


def _within(text: str, fault: str, place: int) -> str:
    """The reason in a text that begins as JSON does, and breaks off at a place."""
    char, before = text[place : place + 1], text[max(0, place - 99) : place].rstrip(_SPACE)[-1:]
    if fault.startswith("EOF"):
        return cut_off(text, _OPEN.get(fault.rpartition(" ")[2], "a value"))
    if fault == "trailing characters":
        if _FENCE.match(text[place : place + 9]):
            return FENCE
        return TWO if char in "{[" else CLOSER if char in "}]" else AFTER
    if fault == "trailing comma":
        return COMMA
    if fault == "expected `:`":
        return NO_COLON
    if fault.startswith("control character"):
        return CONTROL
    if "escape" in fault:
        return ESCAPE
    if fault.startswith("recursion"):
        return DEEP
    if char == "'":
        return SINGLE
    if char in "“”‘’" and char:
        return CURLY
    if char in "/#" and char:
        return COMMENT
    if _NOT_FINITE.match(text, max(0, place - (text[place - 1 : place] == "-"))):
        return NOT_FINITE
    if fault == "key must be a string":
        return COMMA if char == "}" else NO_VALUE if char == "," else BARE_KEY
    if fault.startswith("expected `,`"):
        if char in "}]":
            return CLOSER
        return QUOTE if before == '"' and text[place - 1] == '"' and char.isalnum() else NO_COMMA
    if fault == "invalid number" or (char in ".+" and not text.startswith("..", place)):
        return NUMBER
    if fault in ("expected value", "expected ident"):
        return NO_VALUE if char in ",}]:" and fault == "expected value" else BARE_VALUE
    return f"{OTHER}: {fault[:80]}"
