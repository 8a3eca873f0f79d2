"""Latin spellings of words in other scripts, and of Latin words without their accents."""

import re
import unicodedata
from typing import Final

# Letters that Unicode does not split into a letter and an accent.
_STROKES: Final = {"ß": "ss", "ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
_ALPHABETS: Final = (  # letters, and the sound of each
    ("абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґ",
     "a b v g d e yo zh z i y k l m n o p r s t u f kh ts ch sh shch  y  e yu ya i yi ye g"),
    ("αβγδεζηθικλμνξοπρσςτυφχψω", "a v g d e z i th i k l m n x o p r s s t y f ch ps o"),
    ("ابتثجحخدذرزسشصضطظعغفقكلمنهويةىءئؤ", "a b t th j h kh d dh r z s sh s d t z a gh f q k l m n h w y a a  y w"),
)  # fmt: skip
_LETTERS: Final = _STROKES | {
    letter: sound for letters, sounds in _ALPHABETS for letter, sound in zip(letters, sounds.split(" "), strict=True)
}
# Unicode names Indian letters and kana by their sounds: DEVANAGARI LETTER KA, KATAKANA LETTER SMALL YU.
_NAMED: Final = re.compile(
    r"(DEVANAGARI|HIRAGANA|KATAKANA) (LETTER(?: SMALL)?|VOWEL SIGN) (?:(?:SHORT|CANDRA|VOCALIC) )?([A-Z]+)"
)
_VIRAMA: Final = "\u094d"
_SMALL_TSU: Final = frozenset("っッ")
_NASALS: Final = frozenset("\u0901\u0902")  # Devanagari candrabindu and anusvara


def transliterated(word: str) -> str | None:
    """The word in Latin letters without accents; None if it has letters without a sound of their own, as Chinese has.

    The spelling is simple and does not follow one standard.
    """
    spelled = ""
    for char in unicodedata.normalize("NFC", word):
        sound = _sound(char)
        if sound is None:
            return None
        if sound.startswith("-"):  # replaces the vowel of the letter before it
            spelled = spelled.rstrip("aeiou") + sound[1:]
        else:
            spelled += sound
    spelled = re.sub(r"\*(.?)", r"\1\1", spelled)  # a doubled consonant
    return spelled.capitalize() if word[:1].isupper() and not word.isupper() else spelled


def _sound(char: str) -> str | None:
    if char.isascii():
        return char
    if char in _SMALL_TSU:
        return "*"
    if char == _VIRAMA:
        return "-"
    if char in _NASALS:
        return "n"
    if char == "ー":
        return ""
    known = _LETTERS.get(char.lower())
    if known is not None:
        return known.upper() if char.isupper() else known
    named = _NAMED.match(unicodedata.name(char, ""))
    if named:
        sound = named[3].lower()
        if named[1] != "DEVANAGARI":
            return f"-{sound}" if "SMALL" in named[2] else sound
        return f"-{sound}" if named[2] == "VOWEL SIGN" else sound
    parts = unicodedata.normalize("NFD", char)
    if parts != char:
        sounds = [_sound(part) for part in parts if not unicodedata.combining(part)]
        return None if None in sounds else "".join(sound or "" for sound in sounds)
    return "" if unicodedata.combining(char) else None
