r"""Strings with their escapes, and plain backslashes: those of LaTeX, paths and regular expressions.

JSON lacks the escape `\sigma`. One such backslash shows that the writer escaped nothing, so `\frac` in the same text is
not a form feed either. The whole text decides, and not each escape by itself.
"""

import json
import re
from typing import Final

from structout.parsing.syntax.tokens import ESCAPE

# An escape unknown to JSON, Python and Markdown.
_FOREIGN: Final = re.compile(
    r"""(?<!\\)(?:\\\\)*+\\(?:[acdeghijklmopqsvwyzA-TV-Z(\[{|%&^~]|u(?![0-9a-fA-F]{4}|\{[0-9a-fA-F]{4,6}\})|U(?![0-9a-fA-F]{8})|x(?![0-9a-fA-F]{2}))"""
)
# LaTeX commands that begin like an escape of JSON.
_COMMANDS: Final = frozenset({
    "begin", "beta", "bar", "binom", "bf", "big", "bigl", "bigr", "bigcup", "bigcap", "bmod", "boldsymbol",
    "bot", "boxed", "bullet", "because", "frac", "forall", "flat", "footnote", "ne", "neq", "neg", "nabla",
    "nu", "not", "notin", "newline", "nleq", "ngeq", "nmid", "nolimits", "nonumber", "rho", "right",
    "rightarrow", "rangle", "rbrace", "rceil", "rfloor", "rm", "root", "rvert", "ref", "text", "tau", "tan",
    "tanh", "theta", "therefore", "times", "to", "top", "triangle", "tfrac", "tilde", "tag", "title", "tbinom",
})  # fmt: skip
_SHARED: Final = re.compile(r"(?<!\\)(?:\\\\)*+\\[bfnrt]")
_WORD: Final = re.compile(r"[A-Za-z]+")
_PATH: Final = re.compile(r"""(?:\b[A-Za-z]:|\\\\[\w.$-]+|\.{1,2}|%\w+%|~)(?:[\\/][^\\/:*?"<>|\r\n]{1,80})*\Z""")
_FOLDER: Final = re.compile(r"""(?:[A-Za-z]:|\\\\[\w.$-]+|%\w+%)(?:\\[^\\/:*?"<>|\r\n]{1,80})*""")
_CONTROL: Final = re.compile(r"[\x08\x0c]|[\t](?=[a-z]{2})|(?<=[\w)}\]])[\r](?=[a-z])")
_BEFORE_LETTER: Final = re.compile(r"\\[bftr][a-zA-Z]")
_STARTS: Final = {"\b": "b", "\f": "f", "\t": "t", "\r": "r", "\n": "n"}


# All escapes, and the content to change: escapes unknown to JSON, bare quotes, control characters, lone surrogates.
_INSIDE: Final = re.compile(
    ESCAPE + r"|\\(?:u\{[0-9a-fA-F]{4,6}\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|\r\n|[^u]|u|\Z)"
    r'|["\x00-\x1f\ud800-\udfff]',
    re.DOTALL,
)
_OTHER_ESCAPES: Final = re.compile(r"""\\[^"\\/bfnrtuxU'`_\r\n]""")
_OTHER_QUOTES: Final = "'`“”„‘’«»"  # a backslash before one of them says that it is content
_KEPT_ESCAPES: Final = frozenset('"\\/bfnrtu')


def are_raw(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` holds a backslash that is not an escape beside escapes of JSON like `\\t`."""
    if text.find("\\", start, end) < 0 or _FOREIGN.search(text, start, end) is None:
        return False
    return _SHARED.search(text, start, end) is not None


def ends_in_path(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` is a path of Windows, so that a backslash after it is the end of the path."""
    return _FOLDER.fullmatch(text, start, end) is not None


def stands_for_itself(content: str, at: int) -> bool | None:
    """Whether the backslash at `at`, before one of `bfnrt`, is a character in a text of raw backslashes.

    None if both readings are possible: before a small letter that starts neither a LaTeX command nor a part of a path.
    """
    letter, after = content[at + 1], content[at + 2 : at + 3]
    if letter in "bf":
        return True
    word = _WORD.match(content, at + 1)
    if word is None:
        return False
    if word.group() in _COMMANDS or any(word.group().startswith(one) for one in _COMMANDS if len(one) > 3):
        return True
    if _PATH.search(content, max(0, at - 300), at):
        return True
    return None if after.isalpha() and after.islower() else False


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
        if found.startswith("\\u{"):  # JavaScript
            code = int(found[3:-1], 16)
            return json.dumps(chr(code))[1:-1] if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\\" + found
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
        if (kind and kind in _OTHER_QUOTES) or (kind == "_" and markdown):
            return kind
        if kind in ("\n", "\r"):
            return "\\\\\\n"
        return "\\\\" + (json.dumps(kind)[1:-1] if kind else "")

    return f'"{_INSIDE.sub(repaired, content)}"', whole


def may_be_suspicious(text: str) -> bool:
    """Whether a text holds an escape before a letter, so that its values deserve a look."""
    return "\\" in text and _BEFORE_LETTER.search(text) is not None


def suspicious(value: str) -> str:
    """The probable meaning of a text with a control character inside a word; "" for any other text.

    `"\\frac{3}{5}"` written with a single backslash is valid JSON for a form feed and `rac{3}{5}`.
    """
    found = _CONTROL.search(value)
    if found is None:
        return ""
    meant = value
    for sign, letter in _STARTS.items():
        meant = meant.replace(sign, "\\" + letter) if sign in "\b\f\t\r" else meant
    return meant
