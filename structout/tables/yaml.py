"""Documents in YAML, read as JSON by the core schema of YAML 1.2."""

import math
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from structout.document import DEEPEST, Json
from structout.errors import MissingExtraError
from structout.issue import IssueKind
from structout.surfaces import is_utf8
from structout.tables.place import Place
from structout.tables.streams import opened_bytes

_START: Final = re.compile(rb"---(?:\s|$)")
_END: Final = re.compile(rb"\.\.\.(?:\s|$)")
_WITHOUT_CONTENT: Final = re.compile(rb"%|\s*(?:#|$)")  # a directive, a comment, a blank line
_CONSTANTS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# A number with a leading zero is text: it is octal in YAML 1.1 and decimal in YAML 1.2.
_WHOLE: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_OTHER_BASES: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_REAL: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST: Final = 3000  # characters of a number
_CORE: Final = "tag:yaml.org,2002:"
_NO_KEY: Any = object()


class YamlDocument(NamedTuple):
    """One document of a stream: its first line, its value, the line of each item if the value is a list, and its
    problem (`wrong`, with its kind).
    """

    line: int
    value: Json
    items: tuple[int, ...] = ()
    wrong: str = ""
    kind: IssueKind = "not_json"


class _RefusedError(ValueError):
    """What JSON cannot hold, or what has more than one reading."""

    def __init__(self, message: str, line: int, kind: IssueKind = "not_json") -> None:
        super().__init__(message)
        self.line = line
        self.kind: IssueKind = kind


def yaml_documents(place: Place) -> Iterator[YamlDocument]:
    """The documents of a YAML file, divided by `---`. A document that is not YAML does not affect the others.

    `no` and dates are text, as in YAML 1.2. Duplicate keys, keys that are not text, aliases, tags other than `!!str`,
    and numbers that are not finite are problems of their document. Raises `DataError`, `MissingExtraError`.
    """
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingExtraError("yaml", "yaml") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # it only parses: the functions below make all values
    with opened_bytes(place) as stream:
        data = stream.read().removeprefix(b"\xef\xbb\xbf")
    for start, piece in _pieces(data):
        text = piece.decode("utf-8", "surrogateescape")
        try:
            value, items = _read(yaml, yaml.parse(piece.decode(), Loader=loader))
            yield YamlDocument(start, value, tuple(start + line for line in items))
        except UnicodeDecodeError:
            yield YamlDocument(start, text, (), "the document is not UTF-8: convert the file to UTF-8")
        except _RefusedError as error:
            yield YamlDocument(start, text, (), f"line {start + error.line}: {error}", error.kind)
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # a wrong escape may be any of them
            mark = getattr(error, "problem_mark", None)
            where = f"line {start + mark.line}: " if mark is not None else ""
            problem = getattr(error, "problem", None) or str(error).split("\n")[0]
            yield YamlDocument(start, text, (), f"{where}it is not YAML: {problem}")


def _pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The documents of a stream with their first lines. No document can hold a line that begins with `---` or `...`."""
    start, held, is_open = 1, list[bytes](), False
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        if not (_START.match(line) or _END.match(line)):
            held.append(line)
            continue
        if is_open or not all(map(_WITHOUT_CONTENT.match, held)):
            yield start, b"".join(held)
            held = []
        is_open = bool(_START.match(line))
        if not is_open:
            held = []
        start = number - len(held) if is_open else number + 1
        held += [line] if is_open else []
    if is_open or not all(map(_WITHOUT_CONTENT.match, held)):
        yield start, b"".join(held)


def _read(yaml: Any, events: Iterator[Any]) -> tuple[Json, list[int]]:
    """The value of a document, and the line of each of its items. Raises `_RefusedError`, `YAMLError`."""
    root: list[Json] = []
    items: list[int] = []
    open_: list[list[Any]] = []  # each container with the key that waits for its value
    for event in events:
        line = event.start_mark.line
        if isinstance(event, yaml.DocumentStartEvent):
            if event.tags or event.version not in (None, (1, 2)):
                raise _RefusedError("only YAML 1.2 without %TAG is read", line)
            continue
        if isinstance(event, yaml.AliasEvent):
            raise _RefusedError(f"the alias *{event.anchor:.40} is not read: write its value again", line)
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        value = _scalar(event) if isinstance(event, yaml.ScalarEvent) else _empty(yaml, event)
        if not open_:
            root.append(value)
        elif isinstance(open_[-1][0], list):
            open_[-1][0].append(value)
            items += [line] if len(open_) == 1 else []
        elif open_[-1][1] is _NO_KEY:
            if not isinstance(value, str):
                raise _RefusedError(f"the key {getattr(event, 'value', '?')!r:.60} is not text: quote it", line)
            if value in open_[-1][0]:
                raise _RefusedError(f"the key {value!r:.60} is given twice", line, "duplicate_key")
            open_[-1][1] = value
        else:
            open_[-1][0][open_[-1][1]] = value
            open_[-1][1] = _NO_KEY
        if isinstance(event, yaml.CollectionStartEvent):
            if len(open_) == DEEPEST:
                raise _RefusedError(f"it is nested more than {DEEPEST} levels deep", line)
            open_.append([value, _NO_KEY])
    return (root[0] if root else None), items


def _empty(yaml: Any, event: Any) -> Json:
    kind = "seq" if isinstance(event, yaml.SequenceStartEvent) else "map"
    if event.tag not in (None, "!", _CORE + kind):
        raise _RefusedError(f"the tag {event.tag!r:.60} is not read: remove it", event.start_mark.line)
    return [] if kind == "seq" else {}


def _scalar(event: Any) -> Json:
    text, line = event.value, event.start_mark.line
    if event.tag not in (None, "!", _CORE + "str"):
        raise _RefusedError(f"the tag {event.tag!r:.60} is not read: remove it", line)
    if not is_utf8(text):
        raise _RefusedError("an unpaired surrogate", line)
    if event.style or event.tag:
        return str(text)
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    is_number = _WHOLE.fullmatch(text) or _OTHER_BASES.fullmatch(text) or _REAL.fullmatch(text)
    if _NOT_FINITE.fullmatch(text) or (is_number and len(text) > _LONGEST):
        raise _RefusedError(f"JSON has no number {text[:40]}", line, "non_finite")
    if not is_number:
        return str(text)
    if _WHOLE.fullmatch(text):
        return int(text)
    if _OTHER_BASES.fullmatch(text):
        return int(text, 0)
    if not math.isfinite(number := float(text)):
        raise _RefusedError("a number is too large to hold", line, "non_finite")
    return number
