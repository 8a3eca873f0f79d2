"""Text of unknown origin, as each surface where it is shown can take it.

A key, a value, a file's name, a server's message: a stranger may have written it. A surface that is not data for a
program gets each character that would do something there as its escape (`\\x1b`, `\\n`, `\\ud800`), in the form that
Python's `backslashreplace` has; all other text looks as it was written.

What is escaped everywhere:

- control characters, C1 too: U+009B begins an escape sequence as ESC does where a terminal reads eight bits;
- the line and paragraph separators, and what else some program takes for the end of a line;
- bidirectional embeddings, overrides and isolates: they reorder what stands around them, structout's own words too;
- unpaired surrogates and U+FFFE, U+FFFF: UTF-8 or XML has no form for them.

What is not: zero-width joiners and spaces, variation selectors, left-to-right and right-to-left marks. Emoji and the
scripts of a billion people need them, they hide nothing but themselves, and they reach no further than their word.

Commands of CI runners are escaped as well, by their first character. GitHub's obeys a line of a step's output that
begins with `::`, after whitespace too, and `##[` anywhere in it; those of Azure Pipelines and TeamCity obey `##vso[`
and `##teamcity[`.
"""

import json
import re
from html import escape
from typing import Any
from urllib.parse import quote

_ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_COMMAND = re.compile(r"#(?=#(?:vso|teamcity)?\[)")
_COMMAND_LINE = re.compile(r"^((?:\s|\x1b\[[0-9;]*m)*):(?=:)", re.MULTILINE)  # behind colours that rich laid out
# What reads as Markdown inside a line; what needs a partner or a place to do so is escaped in that place alone.
_MARKUP = re.compile(
    r"""[`*<|] | \\(?=[!-/:-@\[-`{-~]) | &(?=\#?\w+;) | (?<!\w)_ | _(?!\w) | ~(?=~) | (?<=~)~ | \](?=[(\[:])""",
    re.VERBOSE,
)


def terminal(text: str) -> str:
    """Lines for a terminal, or for the log of a CI runner, which is another one; tabs stay."""
    return disarmed(_ACTS.sub(_escaped, text))


def disarmed(lines: str) -> str:
    """Lines that are rendered and laid out already, where a long text may have been broken before `::`."""
    return _COMMAND_LINE.sub(r"\1\\x3a", _COMMAND.sub(r"\\x23", lines))


def line(text: str) -> str:
    """One line for a terminal or a log: a message, a warning, a cell. To render it again changes nothing."""
    return terminal(text.replace("\n", r"\n"))


def json_text(value: Any, *, ascii: bool = False) -> str:  # noqa: A002  # as in `ensure_ascii`
    """JSON on one line that is always UTF-8: for a program, whose reader may yet be a terminal. It says the same data
    as `json.dumps` does, with what acts on a terminal or a runner as JSON's own escapes.
    """
    return json_shown(json.dumps(value, ensure_ascii=ascii))


def json_shown(written: str) -> str:
    """The same of JSON that is written already: such characters stand in its strings alone, where an escape may be."""
    return _COMMAND.sub(r"\\u0023", _ACTS.sub(lambda found: f"\\u{ord(found[0]):04x}", written))


def json_in_html(value: Any) -> str:
    """JSON that stands in a script element: ASCII, and nothing in it reads as HTML."""
    written = json.dumps(value, separators=(",", ":"))
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def github(text: str) -> str:
    """The message of a GitHub annotation, which may have several lines."""
    return terminal(text).replace("%", "%25").replace("\n", "%0A")


def github_property(text: str) -> str:
    """A property of a GitHub annotation: the name of a file, a title."""
    return github(text).replace(":", "%3A").replace(",", "%2C")


def xml(text: str) -> str:
    """Text or an attribute of XML 1.0, for a writer that escapes markup itself."""
    return terminal(text)


def html(text: str) -> str:
    """Text or an attribute of HTML."""
    return escape(terminal(text))


def markdown(text: str) -> str:
    """Text in a line of Markdown, also in a cell of a table. What reads as markup is an entity, which, unlike a
    backslash, works before a `|` and after a backslash too.
    """
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", line(text))


def code(text: str) -> str:
    """A piece of code in a line of Markdown, also in a cell of a table."""
    shown = line(text)
    if shown and not re.search(r"[`|]|^\s|\s$", shown):
        return f"`{shown}`"
    return f"<code>{markdown(text)}</code>"


def sarif(text: str) -> str:
    """A message of SARIF 2.1.0, in which `[text](address)` would be a link (section 3.11.6)."""
    return re.sub(r"\](?=\()", r"\\]", text)


def address(path: str) -> str:
    """A file's path as a relative reference of RFC 3986."""
    return quote(path, safe="/~", errors="backslashreplace")


def prometheus(text: str) -> str:
    """The value of a label in the Prometheus text format 0.0.4."""
    return _ACTS.sub(_escaped, text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def drawn(text: str) -> str:
    """A label of a figure: matplotlib reads what stands between two `$` as mathematics, and draws no tab."""
    return line(text).replace("$", r"\$").replace("\t", " ")


def is_utf8(text: str) -> bool:
    """Whether it has a form in UTF-8: an unpaired surrogate has none."""
    return text.isascii() or not _SURROGATE.search(text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return r"\r" if code == 13 else f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
