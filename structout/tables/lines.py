"""Rows of text files: lines of JSON, an array of JSON, or plain text; and the format of a file without a suffix."""

import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from structout.document import Json, load_json
from structout.errors import DataError
from structout.tables.columnar import Bad, constant
from structout.tables.place import KINDS, Place
from structout.tables.streams import opened_bytes, opened_text

_LARGE: Final = re.compile(r"[eE]\+?\d{3}|\d{300}")  # only such a number can overflow
_MAGIC: Final = {
    b"PAR1": "Parquet",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"%PDF": "PDF",
}
_SEEN = 1 << 16  # bytes of a stream whose format is unknown


def json_lines(place: Place) -> Iterator["Json | Bad"]:
    """The objects in a file of JSON lines."""
    with opened_text(place) as stream:
        yield from (_line(number, line) for number, line in enumerate(stream, 1) if line.strip())


def text_lines(place: Place, text: str) -> Iterator["Json | Bad"]:
    """The lines of a text file, each as an object with the key `text`."""
    with opened_text(place) as stream:
        for line in stream:
            if line.strip():
                yield {text: line.rstrip("\r\n")}


def json_items(place: Place) -> Iterator["Json | Bad"]:
    """The objects in a JSON document: the items of an array, or one object. A file of JSON lines is read as such."""
    with opened_text(place) as stream:
        whole = stream.read()
    yield from _items(place.shown, whole)


def sniffed(place: Place, text: str) -> Iterator["Json | Bad"]:
    """The rows of a file or stream without a suffix: lines of JSON, an array of JSON, or lines of text.

    Raises `DataError` for content that would be asked about line by line, but is not text.
    """
    with opened_bytes(place) as raw:
        _check(place, _peeked(raw), text)
        lines = enumerate((line.decode("utf-8", "surrogateescape") for line in raw), 1)
        start, first = next(((number, line) for number, line in lines if line.strip("\ufeff \t\r\n")), (1, ""))
        first = first.removeprefix("\ufeff")
        if first.lstrip()[:1] == "[" or first.strip() == "{":
            yield from _items(place.shown, first + "".join(line for _, line in lines))
            return
        is_json = first.lstrip()[:1] == "{"
        for number, line in chain([(start, first)], lines):
            if line.strip():
                is_row = is_json or (place.name == "-" and line.lstrip().startswith("{"))
                yield _line(number, line) if is_row else {text: line.rstrip("\r\n")}


def _peeked(raw: Any) -> bytes:
    peek = getattr(raw, "peek", None)
    return bytes(peek(_SEEN)[:_SEEN]) if peek is not None else b""


def _check(place: Place, start: bytes, text: str) -> None:
    if kind := next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None):
        raise DataError(f"{place.shown} holds {kind} data under a name without its suffix", hint=f"give {KINDS}")
    if b"\0" in start:
        raise DataError(f"{place.shown} holds binary data", hint=f"give {KINDS}")
    header = start.removeprefix(b"\xef\xbb\xbf").split(b"\n")[0].decode("utf-8", "replace").strip()
    for delimiter, format in ((",", "csv"), ("\t", "tsv"), (";", "csv"), ("|", "csv")):  # noqa: A001
        cells = [cell.strip().strip('"') for cell in header.split(delimiter)]
        if text and len(cells) > 1 and text in cells and b"\n" in start:
            named = f"--delimiter '{delimiter}'" if delimiter in ";|" else f"--format {format}"
            hint = f"read a table with {named}, or lines of text with --format text"
            raise DataError(f"{place.shown} looks like a table with a header", hint=hint)


def _items(name: str, whole: str) -> Iterator["Json | Bad"]:
    try:
        found = load_json(whole, constant)
    except ValueError as error:
        lines = [line for line in whole.split("\n") if line.strip()]
        if len(lines) < 2 or isinstance(_line(1, lines[0]), Bad):
            raise DataError(f"{name} is not JSON: {error}", hint="give an array of objects, or one object") from error
        yield from (_line(number, line) for number, line in enumerate(whole.split("\n"), 1) if line.strip())
        return
    for number, one in enumerate(found if isinstance(found, list) else [found], 1):
        yield one if isinstance(one, dict) else Bad(one, f"item {number} is not a JSON object")


def _line(number: int, line: str) -> "Json | Bad":
    try:
        record = load_json(line, constant)
        if _LARGE.search(line):
            json.dumps(record, allow_nan=False)
    except ValueError as error:
        return Bad(line.rstrip("\r\n"), f"line {number} is not JSON: {error}")
    return record if isinstance(record, dict) else Bad(record, f"line {number} is not a JSON object")
