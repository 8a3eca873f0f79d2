"""The tokens of a JSON text that carry its values."""

import re
from collections.abc import Sequence
from itertools import accumulate

# A string (with the colon after a key), or a number or literal; the last match may be cut off anywhere.
_PIECE = re.compile(rb'"(?P<string>(?:[^"\\]|\\.)*)(?:"(?P<key>\s*:)?|\\?$)|(?P<bare>[^\s{}\[\]:,"]+)', re.DOTALL)


def value_tokens(pieces: Sequence[bytes]) -> tuple[bool, ...]:
    """For each token of a JSON text, given as bytes: whether it holds content of a string, a number or a literal.

    An empty string has no content, so the token with its closing quote counts.
    """
    text = b"".join(pieces)
    inside = bytearray(len(text) + 1)
    for found in _PIECE.finditer(text):
        if found["key"] is None:
            start, stop = found.span("string" if found["bare"] is None else "bare")
            inside[start : max(stop, start + 1)] = b"\1" * (max(stop, start + 1) - start)
    ends = list(accumulate(map(len, pieces)))
    return tuple(any(inside[end - len(piece) : end]) for piece, end in zip(pieces, ends, strict=True))
