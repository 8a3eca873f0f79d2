"""Words of a text, for comparing texts."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final


def _ranges(places: Iterable[int]) -> str:
    """Characters as the ranges of a class in a regular expression."""
    found: list[list[int]] = []
    for place in places:
        if found and place == found[-1][1] + 1:
            found[-1][1] = place
        else:
            found.append([place, place])
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in found)


# Combining marks: text in NFD writes accents as marks after their letters, Hindi and Thai write vowels so, and Arabic
# its short vowels. `\w` does not match them.
_WITH_MARKS: Final = ((0x300, 0x1E00), (0x20D0, 0x2100), (0x302A, 0x30A0), (0xA66F, 0xAC00), (0xFE20, 0xFE30))
MARKS: Final = _ranges(
    place for block in _WITH_MARKS for place in range(*block) if unicodedata.category(chr(place)).startswith("M")
)
# Scripts that put no spaces between words: each character is a word. Katakana writes words that are apart from others.
_UNSPACED: Final = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ec0-\u0ec6\u1000-\u102a\u1780-\u17b3"
    "\u3005-\u3007\u3021-\u3029\u3041-\u3096\u309d-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_KATAKANA: Final = "\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9f"
_LETTER: Final = rf"[^\W_{_UNSPACED}{_KATAKANA}]"
_ALONE: Final = rf"[{_UNSPACED}][{MARKS}]*|[{_KATAKANA}][{_KATAKANA}{MARKS}]*"
WORD: Final = re.compile(rf"{_ALONE}|{_LETTER}(?:{_LETTER}|[{MARKS}])*")
# A word, in which an underscore is a letter, or a sign.
PIECE: Final = re.compile(rf"{_ALONE}|(?:_|{_LETTER})(?:_|{_LETTER}|[{MARKS}])*|[^\w\s]")
_MARK: Final = re.compile(f"[{MARKS}]")
_OWN_WORD: Final = re.compile(f"[{_UNSPACED}]")
_IN_KATAKANA: Final = re.compile(f"[{_KATAKANA}]")
_BARE: Final = str.maketrans("łøđħı", "lodhi", "\u0640")  # letters whose strokes are not marks; Arabic lengthens words
_LETTERS_OF_THEIR_OWN: Final = (8, 9)  # combining classes: a mark of these makes another letter (か, が) or syllable
_MOST_MARKS: Final = 8  # on one letter


def plain_word(word: str) -> str:
    """A word without its case and accents, and with the digits 0 to 9."""
    if word.isascii():
        return word.lower()
    parts = unicodedata.normalize("NFKD", word.casefold()).translate(_BARE)
    return "".join(map(_plain, parts))


def plain_words(text: str) -> list[str]:
    """The words of a text, without their case and accents. In Chinese, each character is a word."""
    return [plain_word(word) for word in WORD.findall(text)]


def same_text(one: str, other: str) -> bool:
    """Whether two texts are equal, however their accents are encoded (canonical equivalence, Unicode, chapter 3.7)."""
    if one == other or (one.isascii() and other.isascii()):
        return one == other
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def caseless(text: str) -> str:
    """A text without its case. The Turkish letters `ı` and `İ` count as `i`, since `I` is the capital of both.

    Texts that differ in the encoding of their accents are equal.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFC", folded.replace("i\u0307", "i").replace("ı", "i"))


def is_unspaced(text: str) -> bool:
    """Whether a text has letters of a script that puts no spaces between words."""
    return not text.isascii() and bool(_OWN_WORD.search(text) or _IN_KATAKANA.search(text))


def goes_on(text: str, at: int) -> bool:
    """Whether a word continues across the offset `at`."""
    if not 0 < at < len(text):
        return False
    before = at - 1
    while before > max(0, at - _MOST_MARKS) and _MARK.match(text[before]):
        before -= 1
    one, other = text[before], text[at]
    if _MARK.match(other):
        return one.isalnum() or _MARK.match(one) is not None
    if not (other.isalnum() and (one.isalnum() or _MARK.match(one))):
        return False
    if one.isascii() and other.isascii():
        return True
    apart = _OWN_WORD.match(one) or _OWN_WORD.match(other)
    return not apart and bool(_IN_KATAKANA.match(one)) == bool(_IN_KATAKANA.match(other))


def _plain(char: str) -> str:
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    combining = unicodedata.combining(char)
    return "" if combining and combining not in _LETTERS_OF_THEIR_OWN else char
