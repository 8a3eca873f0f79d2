"""Search for values in a record: literal, in another spelling, by number or date, or fuzzy."""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from structout.parsing.fit.dates import read_date_time
from structout.verifiers.numbers import Number, in_ascii, is_signed, numbers
from structout.words import WORD, goes_on, plain_word, plain_words

_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:[Zz]|[+-][0-9:]+)?)?"
)
_YEAR = re.compile(r"[0-9]{4}|[年년]")  # years of eras have fewer digits, and Chinese numerals have other digits
_LONGEST_DATE = 13  # words: in Chinese and Japanese, each sign is a word
_MINUS = re.compile(r"\s*[-−](?=[$€£¥]?\.?\d)")
# Separates words, rather than parts of one word.
_PARTING = re.compile(r"[\n\r;|]|[,.:!?]\s|\s\s")
_LEAST_DIGITS = 4  # fewer digits with a gap between them are separate numbers: `1, 2`, `3 4th`
_DIGITS_LAST, _DIGITS_FIRST = re.compile(r"[0-9]+$"), re.compile(r"[0-9]+")
_SEPARATED = re.compile(r"[0-9][.,'’][0-9]")
_LEAST_FUZZY = 4  # characters: shorter words are all similar to each other
_NEAR = 80  # per cent of similarity between spellings of one word; `left` and `lift` have 75


class Found(NamedTuple):
    """A similarity (1: literal, in another spelling, or by number or date; 0: not found), and the place in the text."""

    score: float
    span: tuple[int, int] | None = None


class _Word(NamedTuple):
    plain: str
    start: int
    end: int


_Moment = tuple[list[str], str, str]  # possible dates, the time and the offset of a text
_NOT = Found(0.0)


