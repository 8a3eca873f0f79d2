"""The numbers in a record, and their places."""

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from structout.parsing.fit.literals import in_western_digits, plain_digits, read_number

_VULGAR = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_NUMERAL = re.compile(
    r"(?:([0-9]+)[ -])?([0-9]+)[/⁄]([0-9]+)"
    rf"|([0-9]+)? ?([{_VULGAR}])"
    r"|[0-9][0-9.,'’]*[0-9]|[0-9]|\.[0-9]+"
)
_SPACED = re.compile(
    r"(?<![\w.,])[1-9][0-9]{0,2}([ \u00a0\u2009\u202f])[0-9]{3}(?:\1[0-9]{3})*(?:[.,][0-9]+)?(?![0-9])"
)
_COMMAS = re.compile(r"[0-9]+(?:,[0-9]+)+")
_CENTS = re.compile(r",0[0-9]")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+")
_DIGITS = re.compile(r"[0-9]+")
_DECIMALS = re.compile(r"[0-9.]*[0-9]")  # between the commas of a list
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]{1,3})(?![^\W_])")
# Not the dash of a range (3-5, 5"-6", 5€-6€), of a word (M-5) or of a code (10--5).
_SIGN = re.compile(r"(?:^|(?<=[\s(\[{<>=:;,/|±~≈“„‘«])|(?<![0-9][\"'$€£¥])(?<=[\"'$€£¥]))[-−][$€£¥]?$")
_OPENED = re.compile(r"\([$€£¥]?$")
_BEFORE = 4  # characters: the longest match of _SIGN and _OPENED, with their lookbehind
_WIDE_SEPARATOR = re.compile(r"(?<=[0-9])[．，٫٬](?=[0-9])")
_POINTS = re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+")
_LONGEST = 300  # characters: no float holds more digits before the point


class Number(NamedTuple):
    """A number in a record, and its place."""

    value: int | float
    start: int
    end: int


def numbers(text: str) -> list[Number]:
    """All readings of the numerals in a text: `1,200` and `1.200` are 1200 or 1.2, `6,8,10` is a list, `(5)` is 5 or
    -5.

    `text` may have ASCII digits only (see `in_ascii`).
    """
    found = []
    for numeral in _NUMERAL.finditer(text):
        readings = list(_readings(numeral))
        found += [*readings, *_powers(text, numeral, readings)]
    found += [Number(v, *numeral.span()) for numeral in _SPACED.finditer(text) for v in read_number(numeral[0], None)]
    return [*found, *(negative for number in found for negative in _negatives(text, number))]


def in_ascii(text: str) -> str:
    """The text with all digits, and the separators between digits, in ASCII; its length stays the same."""
    if text.isascii():
        return text
    return _WIDE_SEPARATOR.sub(lambda found: plain_digits(found[0]), in_western_digits(text))


def is_signed(text: str, at: int) -> bool:
    """Whether the sign before the number at this place is a minus sign rather than a dash."""
    return _SIGN.search(text, max(0, at - _BEFORE), at) is not None


def _readings(numeral: re.Match[str]) -> Iterator[Number]:
    """The readings of a numeral as a whole and in parts, without sign and exponent."""
    (start, end), (whole, over, under, before, vulgar) = numeral.span(), numeral.groups()
    if end - start > _LONGEST:
        return
    if vulgar:
        part = Fraction(unicodedata.numeric(vulgar)).limit_denominator(10)
        yield Number(float(int(before or 0) + part), start, end)
    elif under:
        if int(under):
            yield Number(float(int(whole or 0) + Fraction(int(over), int(under))), start, end)
            yield from (Number(int(numeral[group]), *numeral.span(group)) for group in (1, 2, 3) if numeral[group])
    else:
        yield from _plain(numeral)


def _plain(numeral: re.Match[str]) -> Iterator[Number]:
    """The readings of digits and separators.

    A numeral that does not parse as one number is a list: `6,8,10`, `03.05.2024`, `6'2`. `2,3` may be a number or a
    list; commas mark thousands only before three digits.
    """
    text, start = numeral[0], numeral.start()
    values = read_number("0" + text if text.startswith(".") else text, None)
    has_commas = _COMMAS.fullmatch(text) and not _THOUSANDS.fullmatch(text)
    if has_commas:
        values = [value for value in values if isinstance(value, float)]
    if _POINTS.fullmatch(text):  # 7.500 is 7.5, or 7500 where points mark thousands
        values = list(dict.fromkeys([*values, int(text.replace(".", ""))]))
    yield from (Number(value, start, numeral.end()) for value in values)
    if not values or (has_commas and not _CENTS.search(text)):
        for part in (_DECIMALS if "," in text else _DIGITS).finditer(text):
            yield from (Number(v, start + part.start(), start + part.end()) for v in read_number(part[0], None))


def _powers(text: str, numeral: re.Match[str], readings: list[Number]) -> Iterator[Number]:
    """The readings with the exponent that follows, unless the numeral is part of a code."""
    power = _EXPONENT.match(text, numeral.end())
    if not power or text[max(0, numeral.start() - 1) : numeral.start()].isalnum():
        return
    for written in read_number(text[numeral.start() : power.end()], None):
        yield Number(written, numeral.start(), power.end())
    for value, start, end in readings:  # with a comma, or in a list
        if end == numeral.end():
            yield Number(float(Decimal(repr(value)).scaleb(int(power[1]))), start, power.end())


def _negatives(text: str, number: Number) -> Iterator[Number]:
    """The negative readings: with a sign before the number, or in parentheses, as accountants write them."""
    value, start, end = number
    sign = _SIGN.search(text, max(0, start - _BEFORE), start)
    if sign:
        yield Number(-value, sign.start(), end)
    opened = _OPENED.search(text, max(0, start - _BEFORE), start)
    if opened and text[end : end + 1] == ")":
        yield Number(-value, opened.start(), end + 1)
