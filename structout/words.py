"""Words of a text, for comparing texts."""

import re
import unicodedata

# Combining marks: text in NFD writes accents as marks after their letters, and `\w` does not match them.
MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
WORD = re.compile(rf"[^\W_](?:[^\W_]|[{MARKS}])*")
_MARK = re.compile(f"[{MARKS}]")


def plain_word(word: str) -> str:
    """A word without its case and accents."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def plain_words(text: str) -> list[str]:
    """The words of a text, without their case and accents."""
    return [plain_word(word) for word in WORD.findall(text)]


def goes_on(text: str, at: int) -> bool:
    """Whether a word continues across the offset `at`."""
    return 0 < at < len(text) and all(char.isalnum() or _MARK.match(char) for char in text[at - 1 : at + 1])