@dataclass(frozen=True)
class SearchedText:
    """The text of a record, prepared for searching."""

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
        """The places where numbers begin and end."""
        return frozenset(place for number in self._numbers for place in number[1:])

    @cached_property
    def _moments(self) -> list[tuple[_Moment, int, int]]:
        """All dates with their times; only the longest one from each word on, since `10:00 pm` is not 10:00."""
        found = []
        years = [year.start() for year in _YEAR.finditer(self._ascii)]
        for i, (_, start, _) in enumerate(self._words if years else []):
            words = self._words[i : i + _LONGEST_DATE]
            next_year = bisect_left(years, start)
            if next_year == len(years) or years[next_year] >= words[-1].end:
                continue
            for _, _, end in reversed(words):
                may = _YEAR.search(self._ascii, start, end) and self._is_whole(start, end)
                moment = read_date_time(self._ascii[start:end]) if may else None
                if moment:
                    found.append((moment, start, end))
                    break
        return found

    def find(self, value: str | float | bool, least: float = 1.0) -> Found:
        """The best place for a value.

        A text must have a similarity of at least `least`, and the same digits. A boolean is never found, since no word
        stands for it.
        """
        if isinstance(value, bool):
            return _NOT
        if isinstance(value, int | float):
            return next((Found(1.0, (n.start, n.end)) for n in self._numbers if _equal(n.value, value)), _NOT)
        return self._exactly(value) or self._spelled(value) or self._as_date(value) or self._nearly(value, least)

    def _is_whole(self, start: int, end: int) -> bool:
        """Whether a span cuts no word and no number in two."""
        return not any(
            goes_on(self.text, at) or (at not in self._ends and _in_number(self._ascii, at)) for at in (start, end)
        )

    def _exactly(self, value: str) -> Found | None:
        """The literal text, if it does not begin or end within a word or a number."""
        minus = _MINUS.match(value)
        at = self.text.find(value) if value.strip() else -1
        while at >= 0:
            end = at + len(value)
            if self._is_whole(at, end) and (not minus or is_signed(self.text, at + minus.end())):
                return Found(1.0, (at, end))
            at = self.text.find(value, at + 1)
        return None

    def _spelled(self, value: str) -> Found | None:
        """The same letters and digits, in any case and with any separators: `BP 12-34` is `bp1234`."""
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
        """The end of the words that spell `wanted`, beginning with the word `first`; None if they do not spell it.

        `gaps` are the separators between the words of the value, by the number of letters and digits before them.
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
        """The same day, and the same time if given, for a value in the date format of JSON Schema."""
        wanted = read_date_time(value) if _ISO.fullmatch(value) else None
        if not wanted:
            return None
        return next((Found(1.0, (start, end)) for said, start, end in self._moments if _agree(said, wanted)), None)

    def _nearly(self, value: str, least: float) -> Found:
        """The most similar words (normalised edit similarity) with the same digits and a spelling of each word of the
        value.
        """
        words = plain_words(value)
        wanted = " ".join(words)
        if least >= 1 or len(wanted) < _LEAST_FUZZY or _MINUS.match(value):
            return _NOT
        from rapidfuzz import fuzz, process

        digits = _digits(wanted)
        alike: dict[tuple[int, int], str] = {}
        for count in range(max(1, len(words) - 1), len(words) + 2):
            alike |= self._windows(count, digits)
        best = process.extract(wanted, alike, scorer=fuzz.ratio, score_cutoff=100 * least, limit=None) if alike else []
        near = min(_NEAR, 100 * least)
        fitting = (
            Found(r / 100, p) for text, r, p in best if self._is_whole(*p) and _spell_each(words, text.split(), near)
        )
        return next(fitting, _NOT)

    def _windows(self, count: int, digits: str) -> dict[tuple[int, int], str]:
        """All stretches of so many words with these digits: the places, with the words without case and accents."""
        words = self._words
        plain, held = [word.plain for word in words], [_digits(word.plain) for word in words]
        return {
            (words[i].start, words[i + count - 1].end): " ".join(plain[i : i + count])
            for i in range(len(words) - count + 1)
            if "".join(held[i : i + count]) == digits
        }


@lru_cache(128)
def searched(text: str) -> SearchedText:
    """The text, prepared once for several searches: reports search a record for the answers of each strategy."""
    return SearchedText(text)


def _words(text: str) -> list[_Word]:
    return [_Word(plain_word(word[0]), word.start(), word.end()) for word in WORD.finditer(text)]


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _equal(said: float, wanted: float) -> bool:
    """Whether two numbers are equal. An integer beyond the precision of floats equals the float nearest to it."""
    return said == wanted or (isinstance(wanted, float) and float(said) == wanted)


def _in_number(text: str, at: int) -> bool:
    """Whether the separator of a number is at this place or just before it."""
    return any(_SEPARATED.match(text, place) for place in (at - 2, at - 1) if place >= 0)


def _run_on(one: _Word, other: _Word, text: str, written: str) -> bool:
    """Whether two words of a text may be one word of a value, or two words with `written` between them."""
    if any(char.isspace() for char in written):  # the value has two words too
        return True
    gap = text[one.end : other.start]
    if _PARTING.search(gap):
        return False
    before, after = _DIGITS_LAST.search(one.plain), _DIGITS_FIRST.match(other.plain)
    if written or not before or not after:
        return True
    # Two numbers form one number or code only if they are long enough; with a point or a comma between them, only if
    # the separator marks thousands.
    return len(before[0]) + len(after[0]) >= _LEAST_DIGITS and (gap not in (".", ",") or len(after[0]) == 3)


def _spell_each(words: Sequence[str], others: Sequence[str], near: float) -> bool:
    """Whether each word has a spelling among the others, where it may be split into two words."""
    spelled = {*others, *map("".join, pairwise(others))}
    return all(word in spelled or any(_spell_alike(word, other, near) for other in spelled) for word in words)


def _spell_alike(word: str, other: str, near: float) -> bool:
    """Whether another word is a spelling of this one: its plural, an abbreviation, or a typo after the first letter (so
    that `male` is not `female`). A typo in a short word makes another word, such as `now` for `not`.
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
    """Whether a text means the wanted moment. A missing time zone equals any time zone."""
    (dates, time, offset), (days, clock, zone) = said, wanted
    return days[0] in dates and (
        not clock or (_exact(time) == _exact(clock) and (not offset or not zone or _zone(offset) == _zone(zone)))
    )


def _exact(time: str) -> str:
    """A time without trailing zeros in its fraction."""
    return time.rstrip("0").rstrip(".") if "." in time else time


def _zone(offset: str) -> str:
    return "Z" if offset == "+00:00" else offset
