"""Numbers that are written with more digits than a float keeps."""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

_KEPT: Final = 17  # digits that tell every float from its neighbours
_LONG: Final = re.compile(r"(?<![\w.])-?[0-9][0-9.]{17,400}(?:[eE][+-]?[0-9]{1,4})?(?![\w])")
_MAY_BE_LONG: Final = re.compile(rb"[0-9][0-9.]{17}")


def may_be_long(data: bytes) -> bool:
    """Whether a text in UTF-8 may hold a number that is written with too many digits."""
    return _MAY_BE_LONG.search(data) is not None


def long_numbers(text: str) -> dict[float, str]:
    """The numbers in a text whose digits a float does not keep, by this float."""
    found: dict[float, str] = {}
    for word in _LONG.findall(text):
        if word.count(".") == 1 or "e" in word.lower():
            value = float(word)
            if loses_digits(word, value):
                found[value] = word
    return found


def loses_digits(written: str, value: float) -> bool:
    """Whether a number as written, such as 0.1234567890123456789, says more than its float.

    A float printed with more digits than it needs loses nothing.
    """
    digits = sum(char.isdigit() for char in written.lower().partition("e")[0].lstrip("-0."))
    if digits <= _KEPT:
        return False
    said = Decimal(written)
    return said != Context(prec=len(said.as_tuple().digits), rounding=ROUND_HALF_EVEN).create_decimal(Decimal(value))
