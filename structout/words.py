"""The words of a text, to compare texts by."""

import re
import unicodedata

# The accents that a text in NFD writes after its letters (the blocks of combining marks), which `\w` does not match.
MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
WORD = re.compile(rf"[^\W_](?:[^\W_]|[{MARKS}])*")
_MARK = re.compile(f"[{MARKS}]")


def plain_word(word: str) -> str:
    """A word without case and accents."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def plain_words(text: str) -> list[str]:
    """The words of a text, without case and accents."""
    return [plain_word(word) for word in WORD.findall(text)]


def goes_on(text: str, at: int) -> bool:
    """Whether a word goes on across this place."""
    return 0 < at < len(text) and all(char.isalnum() or _MARK.match(char) for char in text[at - 1 : at + 1])
