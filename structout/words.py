"""The words of a text, to compare texts by."""

import re
import unicodedata

WORD = re.compile(r"[^\W_]+")


def plain(word: str) -> str:
    """A word without case and accents."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def plain_words(text: str) -> list[str]:
    """The words of a text, without case and accents."""
    return [plain(word) for word in WORD.findall(text)]
