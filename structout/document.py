"""A strict JSON reader: it accepts nothing that RFC 8259 or a careful reader would reject."""

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import jiter

from structout.issue import Issue, pointer
from structout.not_json import reason

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

# Bytes by kind: digits, the letter of an exponent, its sign, and the rest. Searching the kinds for a long exponent is
# five times as fast as any regular expression.
_KINDS = bytes(
    ord("0") if byte in b"0123456789" else ord("e") if byte in b"eE" else byte if byte in b"+" else ord(" ")
    for byte in range(256)
)
_MANY = b"0" * 300
DEEPEST = 200  # levels of nested containers
_TOO_DEEP = f"it is nested more than {DEEPEST} levels deep"
_TOO_LARGE = "a number is too large to hold"
_TWICE = "Detected duplicate key "
_LONGEST = 80  # characters of a key in a message

_JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def parse_json(text: str) -> tuple[Json, Issue | None]:
    """Parse `text` as exactly one JSON document (RFC 8259), nested at most 200 deep.

    Returns the document and None, or None and the issue. Duplicate keys, NaN, Infinity, numbers that overflow,
    unpaired surrogates and text after the document are all rejected.
    """
    try:
        return read_json(text), None
    except ValueError as error:
        return None, _explain(error, text)


def read_json(text: str | bytes) -> Json:
    """Parse as `parse_json` does, for callers that need no issue: raises `ValueError`."""
    data = text.encode() if isinstance(text, str) else text
    document: Json = jiter.from_json(data, allow_inf_nan=False, catch_duplicate_keys=True)
    if _may_overflow(data) and _overflows(document):
        raise ValueError(_TOO_LARGE)
    return document


def load_json(text: str, constant: Callable[[str], Any] | None = None) -> Any:
    """Read JSON from elsewhere than a model, such as a user's file: as `json` does, but nested at most 200 deep.

    `constant` converts NaN and Infinity. Raises `ValueError`.
    """
    try:
        found = jiter.from_json(text.encode(), allow_inf_nan=False)  # which is faster, and as strict
    except ValueError:  # perhaps of NaN or half of a character
        try:
            found = json.loads(text, parse_constant=constant)
        except RecursionError as error:
            raise ValueError(_TOO_DEEP) from error
    if text.count("[") + text.count("{") > DEEPEST and depth_and_size(found, DEEPEST + 1)[0] > DEEPEST:
        raise ValueError(_TOO_DEEP)
    return found


def one_line(data: bytes) -> bytes:
    """A valid JSON text on one line, with each string and number as it is written."""
    return b"".join(_JSON_TOKEN.findall(data))


def depth_and_size(document: Any, most: int) -> tuple[int, int]:
    """How many levels of containers a document has, up to `most`, and how many values these levels hold."""
    depth, size, level = 0, 1, [document]
    while depth < most:
        containers = [node for node in level if isinstance(node, dict | list)]
        if not containers:
            break
        level = [one for node in containers for one in (node.values() if isinstance(node, dict) else node)]
        depth, size = depth + 1, size + len(level)
    return depth, size


def _may_overflow(data: bytes) -> bool:
    """Whether a number has a three-digit exponent or 300 digits: only such a number can overflow."""
    kinds = data.translate(_KINDS)
    if b"0e" in kinds and (b"0e000" in kinds or b"0e+000" in kinds):
        return True
    return len(data) > 300 and _MANY in kinds


def leaves(document: Json) -> dict[str, str | int | float | bool]:
    """The scalars of a document by JSON Pointer, without nulls."""
    return {place: value for place, value in scalars(document).items() if value is not None}


def scalars(document: Json) -> dict[str, str | int | float | bool | None]:
    """The scalars of a document, nulls among them, by their JSON Pointer, the last first."""
    found: dict[str, str | int | float | bool | None] = {}
    stack: list[tuple[tuple[str | int, ...], Json]] = [((), document)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, dict):
            stack += [((*path, key), value) for key, value in node.items()]
        elif isinstance(node, list):
            stack += [((*path, index), value) for index, value in enumerate(node)]
        else:
            found[pointer(path)] = node
    return found


def steps(document: Json, place: str) -> list[str | int]:
    """The keys and indexes on the way to a place of a document (a JSON Pointer).

    The document is needed to tell `/0` the index from `/0` the key.
    """
    found: list[str | int] = []
    for step in place.split("/")[1:]:
        if isinstance(document, list):
            found.append(int(step))
            document = document[int(step)]
        else:
            key = step.replace("~1", "/").replace("~0", "~")
            found.append(key)
            document = document[key] if isinstance(document, dict) else None
    return found


def starred(document: Json, place: str) -> str:
    """The place of a document (a JSON Pointer) with `*` for the items of lists: the field of all such places."""
    try:
        found = steps(document, place)
    except (LookupError, TypeError, ValueError):  # a place of another document
        return place
    return "".join("/*" if isinstance(step, int) else pointer((step,)) for step in found)


def leaf_places(text: str) -> dict[str, tuple[int, int]]:
    """The places of the scalars in a valid JSON text, by JSON Pointer.

    A place is the first byte in UTF-8 and the byte after the last, quotation marks included.
    """
    places: dict[str, tuple[int, int]] = {}
    path: list[str | int | None] = []  # for each open container, the next key or index
    for found in _JSON_TOKEN.finditer(text.encode()):
        token = found[0]
        if token in b"{[":
            path.append(None if token == b"{" else 0)
        elif token in b"}]":
            path.pop()
        elif token == b",":
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else None
        elif token != b":":
            if path and path[-1] is None:
                path[-1] = jiter.from_json(token)
            else:
                places[pointer([step for step in path if step is not None])] = found.span()
    return places


def _explain(error: ValueError, text: str) -> Issue:
    if isinstance(error, UnicodeEncodeError):
        return Issue("", "not_json", f"an unpaired surrogate at character {error.start}")
    message = str(error)
    if message == _TOO_LARGE:
        return _not_finite(text, message)
    if message.startswith(_TWICE):
        key = message.removeprefix(_TWICE).rpartition(" at line ")[0]
        shown = key if len(key) <= _LONGEST else f"{key[:_LONGEST]}…"
        return Issue("", "duplicate_key", f"the key {shown} occurs twice")
    if "N" in text or "I" in text:
        with suppress(ValueError):
            return _not_finite(text)
    return Issue("", "not_json", reason(text, message))


def _not_finite(text: str, message: str = "") -> Issue:
    """The issue of the first number of a text that is not finite. Raises `ValueError` if the text has other faults."""
    document: Json = jiter.from_json(text.encode(), allow_inf_nan=True)
    found = [
        (place, one) for place, one in scalars(document).items() if isinstance(one, float) and not math.isfinite(one)
    ]
    if not found:  # a member with the same key follows
        return Issue("", "non_finite", message or "JSON has no NaN and no Infinity")
    place, number = found[-1]
    word = "NaN" if math.isnan(number) else "-Infinity" if number < 0 else "Infinity"
    message = message or f"JSON has no {word}"
    return Issue(place, "non_finite", message if len(found) == 1 else f"{message}, and {len(found) - 1} more")


def _overflows(document: Json) -> bool:
    stack: list[Json] = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, float) and not math.isfinite(node):
            return True
        if isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return False


def with_whole_numbers(node: Json) -> Json:
    """The document with 3.0 written as 3."""
    if isinstance(node, dict):
        return {key: with_whole_numbers(value) for key, value in node.items()}
    if isinstance(node, list):
        return [with_whole_numbers(value) for value in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node
