r"""Backslashes in texts that need repair: escapes, or characters of LaTeX, paths and regular expressions.

JSON lacks the escape `\sigma`. One such backslash shows that the writer escaped nothing, so `\frac` in the same text is
not a form feed either. The whole text decides, and not each escape by itself.
"""

import re
from typing import Final

# An escape unknown to JSON, Python and Markdown.
_FOREIGN: Final = re.compile(
    r"""(?<!\\)(?:\\\\)*+\\(?:[acdeghijklmopqsvwyzA-TV-Z(\[{|%&^~]|u(?![0-9a-fA-F]{4})|U(?![0-9a-fA-F]{8})|x(?![0-9a-fA-F]{2}))"""
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
_CONTROL: Final = re.compile(r"[\x08\x0c]|[\t](?=[a-z]{2})|(?<=[\w)}\]])[\r](?=[a-z])")
_BEFORE_LETTER: Final = re.compile(r"\\[bftr][a-zA-Z]")
_STARTS: Final = {"\b": "b", "\f": "f", "\t": "t", "\r": "r", "\n": "n"}


def are_raw(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` holds a backslash that is not an escape beside escapes of JSON like `\\t`."""
    if text.find("\\", start, end) < 0 or _FOREIGN.search(text, start, end) is None:
        return False
    return _SHARED.search(text, start, end) is not None


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
