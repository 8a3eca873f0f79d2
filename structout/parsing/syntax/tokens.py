"""Tokens as models write them: patterns, and the conversion of literals and numbers to JSON."""

import re
from typing import Final

WS: Final = r"[ \t\r\n]*+"
INVISIBLE: Final = r"\ufeff\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069"
_WIDE: Final = r"\x0b\x0c\x85\u00a0\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# White space in text that was copied around: that of JSON and other scripts, escapes for it, and marks of quoted lines.
ROOM: Final = rf"(?:[ \t\r\n{_WIDE}{INVISIBLE}]++|(?<=\n)>|\\[nrt])*+"
# The sign between a key and its value.
SIGN: Final = r"(?::=|=>|->|[:：=])"
_CLEAN: Final = r'[^"\\\x00-\x1f\ud800-\udfff]*+'
ESCAPE: Final = (
    r'\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})'
)
# The loop is unrolled, so that a string without escapes takes one step: three times as fast as a single group.
STRING: Final = rf'"{_CLEAN}(?:{ESCAPE}{_CLEAN})*+"'
NUMBER: Final = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"

_LITERALS: Final = {
    "true": "true", "false": "false", "null": "null", "none": "null", "nil": "null", "undefined": "null",
}  # fmt: skip
_NON_FINITE: Final = re.compile(r"[+-]?(?:nan|inf|infinity|∞)", re.IGNORECASE)
_JSON_NUMBER: Final = re.compile(NUMBER)
_LOOSE_NUMBER: Final = re.compile(
    r"[+-]?(?:[0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?|\.[0-9]+(?:_[0-9]+)*)(?:[eE][+-]?[0-9]+)?"
)
_RADIX: Final = re.compile(r"([+-]?)0(?:[xX]([0-9a-fA-F_]+)|[oO]([0-7_]+)|[bB]([01_]+))")
# The longest number that is converted: Python refuses more digits than about this, because converting is quadratic.
_MOST_DIGITS: Final = 4000
_UNSEEN: Final = re.compile(f"[{INVISIBLE}]")


def literal(word: str) -> str | None:
    """The JSON literal for a literal of any programming language; None for other words."""
    return _LITERALS.get(word.lower()) if len(word) <= 9 else None


def is_non_finite(word: str) -> bool:
    """Whether a word is NaN or an infinity, which JSON cannot hold."""
    return len(word) <= 10 and _NON_FINITE.fullmatch(word) is not None


def number(word: str) -> str | None:
    """The JSON number for a word such as `1_000`, `+5`, `.5`, `5.`, `−4` or `0x1F`; None for other words.

    The result for `007` is None: only a schema can say whether it is a number or a code.
    """
    if _JSON_NUMBER.fullmatch(word):
        return word
    if len(word) > _MOST_DIGITS:
        return None
    if not word.isascii():
        word = _UNSEEN.sub("", word).replace("\u2212", "-")  # the sign for minus
        if _JSON_NUMBER.fullmatch(word):
            return word
    radix = _RADIX.fullmatch(word)
    if radix:
        sign, hexadecimal, octal, binary = radix.groups()
        digits, base = (hexadecimal, 16) if hexadecimal else (octal, 8) if octal else (binary, 2)
        try:
            value = int(digits, base)
        except ValueError:
            return None
        return str(-value if sign == "-" else value) if value < 1 << 64 else None
    if not _LOOSE_NUMBER.fullmatch(word):
        return None
    plain = word.replace("_", "").removeprefix("+")
    sign = "-" if plain.startswith("-") else ""
    plain = plain.removeprefix("-")
    mantissa, e, exponent = plain.replace("E", "e").partition("e")
    whole, _, fraction = mantissa.partition(".")
    if len(whole) > 1 and whole.startswith("0"):
        return None
    return sign + (whole or "0") + ("." + fraction if fraction else "") + (e + exponent)
