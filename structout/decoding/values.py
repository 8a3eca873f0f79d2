"""Which tokens of a JSON text carry its values."""

import re
from collections.abc import Sequence
from itertools import accumulate

# A string (with what says that it is a key), or a number or literal; the last may be cut off anywhere.
_PIECE = re.compile(rb'"(?P<string>(?:[^"\\]|\\.)*)(?:"(?P<key>\s*:)?|\\?$)|(?P<bare>[^\s{}\[\]:,"]+)', re.DOTALL)


def value_tokens(pieces: Sequence[bytes]) -> tuple[bool, ...]:
    """Which of a JSON text's tokens, given as their bytes, hold any of a string's contents, a number or a literal.

    An empty string has no contents: the token that closes it is counted.
    """
    text = b"".join(pieces)
    inside = bytearray(len(text) + 1)
    for found in _PIECE.finditer(text):
        if found["key"] is None:
            start, stop = found.span("string" if found["bare"] is None else "bare")
            inside[start : max(stop, start + 1)] = b"\1" * (max(stop, start + 1) - start)
    ends = list(accumulate(map(len, pieces)))
    return tuple(any(inside[end - len(piece) : end]) for piece, end in zip(pieces, ends, strict=True))
