"""Closers: matching them to containers, replacing wrong closers, and adding missing closers."""

import re
from typing import Final, Literal

from structout.parsing.syntax.cursor import Cursor, Parsed
from structout.parsing.syntax.patterns import CLOSER, NEXT, OPENER

# The first assumption about a closer of the wrong kind: it is superfluous if it repeats the closer before it (`drop`),
# it stands for the other kind (`replace`), a closer before it is missing (`insert`), or its opener is (`unopened`).
_MEMBER_AFTER: Final = re.compile(r"""[ \t\r\n]*+"[^"\n]{1,80}"[ \t]*+:""")
Closers = Literal["drop", "replace", "insert", "unopened"]


def close(cursor: Cursor, char: str, closers: Closers) -> None:
    """Read the closer `char`, which ends the innermost container if the kinds match."""
    stack = cursor.stack
    cursor.drop_comma()
    if stack[-1] != OPENER[char] and not _repair(cursor, char, closers):
        return
    if len(stack) == 1 and _reopened(cursor, stack[0]):
        cursor.edit("closer", "lossless", cursor.pos, char, "")
    else:
        stack.pop()
    cursor.pos += 1


def _repair(cursor: Cursor, char: str, closers: Closers) -> bool:
    """Replace or drop a closer of the wrong kind, or insert the missing closers before it.

    The text after the closer decides. Returns False if the closer was dropped.
    """
    stack, opener = cursor.stack, OPENER[char]
    doubled = (
        closers == "drop"
        and opener not in stack
        and cursor.text[max(0, cursor.pos - 80) : cursor.pos].rstrip()[-1:] == char
    )
    below = len(stack) - 1 - stack[::-1].index(opener) if opener in stack else -1
    replaced = not doubled and closers != "unopened" and not (closers == "insert" and below >= 0)
    if replaced and _continues(cursor, len(stack) - 1):
        cursor.edit("closer", "lossless", cursor.pos, char, CLOSER[stack[-1]])
        return True
    if below < 0 or (not _continues(cursor, below) and _continues(cursor, len(stack))):
        cursor.edit("closer", "lossless", cursor.pos, char, "")
        cursor.pos += 1
        return False
    missing = ""
    while stack[-1] != opener:
        missing += CLOSER[stack.pop()]
    cursor.edit("closer", "lossless", cursor.pos, "", missing)
    return True


def _continues(cursor: Cursor, depth: int) -> bool:
    """Whether the text after the closer makes sense with `depth` containers open."""
    found = NEXT.match(cursor.text, cursor.pos + 1, cursor.end)
    if found is None or depth == 0:
        return depth == 0 and found is None
    key, item, closer = found.groups()
    opener = cursor.stack[depth - 1]
    if key is not None:
        return opener == "{"
    return opener == "[" if item is not None else opener == OPENER[closer]


def _reopened(cursor: Cursor, opener: str) -> bool:
    """Whether the outermost container continues after its closer."""
    if opener == "{" and _MEMBER_AFTER.match(cursor.text, cursor.pos + 1, cursor.end):
        return True
    found = NEXT.match(cursor.text, cursor.pos + 1, cursor.end)
    if found is None:
        return False
    key, item, _ = found.groups()
    if opener == "{":
        return key is not None
    return item is not None and cursor.text[: cursor.end].rstrip().endswith("]")


def close_list(cursor: Cursor) -> bool:
    """Close a list that continues with a key: its closer is missing. Returns whether the list was closed."""
    stack = cursor.stack
    if cursor.comma < 0 or "{" not in stack or not cursor.keyed():
        return False
    while stack[-1] != "{":
        cursor.edit("closer", "lossless", cursor.comma, "", "]")
        stack.pop()
    return True


def close_all(cursor: Cursor, *, partial: bool = False, dangling: bool = False) -> Parsed:
    """Close the open containers at the end of the text, which may cut off a token (`partial`) or value (`dangling`)."""
    cut = partial or dangling or cursor.comma >= 0
    cursor.loose = cursor.loose or cursor.text[cursor.pos - 1] in "{["
    if dangling:
        cursor.edit("missing_value", "invented", cursor.end, "", "null")
    cursor.drop_comma()
    cursor.edit("unclosed", "lossy", cursor.end, "", "".join(CLOSER[opener] for opener in reversed(cursor.stack)))
    cursor.pos = cursor.end
    return cursor.parsed(unclosed=len(cursor.stack), cut=cut)
