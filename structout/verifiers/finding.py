"""Where a record says a value: to the letter, in another spelling, by value, or nearly."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

from structout.repair.dates import read_date
from structout.repair.scalars import read_number
from structout.words import WORD, plain, plain_words

_NUMBER = re.compile(r"([0-9]+)[ -]([0-9]+)/([0-9]+)|([0-9]+)/([0-9]+)|[0-9][0-9.,'’]*[0-9]|[0-9]|\.[0-9]+")
_SIGN = re.compile(r"(?:^|(?<=[\s(\[{<>=:;,/|±~≈]))[-−]$")  # not that of a range (3-5), a word (M-5) or a code (10--5)
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]{1,3})(?![^\W_])")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_DATE = 6  # words
_LONGEST_NUMBER = 300  # characters: no float holds more digits before the point
_LEAST_FUZZY = 4  # characters: among shorter words everything is near everything


class Found(NamedTuple):
    """How sure a value is found (1 is to the letter, in another spelling or by value; 0 is not at all), and where."""

    score: float
    span: tuple[int, int] | None = None


_NOT = Found(0.0)


@dataclass(frozen=True)
class Text:
    """A record, to find values in."""

    text: str

    @cached_property
    def _words(self) -> list[tuple[str, int, int]]:
        return [(plain(word[0]), word.start(), word.end()) for word in WORD.finditer(self.text)]

    @cached_property
    def _numbers(self) -> list[tuple[float, int, int]]:
        return [reading for found in _NUMBER.finditer(self.text) for reading in self._readings(found)]

    def _readings(self, found: re.Match[str]) -> Iterator[tuple[float, int, int]]:
        """What a number can mean, and where each reading stands: with and without the exponent that follows it and the
        sign before it, which may be a dash.
        """
        start, end = found.span()
        values = [(value, end) for value in _values(found)]
        whole = values[:1] if "/" in found[0] else list(values)  # of `-2 1/4`, 1 and 4 have no sign
        power = _EXPONENT.match(self.text, end)
        if power and not _joined(self.text, start):
            whole += [(_scaled(value, int(power[1])), power.end()) for value, _ in whole]
        yield from ((value, start, after) for value, after in dict.fromkeys(values + whole))
        if _SIGN.search(self.text, max(0, start - 2), start):
            yield from ((-value, start - 1, after) for value, after in whole)

    def find(self, value: str | float | bool, least: float = 1.0) -> Found:
        """The best place for a value. A text may differ by so much that its similarity is still `least`, but in no
        digit; a boolean is nowhere, since no word stands for it.
        """
        if isinstance(value, bool):
            return _NOT
        if isinstance(value, int | float):
            return next((Found(1.0, (a, b)) for number, a, b in self._numbers if number == value), _NOT)
        return self._exactly(value) or self._spelled(value) or self._as_date(value) or self._nearly(value, least)

    def _exactly(self, value: str) -> Found | None:
        """The text itself, where it does not begin or end within a word."""
        at = self.text.find(value) if value.strip() else -1
        while at >= 0:
            end = at + len(value)
            if not (_joined(self.text, at) or _joined(self.text, end)):
                return Found(1.0, (at, end))
            at = self.text.find(value, at + 1)
        return None

    def _spelled(self, value: str) -> Found | None:
        """The same letters and digits, whatever their case and what stands between them: `BP 12-34` is `bp1234`."""
        wanted = "".join(plain_words(value))
        for i, (_, start, _) in enumerate(self._words if wanted else []):
            joined = ""
            for word, _, end in self._words[i:]:
                joined += word
                if joined == wanted:
                    return Found(1.0, (start, end))
                if not wanted.startswith(joined):
                    break
        return None

    def _as_date(self, value: str) -> Found | None:
        """The same day, for a value that is a date as JSON Schema writes it."""
        if _ISO_DATE.fullmatch(value):
            for count in range(_LONGEST_DATE, 0, -1):
                for start, end in self._windows(count):
                    if value in read_date(self.text[start:end]):
                        return Found(1.0, (start, end))
        return None

    def _nearly(self, value: str, least: float) -> Found:
        """The words that are most alike (normalised edit similarity), of those with the same digits."""
        words = plain_words(value)
        wanted = " ".join(words)
        if least >= 1 or len(wanted) < _LEAST_FUZZY:
            return _NOT
        from rapidfuzz import fuzz, process

        places = [place for count in range(max(1, len(words) - 1), len(words) + 2) for place in self._windows(count)]
        choices = {place: _joint(self.text[slice(*place)]) for place in dict.fromkeys(places)}
        alike = {place: text for place, text in choices.items() if _digits(text) == _digits(wanted)}
        best = process.extractOne(wanted, alike, scorer=fuzz.ratio, score_cutoff=100 * least) if alike else None
        return Found(best[1] / 100, best[2]) if best else _NOT

    def _windows(self, count: int) -> Iterator[tuple[int, int]]:
        for first, last in zip(self._words, self._words[count - 1 :], strict=False):
            yield first[1], last[2]


def _joint(text: str) -> str:
    return " ".join(plain_words(text))


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _joined(text: str, at: int) -> bool:
    """Whether a word goes on across this place."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def _values(found: re.Match[str]) -> list[float]:
    """What a number in a record can mean, but for its sign and exponent: `2 1/4` is 2.25, `1,200` is 1200 or 1.2."""
    if len(found[0]) > _LONGEST_NUMBER:
        return []
    whole, over, under, above, below = found.groups()
    if under or below:
        if not int(under or below):
            return []
        value = Fraction(int(whole or 0)) + Fraction(int(over or above), int(under or below))
        return [float(value), *([float(whole)] if whole else []), float(over or above), float(under or below)]
    text = found[0].rstrip(".,'’")
    return [float(value) for value in read_number("0" + text if text.startswith(".") else text, None)]


def _scaled(value: float, power: int) -> float:
    """The float that is nearest to value * 10^power: multiplying would round twice."""
    return float(Decimal(repr(value)).scaleb(power))
