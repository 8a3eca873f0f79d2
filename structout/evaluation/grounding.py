"""Where in a text the values of a document stand."""

import re
from collections.abc import Iterator

from structout.document import Json

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,\u00a0 ]?\d+)*")


def spans(value: Json, text: str) -> list[tuple[int, int]]:
    """Where a value stands in a text: text by its words, whatever is between them; numbers by their value.

    In characters, the first and the one behind the last.
    """
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [found for found, number in _numbers(text) if number == value]
    words = _WORD.findall(str(value))
    if not words:
        return []
    pattern = r"(?<!\w)" + r"\W*".join(map(re.escape, words)) + r"(?!\w)"
    return [found.span() for found in re.finditer(pattern, text, re.IGNORECASE)]


def _numbers(text: str) -> Iterator[tuple[tuple[int, int], float]]:
    """The numbers of a text in all ways to read their separators."""
    for found in _NUMBER.finditer(text):
        written = re.sub(r"[\u00a0 ]", "", found[0])
        readings = {written.replace(",", "."), written.replace(",", ""), written.replace(".", "").replace(",", ".")}
        for reading in readings | set(re.findall(r"\d+", found[0])):
            try:
                yield found.span(), float(reading)
            except ValueError:
                continue
