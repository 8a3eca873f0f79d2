"""Conversion of single tokens to JSON: literals, numbers and strings as models write them."""

import json
import re
from typing import Final

from structout.parsing.syntax.escapes import stands_for_itself

WS: Final = r"[ \t\r\n]*+"
# White space in text that was copied around: JSON's own, fixed and invisible spaces, and marks of quoted lines.
ROOM: Final = r"(?:[ \t\r\n\u00a0\u2007\u202f\u3000\ufeff\u200b\u2060]++|(?<=\n)>)*+"
# The sign between a key and its value.
SIGN: Final = r"(?::=|=>|->|[:：=])"
_CLEAN: Final = r'[^"\\\x00-\x1f\ud800-\udfff]*+'
_ESCAPE: Final = (
    r'\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})'
)
# The loop is unrolled, so that a string without escapes takes one step: three times as fast as a single group.
STRING: Final = rf'"{_CLEAN}(?:{_ESCAPE}{_CLEAN})*+"'
NUMBER: Final = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"

_LITERALS: Final = {
    "true": "true", "false": "false", "null": "null", "none": "null", "nil": "null", "undefined": "null",
}  # fmt: skip
_NON_FINITE: Final = re.compile(r"[+-]?(?:nan|inf|infinity|∞)", re.IGNORECASE)
_JSON_NUMBER: Final = re.compile(NUMBER)
_LOOSE_NUMBER: Final = re.compile(
    r"[+-]?(?:[0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?|\.[0-9]+(?:_[0-9]+)*)(?:[eE][+-]?[0-9]+)?"
)
_RADIX: Final = re.compile(r"([+-]?)0(?:[xX]([0-9a-fA-F_]+)|[oO]([0-7_]+)|[bB]([01_]+))")
# The longest number that is converted: Python refuses more digits than about this, because converting is quadratic.
_MOST_DIGITS: Final = 4000

# All escapes, and the content to change: escapes unknown to JSON, bare quotes, control characters, lone surrogates.
_INSIDE: Final = re.compile(
    _ESCAPE + r"|\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|\r\n|[^u]|u|\Z)"
    r'|["\x00-\x1f\ud800-\udfff]',
    re.DOTALL,
)
_OTHER_ESCAPES: Final = re.compile(r"""\\[^"\\/bfnrtuxU'`_\r\n]""")
_KEPT_ESCAPES: Final = frozenset('"\\/bfnrtu')


def literal(word: str) -> str | None:
    """The JSON literal for a literal of any programming language; None for other words."""
    return _LITERALS.get(word.lower()) if len(word) <= 9 else None


def is_non_finite(word: str) -> bool:
    """Whether a word is NaN or an infinity, which JSON cannot hold."""
    return len(word) <= 10 and _NON_FINITE.fullmatch(word) is not None


def number(word: str) -> str | None:
    """The JSON number for a word such as `1_000`, `+5`, `.5`, `5.` or `0x1F`; None for other words.

    The result for `007` is None: only a schema can say whether it is a number or a code.
    """
    if _JSON_NUMBER.fullmatch(word):
        return word
    if len(word) > _MOST_DIGITS:
        return None
    radix = _RADIX.fullmatch(word)
    if radix:
        sign, hexadecimal, octal, binary = radix.groups()
        digits, base = (hexadecimal, 16) if hexadecimal else (octal, 8) if octal else (binary, 2)
        try:
            value = int(digits, base)
        except ValueError:
            return None
        return str(-value if sign == "-" else value) if value < 1 << 64 else None
    if not _LOOSE_NUMBER.fullmatch(word):
        return None
    plain = word.replace("_", "").removeprefix("+")
    sign = "-" if plain.startswith("-") else ""
    plain = plain.removeprefix("-")
    mantissa, e, exponent = plain.replace("E", "e").partition("e")
    whole, _, fraction = mantissa.partition(".")
    if len(whole) > 1 and whole.startswith("0"):
        return None
    return sign + (whole or "0") + ("." + fraction if fraction else "") + (e + exponent)


def quote(content: str, *, raw: bool = False) -> tuple[str, bool]:
    """The JSON string for the text between two quotes, and whether every character was kept.

    An unescaped quote is content, and so is the backslash of an escape unknown to JSON and Python. In a text of `raw`
    backslashes, `stands_for_itself` decides about a backslash before `bfnrt`. Only half a surrogate pair cannot be
    kept: it becomes U+FFFD.
    """
    if not _INSIDE.search(content) and not raw:
        return f'"{content}"', True
    whole = True
    markdown = not _OTHER_ESCAPES.search(content)  # `snake\\_case`, where nothing else is escaped so

    def repaired(match: re.Match[str]) -> str:
        nonlocal whole
        found = match.group()
        if found[0] != "\\":
            if "\ud800" <= found <= "\udfff":
                whole = False
                return "\ufffd"
            return json.dumps(found)[1:-1]
        kind = found[1:2]
        if raw and kind and kind in "bfnrt":
            itself = stands_for_itself(content, match.start())
            whole = whole and itself is not None
            return found if itself is False else "\\\\" + kind
        if kind == "u" and len(found) == 6 and found[2] in "dD" and found[3] in "89abcdefABCDEF":
            whole = False
            return "\ufffd"
        if kind == "u" and len(found) == 2:
            return "\\\\u"
        if kind in _KEPT_ESCAPES and kind:
            return found
        if kind == "x":
            return json.dumps(chr(int(found[2:], 16)))[1:-1] if len(found) == 4 else "\\\\x"
        if kind == "U" and len(found) == 10:
            code = int(found[2:], 16)
            if code < 0x110000 and not 0xD800 <= code < 0xE000:
                return json.dumps(chr(code))[1:-1]
            return "\\\\U" + found[2:]
        if kind in ("'", "`") or (kind == "_" and markdown):
            return kind
        if kind in ("\n", "\r"):
            return "\\\\\\n"
        return "\\\\" + (json.dumps(kind)[1:-1] if kind else "")

    return f'"{_INSIDE.sub(repaired, content)}"', whole
