"""Where a record says a value: to the letter, in another spelling, by value, or nearly."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

from structout.parsing.fit.dates import read_date_time
from structout.verifiers.numbers import Number, in_ascii, is_signed, numbers
from structout.words import WORD, goes_on, plain_word, plain_words

_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:[Zz]|[+-][0-9:]+)?)?"
)
_YEAR = re.compile(r"[0-9]{4}")
_LONGEST_DATE = 10  # words
_MINUS = re.compile(r"\s*[-−](?=[$€£¥]?\.?\d)")
# What parts words, rather than parts of a word.
_PARTING = re.compile(r"[\n\r;|]|[,.:!?]\s|\s\s")
_LEAST_DIGITS = 4  # fewer, with something between them, are numbers of their own: `1, 2`, `3 4th`
_DIGITS_LAST, _DIGITS_FIRST = re.compile(r"[0-9]+$"), re.compile(r"[0-9]+")
_SEPARATED = re.compile(r"[0-9][.,'’][0-9]")
_LEAST_FUZZY = 4  # characters: among shorter words everything is near everything
_NEAR = 80  # per cent, between spellings of one word: of `left` and `lift` it is 75


class Found(NamedTuple):
    """How sure a value is found (1 is to the letter, in another spelling or by value; 0 is not at all), and where."""

    score: float
    span: tuple[int, int] | None = None


class _Word(NamedTuple):
    plain: str
    start: int
    end: int


_Moment = tuple[list[str], str, str]  # the dates, the time and the offset that a text can mean
_NOT = Found(0.0)


@dataclass(frozen=True)
class SearchedText:
    """A record, to find values in."""

    text: str

    @cached_property
    def _ascii(self) -> str:
        return in_ascii(self.text)

    @cached_property
    def _words(self) -> list[_Word]:
        return _words(self.text)

    @cached_property
    def _numbers(self) -> list[Number]:
        return numbers(self._ascii)

    @cached_property
    def _ends(self) -> frozenset[int]:
        """Where numbers begin and end."""
        return frozenset(place for number in self._numbers for place in number[1:])

    @cached_property
    def _moments(self) -> list[tuple[_Moment, int, int]]:
        """All dates with their times. From each word on only the longest: `10:00 pm` is not 10:00."""
        found = []
        for i, (_, start, _) in enumerate(self._words if _YEAR.search(self._ascii) else []):
            for _, _, end in reversed(self._words[i : i + _LONGEST_DATE]):
                may = _YEAR.search(self._ascii, start, end) and self._is_whole(start, end)
                moment = read_date_time(self._ascii[start:end]) if may else None
                if moment:
                    found.append((moment, start, end))
                    break
        return found

    def find(self, value: str | float | bool, least: float = 1.0) -> Found:
        """The best place for a value. A text may differ by so much that its similarity is still `least`, but in no
        digit; a boolean is nowhere, since no word stands for it.
        """
        if isinstance(value, bool):
            return _NOT
        if isinstance(value, int | float):
            return next((Found(1.0, (n.start, n.end)) for n in self._numbers if _equal(n.value, value)), _NOT)
        return self._exactly(value) or self._spelled(value) or self._as_date(value) or self._nearly(value, least)

    def _is_whole(self, start: int, end: int) -> bool:
        """Whether a stretch cuts no word and no number in two."""
        return not any(
            goes_on(self.text, at) or (at not in self._ends and _in_number(self._ascii, at)) for at in (start, end)
        )

    def _exactly(self, value: str) -> Found | None:
        """The text itself, where it does not begin or end within a word or a number."""
        minus = _MINUS.match(value)
        at = self.text.find(value) if value.strip() else -1
        while at >= 0:
            end = at + len(value)
            if self._is_whole(at, end) and (not minus or is_signed(self.text, at + minus.end())):
                return Found(1.0, (at, end))
            at = self.text.find(value, at + 1)
        return None

    def _spelled(self, value: str) -> Found | None:
        """The same letters and digits, whatever their case and what stands between them: `BP 12-34` is `bp1234`."""
        minus, words = _MINUS.match(value), _words(value)
        wanted = "".join(word.plain for word in words)
        lengths = accumulate(len(word.plain) for word in words)
        gaps = {n: value[one.end : other.start] for n, (one, other) in zip(lengths, pairwise(words), strict=False)}
        for i, (_, start, _) in enumerate(self._words if wanted else []):
            end = self._spells(wanted, gaps, i)
            if end and self._is_whole(start, end) and (not minus or is_signed(self.text, start)):
                return Found(1.0, (start, end))
        return None

    def _spells(self, wanted: str, gaps: Mapping[int, str], first: int) -> int | None:
        """Where the words from this one on have spelled what is wanted, None if they do not. `gaps` are what stands
        between the words of the value, by how many characters come before.
        """
        joined = ""
        for i in range(first, len(self._words)):
            word, before = self._words[i], len(joined)
            joined += word.plain
            if not wanted.startswith(joined):
                return None
            if before and not _run_on(self._words[i - 1], word, self.text, gaps.get(before, "")):
                return None
            if joined == wanted:
                return word.end
        return None

    def _as_date(self, value: str) -> Found | None:
        """The same day, and the same time if it has one, for a value that is a date as JSON Schema writes it."""
        wanted = read_date_time(value) if _ISO.fullmatch(value) else None
        if not wanted:
            return None
        return next((Found(1.0, (start, end)) for said, start, end in self._moments if _agree(said, wanted)), None)

    def _nearly(self, value: str, least: float) -> Found:
        """The words that are most alike (normalised edit similarity), of those with the same digits and with a spelling
        of each word of the value.
        """
        words = plain_words(value)
        wanted = " ".join(words)
        if least >= 1 or len(wanted) < _LEAST_FUZZY or _MINUS.match(value):
            return _NOT
        from rapidfuzz import fuzz, process

        places = [place for count in range(max(1, len(words) - 1), len(words) + 2) for place in self._windows(count)]
        choices = {place: " ".join(plain_words(self.text[slice(*place)])) for place in dict.fromkeys(places)}
        digits = _digits(wanted)
        alike = {place: text for place, text in choices.items() if _digits(text) == digits and self._is_whole(*place)}
        best = process.extract(wanted, alike, scorer=fuzz.ratio, score_cutoff=100 * least, limit=None) if alike else []
        near = min(_NEAR, 100 * least)
        return next((Found(r / 100, p) for text, r, p in best if _spell_each(words, text.split(), near)), _NOT)

    def _windows(self, count: int) -> Iterator[tuple[int, int]]:
        for first, last in zip(self._words, self._words[count - 1 :], strict=False):
            yield first.start, last.end


def _words(text: str) -> list[_Word]:
    return [_Word(plain_word(word[0]), word.start(), word.end()) for word in WORD.finditer(text)]


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _equal(said: float, wanted: float) -> bool:
    """Whether two numbers are the same. An integer that no float holds exactly is still the float nearest to it."""
    return said == wanted or (isinstance(wanted, float) and float(said) == wanted)


def _in_number(text: str, at: int) -> bool:
    """Whether the separator of a number stands at this place, or before it."""
    return any(_SEPARATED.match(text, place) for place in (at - 2, at - 1) if place >= 0)


def _run_on(one: _Word, other: _Word, text: str, written: str) -> bool:
    """Whether two words of a text may be what a value writes as one, or with `written` between them."""
    if any(char.isspace() for char in written):  # two words of the value too
        return True
    gap = text[one.end : other.start]
    if _PARTING.search(gap):
        return False
    before, after = _DIGITS_LAST.search(one.plain), _DIGITS_FIRST.match(other.plain)
    if written or not before or not after:
        return True
    # Two numbers are one number, or part of a code, only if they have some length; with a point or a comma between
    # them, if that marks thousands.
    return len(before[0]) + len(after[0]) >= _LEAST_DIGITS and (gap not in (".", ",") or len(after[0]) == 3)


def _spell_each(words: Sequence[str], others: Sequence[str], near: float) -> bool:
    """Whether each word has a spelling among the others: there it may be two words."""
    spelled = {*others, *map("".join, pairwise(others))}
    return all(word in spelled or any(_spell_alike(word, other, near) for other in spelled) for word in words)


def _spell_alike(word: str, other: str, near: float) -> bool:
    """Whether a word is written as another: in the plural, abbreviated, or with a slip after the first letter (so that
    `male` is not `female`); of a short one a slip makes another word, as `now` of `not`.
    """
    from rapidfuzz import fuzz

    if other == word + "s":
        return True
    if len(word) < _LEAST_FUZZY or word[0] != other[0]:
        return False
    letters = iter(word)
    is_abbreviated = len(other) > 1 and all(letter in letters for letter in other)
    return is_abbreviated or fuzz.ratio(word, other) >= near


def _agree(said: _Moment, wanted: _Moment) -> bool:
    """Whether a text says the moment that is wanted. Where one names no time zone, it is taken to be the other's."""
    (dates, time, offset), (days, clock, zone) = said, wanted
    return days[0] in dates and (
        not clock or (_exact(time) == _exact(clock) and (not offset or not zone or _zone(offset) == _zone(zone)))
    )


def _exact(time: str) -> str:
    """A time without the zeros that end its fraction."""
    return time.rstrip("0").rstrip(".") if "." in time else time


def _zone(offset: str) -> str:
    return "Z" if offset == "+00:00" else offset
