"""Readings of a scalar that does not fit the schema."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from structout.document import Json
from structout.issue import Issue
from structout.parsing.digits import long_numbers
from structout.parsing.edits import DECIMAL_OPTION, Decimal, Edit, EditKind, Grade, edit_text
from structout.parsing.fit.dates import read_date_time, read_time
from structout.parsing.fit.literals import (
    in_western_digits,
    magnitude,
    match_name,
    means_unknown,
    multiplied,
    names_unit,
    read_boolean,
    read_number,
    split_unit,
)
from structout.parsing.fit.shape import Shape

_Doubt = Callable[[str], "ScalarReading"]
ScalarReading = tuple[Json, tuple[Edit, ...], tuple[Issue, ...]]

_THOUSANDS: Final = re.compile(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}")
_DECIMAL_COMMA: Final = re.compile(
    r'["\'](?:[^"\'\w]{0,4})[0-9]{1,3}(?:(?:\.[0-9]{3})+(?:,|\.[0-9]{3})|,[0-9]{1,2}(?![0-9,.]))'
)
# A number that JSON reads as a float, and that is not a part of 2025-09-01 or of 1.2.3.
_FLOATS: Final = re.compile(r"(?<![\w.+-])-?(?=[0-9]+[.eE])[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w-]|\.[0-9])")


@dataclass(frozen=True, slots=True)
class ScalarPlace:
    """The place of a scalar: its key, its description in the schema, its sibling strings, and its JSON Pointer."""

    key: str
    about: str
    siblings: tuple[object, ...]
    pointer: str


class _Read(Protocol):
    def __call__(self, kind: EditKind, found: Json, grade: Grade = "lossless") -> ScalarReading: ...


def read_scalar(
    value: Json,
    shape: Shape,
    place: ScalarPlace,
    decimal: Decimal | None,
    source: str,
    literals: Mapping[str, list[str]],
    *,
    drastic: bool,
) -> Iterator[ScalarReading]:
    """All readings of a scalar that may fit `shape`; lossy readings only if `drastic`.

    `literals` are the spellings in the source of numbers that are not JSON, such as 0x1F, by number.
    """

    def reading(kind: EditKind, found: Json, grade: Grade = "lossless") -> ScalarReading:
        return found, (Edit(kind, grade, place.pointer, edit_text(value), edit_text(found)),), ()

    def doubt(message: str) -> ScalarReading:
        return value, (), (Issue(place.pointer, "ambiguous", message),)

    types = shape.types
    text = value if isinstance(value, str) else None
    if shape.values and value is not None:
        names = match_name(edit_text(value) if text is None else text, shape.values)
        if text is not None:
            named = [shape.members[name] for name in match_name(text, tuple(shape.members))]
            names += [other for other in named if other in shape.values and other not in names]
        if len(names) == 1:
            yield reading("enum", names[0])
        elif names:
            yield doubt(f"{edit_text(value)} spells {' and '.join(map(edit_text, names))}: write one of them")
    elif text is not None and "string" in types:
        yield from _respelled(text, shape, reading, doubt, drastic=drastic)
    if not shape.typed:
        return
    if text is not None:
        if "null" in types and means_unknown(text) and not ("string" in types and not text.strip()):
            yield reading("null", None)
        if "boolean" in types and (truth := read_boolean(text)) is not None:
            yield reading("boolean", truth)
        if ("integer" in types or "number" in types) and not shape.values:
            yield from _numbers(text, shape, place, decimal, source, reading, doubt, drastic=drastic)
    elif isinstance(value, bool):
        if "string" in types and not shape.values:
            word = "true" if value else "false"
            written = list(dict.fromkeys(re.findall(rf"\b{word}\b", source, re.IGNORECASE))) or [word]
            if len(written) == 1:
                yield reading("text", written[0])
            else:
                yield doubt(f"the text writes {word} as {' and as '.join(written)}: write it in quotes")
    elif isinstance(value, int | float):
        if "boolean" in types and value in (0, 1):
            yield reading("boolean_number", bool(value))
        if "integer" in types and isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
            yield reading("whole", int(value))
        elif "integer" in types and isinstance(value, float) and drastic and abs(value) < 1 << 53:
            yield reading("rounded", round(value), "lossy")
        if "string" in types and not shape.values:
            written = _as_written(value, source, literals)
            if len(written) == 1:
                yield reading("text", written[0])
            else:
                yield doubt(f"the text writes {edit_text(value)} as {' and as '.join(written)}: write it in quotes")


def _respelled(text: str, shape: Shape, reading: _Read, doubt: _Doubt, *, drastic: bool) -> Iterator[ScalarReading]:
    """Text respelled to fit its format or pattern."""
    stripped = text.strip()
    if stripped != text:
        yield reading("trimmed", stripped)
    for name in shape.formats:
        if name == "date":
            found = read_date_time(text)
            if found is None:
                continue
            dates, time, _ = found
            if len(dates) > 1:
                yield doubt(f"{text!r} may be {' or '.join(dates)}: write one of them")
            elif not time or not time.strip("0:."):
                yield reading("date", dates[0])
            elif drastic:
                yield reading("date", dates[0], "lossy")
        elif name == "date-time":
            found = read_date_time(text)
            if found is None:
                continue
            dates, time, offset = found
            if len(dates) > 1:
                yield doubt(f"{text!r} may be {' or '.join(dates)}: write one of them")
            elif time:
                yield reading("date", f"{dates[0]}T{time}{offset}")
                if not offset and drastic:
                    yield reading("date", f"{dates[0]}T{time}Z", "invented")
            elif drastic:
                yield reading("date", f"{dates[0]}T00:00:00Z", "invented")
        elif name == "time":
            clock = read_time(text)
            if clock:
                yield reading("date", "".join(clock))
                if not clock[1] and drastic:
                    yield reading("date", f"{clock[0]}Z", "invented")


def _numbers(
    text: str,
    shape: Shape,
    place: ScalarPlace,
    decimal: Decimal | None,
    source: str,
    reading: _Read,
    doubt: _Doubt,
    *,
    drastic: bool,
) -> Iterator[ScalarReading]:
    """The number in a text. A unit can be dropped without loss if the context names it too."""
    found = read_number(text, decimal)
    grade: Grade = "lossless"
    kind: EditKind = "number"
    if not found and (parts := split_unit(text)):
        amount, unit = parts
        found, kind = read_number(amount, decimal), "unit"
        if not names_unit(unit, place.key, place.about, place.siblings):
            times = magnitude(unit)
            if times is None:  # 2 hours are not 2 minutes
                if found:
                    yield doubt(f"{text!r} has a unit that the schema does not name, {unit!r}: write the number alone")
                return
            if found and unit[:4].lower() in f"{place.key} {place.about}".lower() and len(unit) > 1:
                yield doubt(f"{text!r} may count in {unit}, as the schema does: write the number alone")
                return
            found, kind = [multiplied(value, times) for value in found], "magnitude"
            grade = "lossless" if len(unit) > 1 else "lossy"  # `k` and `M` are units as well
    if grade == "lossy" and not drastic:
        return
    # Whole numbers are seldom written with a fraction, and beside `12,50` a point marks thousands.
    marks_thousands = "number" not in shape.types or _has_decimal_comma(source)
    if len(found) == 1 and decimal is None and marks_thousands and _THOUSANDS.fullmatch(text.strip()):
        found = [found[0], int(text.replace(".", ""))]
    if len(found) > 1:
        numbers = " or ".join(map(edit_text, found))
        yield doubt(f"{text!r} may be {numbers}: write it without a thousands sign{DECIMAL_OPTION}")
        return
    for value in found:
        if isinstance(value, float) and value in long_numbers(text):
            yield reading("rounded", value, "lossy")
        elif "number" in shape.types or isinstance(value, int):
            yield reading(kind, value, grade)
        elif value.is_integer() and abs(value) < 1 << 53:
            yield reading(kind, int(value), grade)
        elif drastic:
            yield reading("rounded", round(value), "lossy")


@lru_cache(64)
def _has_decimal_comma(source: str) -> bool:
    """Whether a quoted number of the answer has a decimal comma, as `12,50` or `1.234,5`, or several points."""
    return _DECIMAL_COMMA.search(in_western_digits(source)) is not None


def _as_written(value: int | float, source: str, literals: Mapping[str, list[str]]) -> list[str]:
    """The spellings of a number in the source: as text, 1.10 differs from 1.1, and 0x1F from 31."""
    others = literals.get(edit_text(value), [])
    if isinstance(value, int):
        plain = str(value)
        return [*others, plain] if not others or re.search(rf"(?<![\w.+-]){plain}(?![\w.])", source) else others
    written = dict.fromkeys(word for word in _FLOATS.findall(source) if len(word) < 40 and float(word) == value)
    return list(dict.fromkeys([*others, *written])) or [edit_text(value)]
