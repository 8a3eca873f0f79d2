"""Readers for numbers, booleans, nulls and enumeration names that are written as text."""

import re
import unicodedata
from fractions import Fraction
from html import unescape
from typing import Any, Final

from structout.parsing.edits import Decimal
from structout.parsing.syntax.tokens import number
from structout.words import MARKS, caseless

_SPACES: Final = re.compile(r"[\s\u00a0\u202f]+")
_GROUPED: Final = {
    ".": re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[+-]?[0-9]{1,3}(?:[ '’][0-9]{3})+(?:\.[0-9]+)?"),
    ",": re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?|[+-]?[0-9]{1,3}(?:[ '’][0-9]{3})+(?:,[0-9]+)?"),
}
_INDIAN: Final = re.compile(r"[+-]?[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?")
_COMMA_DECIMAL: Final = re.compile(r"[+-]?[0-9]+,[0-9]+")
_PADDED: Final = re.compile(r"([+-]?)0+([0-9]+(?:\.[0-9]+)?)")
_NUMBER: Final = r"[+-]?(?:[0-9][0-9.,٫٬_ '’\u00a0\u202f]*[0-9]|[0-9])(?:[eE][+-]?[0-9]+)?|[+-]?\.[0-9]+"
_LETTERS: Final = rf"(?:[^\W\d_][{MARKS}]*)"
_CURRENCIES: Final = "$€£¥₹₺₩₽₴₪₫฿₱"
_WITH_UNIT: Final = re.compile(
    rf"({_NUMBER})\s*({_LETTERS}{{1,20}}(?:[/ ·.-]{_LETTERS}{{1,20}})?[²³23]?|[%‰°{_CURRENCIES}\"'′″]|°\s?[CFK])\.?"
)
_UNIT_FIRST: Final = re.compile(rf"([{_CURRENCIES}]|(?:Rs|Fr|रु)\.?|[A-Z]{{2,3}}\$?)\s*({_NUMBER})")
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[%‰°$€£¥]|°\s?[CFK]|″|\"")
_SAME_UNIT: Final = (
    {"mm", "millimeter", "millimeters", "millimetre", "millimetres"},
    {"cm", "centimeter", "centimeters", "centimetre", "centimetres"},
    {"m", "meter", "meters", "metre", "metres"},
    {"km", "kilometer", "kilometers", "kilometre", "kilometres"},
    {"in", "inch", "inches", '"', "″"},
    {"ft", "foot", "feet"},
    {"mi", "mile", "miles"},
    {"mg", "milligram", "milligrams"},
    {"g", "gram", "grams"},
    {"kg", "kilogram", "kilograms", "kilo", "kilos"},
    {"lb", "lbs", "pound", "pounds"},
    {"oz", "ounce", "ounces"},
    {"ms", "millisecond", "milliseconds"},
    {"s", "sec", "secs", "second", "seconds"},
    {"min", "mins", "minute", "minutes"},
    {"h", "hr", "hrs", "hour", "hours"},
    {"d", "day", "days"},
    {"ml", "milliliter", "milliliters", "millilitre", "millilitres"},
    {"l", "liter", "liters", "litre", "litres"},
    {"%", "percent", "pct", "percentage"},
    {"$", "us$", "usd", "dollar", "dollars", "دولار"},
    {"€", "eur", "euro", "euros"},
    {"£", "gbp"},
    {"¥", "jpy", "yen", "円", "圓"},
    {"¥", "cny", "rmb", "yuan", "元", "圆"},
    {"nt$", "twd", "元", "圓"},
    {"₹", "inr", "rs", "rs.", "rupee", "rupees", "रु", "रु.", "रुपये", "रुपए"},
    {"₺", "try", "tl", "lira"},
    {"zł", "pln", "zloty"},
    {"fr", "fr.", "sfr", "chf"},
    {"kr", "sek"},
    {"kr", "nok"},
    {"kr", "dkk"},
    {"ريال", "ر.س", "sar"},
    {"درهم", "د.إ", "aed"},
    {"درهم", "dh", "mad"},
    {"جنيه", "egp"},
    {"°c", "celsius"},
    {"°f", "fahrenheit"},
    {"v", "volt", "volts"},
    {"w", "watt", "watts"},
    {"a", "amp", "amps", "ampere", "amperes"},
    {"pcs", "pc", "piece", "pieces"},
)
# Unit names that are also common words or letters: in a description, they count only after `in`, `(` or `[`.
_TOO_SHORT: Final = frozenset({"a", "in", "d", "m", "s", "h", "v", "w", "g", "l", "min"})
_MAGNITUDES: Final = {
    "hundred": 100, "dozen": 12, "dozens": 12, "k": 1_000, "thousand": 1_000, "mille": 1_000,
    "lakh": 100_000, "m": 1_000_000, "mn": 1_000_000, "mio": 1_000_000, "million": 1_000_000, "millions": 1_000_000,
    "crore": 10_000_000, "b": 10**9, "bn": 10**9, "billion": 10**9, "billions": 10**9, "trillion": 10**12,
}  # fmt: skip
_TRUE: Final = frozenset({"true", "yes", "y", "on", "t", "1", "✓", "✔"})
_FALSE: Final = frozenset({"false", "no", "n", "off", "f", "0", "✗", "✘"})
_NULL: Final = frozenset({"", "null", "none", "nil", "n/a", "na", "undefined"})
# What else says that a value is not known, where the schema allows null.
_UNKNOWN: Final = frozenset({
    "n.a.", "-", "--", "\u2013", "\u2014", "unknown", "unspecified", "missing", "not specified", "not available",
    "not provided", "not mentioned", "not stated", "not given", "not found", "not applicable", "not known", "no data",
})  # fmt: skip
_BETWEEN: Final = re.compile(r"(?<=[0-9])[.,](?=[0-9])")
_UNSURE: Final = re.compile(r"\b(?:not|from|converts?|converted|or|fraction)\b", re.IGNORECASE)
_MEANT: Final = re.compile(r"[+*/!#&|;<>=~^]|,\s*\w|\d\s*[-.,]\s*\d|-\s*\Z")  # signs that a name may differ by
_SIGN: Final = re.compile(r"^-\s*(?=[0-9.])")
_OPTION: Final = re.compile(r"\s*\(?([A-Za-z]|[0-9]{1,2})[).:]\s+(?=\S)")
_QUALIFIED: Final = re.compile(r"<?[A-Z]\w*\.(\w+)(?::\s*['\"]?([^'\">]*)['\"]?>)?")
_ONES: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDED: Final = {word: n for n, word in enumerate(_ONES)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_WIDE_SIGNS: Final = str.maketrans("．，－＋￥￡＄％٪", ".,-+¥£$%%")
_ARABIC_SIGNS: Final = str.maketrans("٫٬", ".,")  # decimals and thousands
_ARABIC: Final = re.compile(r"[+-]?[0-9]{1,3}(?:٬[0-9]{3})*(?:٫[0-9]+)?|[+-]?[0-9]+٫[0-9]+")
_SPELLING: Final = re.compile(r"[\s_\-./,:;!'\"`´’“”()\[\]*]+")


def read_number(text: str, decimal: Decimal | None) -> list[int | float]:
    """The numbers that a text can mean: several if a separator may mark either thousands or decimals.

    If `decimal` is given, only this sign marks decimals.
    """
    return [value for plain in plain_numbers(text, decimal) for value in _finite(plain)]


def plain_numbers(text: str, decimal: Decimal | None) -> list[str]:
    """The numbers that a text can mean, as `read_number`, with all their digits: as JSON writes them."""
    text = text.strip().replace("−", "-")
    if not text or len(text) > 400:
        return []
    if not text.isascii():
        text = in_western_digits(text)
        if ("٫" in text or "٬" in text) and _ARABIC.fullmatch(text):  # signs with one meaning
            text, decimal = text.replace("٬", "").replace("٫", "."), "."
        text = text.translate(_WIDE_SIGNS).translate(_ARABIC_SIGNS)
    if not any(char.isdigit() for char in text):
        worded = in_words(text)
        return [] if worded is None else [str(worded)]
    if decimal != ",":
        padded = _PADDED.fullmatch(text)
        written = number(padded.group(1) + padded.group(2) if padded else text)
        if written is not None:
            return [written]
    text = _SPACES.sub(" ", text)
    if decimal != "," and _INDIAN.fullmatch(text):
        return [text.replace(",", "").removeprefix("+")]
    if decimal is None and _COMMA_DECIMAL.fullmatch(text):  # 3,14 or 1,200: the comma is ambiguous
        return [text.replace(",", ""), text.replace(",", ".")]
    found: dict[str, None] = {}
    for point in (decimal,) if decimal else (".", ","):
        thousands = "." if point == "," else ","
        if _GROUPED[point].fullmatch(text) or (point == "," and _COMMA_DECIMAL.fullmatch(text)):
            plain = re.sub(rf"[{thousands} '’]", "", text).replace(point, ".")
            found[_PADDED.sub(r"\1\2", plain, count=1) if _PADDED.fullmatch(plain) else plain] = None
        elif decimal == "," and (written := number(text)) and "." not in written:
            return [written]
    return [plain.removeprefix("+") for plain in found]


def in_western_digits(text: str) -> str:
    """The text with the digits of any script as 0 to 9; its length stays the same."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


def plain_digits(text: str) -> str:
    """The text with the digits of any script as 0 to 9, and with plain forms of full-width and Arabic signs."""
    return in_western_digits(text).translate(_WIDE_SIGNS).translate(_ARABIC_SIGNS)


def in_words(text: str) -> int | None:
    """The number from 0 to 99 that English words spell, as `thirty-two`; None for other texts."""
    first, _, second = text.lower().replace(" ", "-").partition("-")
    if not second:
        return _WORDED.get(first)
    tens, ones = _WORDED.get(first, 0), _WORDED.get(second, 0)
    return tens + ones if tens >= 20 and 0 < ones < 10 else None


def _finite(written: str) -> list[int | float]:
    if not any(sign in written for sign in ".eE"):
        return [int(written)]
    value = float(written)
    return [value] if abs(value) != float("inf") else []


def split_unit(text: str) -> tuple[str, str] | None:
    """The number and the unit of a text such as `5 mm`, `12.5%` or `$3`; None for other texts."""
    text = text.strip()
    if len(text) > 80:
        return None
    if not text.isascii():
        text = in_western_digits(text).translate(_WIDE_SIGNS)
    found = _WITH_UNIT.fullmatch(text)
    if found:
        return found.group(1), found.group(2)
    found = _UNIT_FIRST.fullmatch(text)
    return (found.group(2), found.group(1)) if found else None


def magnitude(unit: str) -> int | None:
    """How many times its number an amount is: 1,000,000 for `M`, 12 for `dozen`; None for a unit.

    A small `m` is metres or minutes.
    """
    return None if unit == "m" else _MAGNITUDES.get(unit.lower())


def multiplied(value: float, by: int) -> int | float:
    """A number so many times, exactly as its digits say."""
    product = Fraction(repr(value)) * by
    return int(product) if product.denominator == 1 else float(product)


def names_unit(unit: str, key: str, about: str, siblings: tuple[object, ...]) -> bool:
    """Whether the key, the schema's description or the value of a sibling names the unit too."""
    unit = unit.lower().replace("° ", "°")
    same = {unit}.union(*(group for group in _SAME_UNIT if unit in group))
    if any(isinstance(value, str) and value.strip().lower() in same for value in siblings):
        return True
    words = {word.lower() for word in _WORDS.findall(key.replace("_", " "))}
    last = re.findall(r"[A-Za-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key.replace("_", " ")))
    if last and last[-1].lower() in same:
        return True
    if _UNSURE.search(about):
        return False
    words |= {word.lower() for word in _WORDS.findall(about)}
    return bool((words & same) - _TOO_SHORT) or any(
        re.search(rf"(?:\bin |\(|\[){re.escape(name)}(?:\b|[)\].,;]|$)", about.lower()) for name in same & _TOO_SHORT
    )


def read_boolean(text: str) -> bool | None:
    """The truth value of a word such as `yes`; None for other words."""
    word = text.strip().rstrip(".").lower()
    return True if word in _TRUE else False if word in _FALSE else None


def means_null(text: str) -> bool:
    """Whether a text stands for a missing value, such as `n/a`."""
    return text.strip().lower() in _NULL


def means_unknown(text: str) -> bool:
    """Whether a text says that a value is missing or not known."""
    return means_null(text) or text.strip().lower() in _UNKNOWN


def match_name(text: str, names: tuple[Any, ...]) -> list[Any]:
    """The `names` that match a text, ignoring case and outer spaces, or else also punctuation and all spaces."""
    if "&" in text:
        text = unescape(text)
    if (option := _OPTION.match(text)) and (chosen := _option(option[1], text[option.end() :], names)):
        return chosen
    qualified = _QUALIFIED.fullmatch(text.strip())
    if qualified and match_exactly(text.strip().partition(".")[0], names) == []:  # a member of an enumeration of Python
        text = qualified[2] if qualified[2] is not None else qualified[1]
    meant = {sign for found in _MEANT.finditer(text) for sign in found[0] if not sign.isalnum() and not sign.isspace()}
    loose = not meant or meant <= set("".join(map(_written, names)))
    for spell in (_trimmed, _spelled) if loose else (_trimmed,):
        wanted = spell(text)
        if wanted:
            found = [name for name in names if spell(_written(name)) == wanted]
            if found:
                return found
    return []


def match_exactly(text: str, names: tuple[Any, ...]) -> list[Any]:
    """The `names` that match a text, ignoring case and outer spaces."""
    return [name for name in names if _trimmed(_written(name)) == _trimmed(text)]


def _option(letter: str, rest: str, names: tuple[Any, ...]) -> list[Any]:
    """The name after the letter or number of an answer to choose, as `B) Oslo`, if the letter counts to the name."""
    place = int(letter) - 1 if letter.isdigit() else ord(letter.lower()) - ord("a")
    return [name for name in match_name(rest, names) if 0 <= place < len(names) and names[place] == name]


def _written(name: Any) -> str:
    if isinstance(name, str):
        return name
    if isinstance(name, bool):
        return "true" if name else "false"
    return repr(name) if isinstance(name, int | float) else ""


def _trimmed(text: str) -> str:
    return caseless(text.strip())


def _spelled(text: str) -> str:
    text = _SIGN.sub("minus", _BETWEEN.sub("point", text.strip()))
    return _SPELLING.sub("", caseless(text))
