"""Escaping of untrusted text for each surface that shows it.

A stranger may have written any key, value, file name or server message. On surfaces that people read, each character
that would act on the surface becomes its escape (`\\x1b`, `\\n`, `\\ud800`), in the form of Python's
`backslashreplace`; all other text stays as it was written.

These characters are escaped on every surface:

- control characters, including C1: on an eight-bit terminal, U+009B begins an escape sequence as ESC does;
- line and paragraph separators, and every other character that some program takes for the end of a line;
- bidirectional embeddings, overrides and isolates: they reorder the surrounding text, including structout's own words;
- unpaired surrogates and U+FFFE, U+FFFF: UTF-8 or XML cannot represent them.

Zero-width joiners and spaces, variation selectors, and left-to-right and right-to-left marks are not escaped. Emoji and
the scripts of a billion people need them, they hide only themselves, and they affect only their own word.

Commands to CI runners are escaped too, at their first character. GitHub's runner obeys `::` at the start of a line of
output, even after whitespace, and `##[` anywhere in a line; Azure Pipelines obeys `##vso[`, and TeamCity `##teamcity[`.
"""

import json
import os
import re
from html import escape
from typing import Any
from urllib.parse import quote

_ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_COMMAND = re.compile(r"#(?=#(?:vso|teamcity)?\[)")
_COMMAND_LINE = re.compile(r"^((?:\s|\x1b\[[0-9;]*m)*):(?=:)", re.MULTILINE)  # the colours are those of rich
# Markdown markup inside a line. Signs that are markup only next to certain others are escaped only there.
_MARKUP = re.compile(
    r"""[`*<|] | \\(?=[!-/:-@\[-`{-~]) | &(?=\#?\w+;) | (?<!\w)_ | _(?!\w) | ~(?=~) | (?<=~)~ | \](?=[(\[:])""",
    re.VERBOSE,
)


def terminal(text: str) -> str:
    """Lines for a terminal or for the log of a CI runner. Tabs stay."""
    return disarmed(_ACTS.sub(_escaped, text))


def disarmed(lines: str) -> str:
    """Rendered lines with runner commands escaped: the layout may have broken a long line before `::`."""
    return _COMMAND_LINE.sub(r"\1\\x3a", _COMMAND.sub(r"\\x23", lines))


def line(text: str) -> str:
    """One line for a terminal or a log: a message, a warning, a cell. Escaping twice changes nothing."""
    return terminal(text.replace("\n", r"\n"))


def json_text(value: Any, *, ascii: bool = False) -> str:  # noqa: A002  # as in `ensure_ascii`
    """One line of JSON for a program, always valid UTF-8, and safe if it is shown on a terminal instead.

    The data is the same as from `json.dumps`; characters that act on a terminal or a runner use JSON's own escapes.
    """
    return json_shown(json.dumps(value, ensure_ascii=ascii))


def json_shown(written: str) -> str:
    """`json_text` for JSON that is already text: characters that act occur only in its strings, where escapes work."""
    return _COMMAND.sub(r"\\u0023", _ACTS.sub(lambda found: f"\\u{ord(found[0]):04x}", written))


def json_in_html(value: Any) -> str:
    """JSON for a script element: ASCII, with nothing in it that reads as HTML."""
    written = json.dumps(value, separators=(",", ":"))
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def github(text: str) -> str:
    """The message of a GitHub annotation; it may have several lines."""
    return terminal(text).replace("%", "%25").replace("\n", "%0A")


def github_property(text: str) -> str:
    """A property of a GitHub annotation, such as a file name or a title."""
    return github(text).replace(":", "%3A").replace(",", "%2C")


def xml(text: str) -> str:
    """Text or an attribute in XML 1.0, for a writer that escapes markup itself."""
    return terminal(text)


def html(text: str) -> str:
    """Text or an attribute in HTML."""
    return escape(terminal(text))


def markdown(text: str) -> str:
    """Text in a line of Markdown or in a table cell.

    Markup becomes entities: unlike backslashes, they also work before a `|` and after a backslash.
    """
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", line(text))


def code(text: str) -> str:
    """Code in a line of Markdown or in a table cell."""
    shown = line(text)
    if shown and not re.search(r"[`|]|^\s|\s$", shown):
        return f"`{shown}`"
    return f"<code>{markdown(text)}</code>"


def sarif(text: str) -> str:
    """A message in SARIF 2.1.0, without links: `[text](address)` would be a link (section 3.11.6)."""
    return re.sub(r"\](?=\()", r"\\]", text)


def address(path: str) -> str:
    """A file path as a relative reference (RFC 3986)."""
    return quote(path.replace(os.sep, "/"), safe="/~", errors="backslashreplace")


def prometheus(text: str) -> str:
    """A label value in the Prometheus text format 0.0.4."""
    return _ACTS.sub(_escaped, text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def drawn(text: str) -> str:
    """A label in a figure: matplotlib would read text between two `$` as mathematics, and cannot draw a tab."""
    return line(text).replace("$", r"\$").replace("\t", " ")


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can represent a text: it has no form for an unpaired surrogate."""
    return text.isascii() or not _SURROGATE.search(text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return r"\r" if code == 13 else f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
