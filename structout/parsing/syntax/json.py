"""The tolerant JSON parser: one pass, no recursion, and an edit for every change that makes the text strict JSON."""

import re
from typing import Final

from structout.parsing.allowance import Allowance, Unreadable
from structout.parsing.edits import apply, edit_text
from structout.parsing.syntax.bare_words import read_word
from structout.parsing.syntax.brackets import Closers, close, close_all, close_list
from structout.parsing.syntax.cursor import STEPS_A_TOKEN, Cursor, Parsed
from structout.parsing.syntax.escapes import quote
from structout.parsing.syntax.patterns import (
    BARE_KEY,
    BARE_STOP,
    COLON,
    COMMENT,
    CONCATENATED,
    ELIDED,
    ELLIPSIS,
    EMBEDDED_END,
    GAP,
    LAST_SCALAR,
    LONE_ITEM,
    PREFIXED,
    QUOTED,
    QUOTED_LINE,
    SPACE,
    TICKED,
    TUPLE_ITEM,
    UNESCAPED,
    WRITTEN_SPACE,
)
from structout.parsing.syntax.stretches import AFTER, KEY, VALUE, run
from structout.parsing.syntax.strings import OPENING, Quoted, Role, read_key, read_value, written_as

DEEPEST: Final = 200
# A tuple of Python: brackets around values, and not around words of prose.
_TUPLE: Final = re.compile(r"""\(\s*+(?:\)|["'\-\d{\[(]|(?:True|False|None)\b)[^()]{0,2000}\)""")
_MINUS: Final = re.compile(r"-\d")


def parse(
    text: str, start: int, end: int, allowance: Allowance, *, closers: Closers = "drop", inside: bool = False
) -> Parsed:
    """Read the object or list that opens at `start`, perhaps `inside` a string. Raises `Unreadable` or `Exhausted`."""
    cursor = Cursor(text, start, end, allowance)
    cursor.inside = inside
    stack = cursor.stack
    stack.append(text[start])
    cursor.pos += 1
    state = KEY if text[start] == "{" else VALUE
    fresh = True  # right after an opener: no comma is expected
    while stack:
        ahead = -1 if cursor.raw else run(cursor, state)
        if ahead >= 0:
            state, fresh = ahead, False
            continue
        allowance.spend(STEPS_A_TOKEN)
        in_object = stack[-1] == "{"
        if _skip(cursor, state):
            continue
        if cursor.pos >= end:
            return close_all(cursor, dangling=state == VALUE and in_object)
        char = text[cursor.pos]
        if char == ")" and len(stack) in cursor.tuples and state != KEY:
            cursor.drop_comma()
            cursor.edit("tuple", "lossless", cursor.pos, ")", "]")
            cursor.tuples.discard(len(stack))
            stack.pop()
            cursor.pos += 1
            state, fresh = AFTER, False
            continue
        if state == AFTER:
            if (char.isalpha() and _prose_follows(cursor)) or char == "<" or text.startswith("```", cursor.pos):
                cursor.end = cursor.pos
                return close_all(cursor)
            if char in "}]":
                close(cursor, char, closers)
            else:
                state = _separate(cursor, char)
            fresh = False
        elif char in "}]":
            if state == VALUE and in_object:
                cursor.edit("missing_value", "invented", cursor.pos, "", "null")
            close(cursor, char, closers)
            state = AFTER
        elif char == ",":
            if state == VALUE and in_object:
                cursor.edit("missing_value", "invented", cursor.pos, "", "null")
                state = AFTER
            else:
                cursor.edit("comma", "lossless", cursor.pos, ",", "")
                cursor.pos += 1
        elif state == KEY:
            state, fresh = _key(cursor, char), False
        elif not in_object and not fresh and close_list(cursor):
            state = KEY
        elif char in "{[" or (char == "(" and _TUPLE.match(text, cursor.pos, end)):
            if char == "(":
                cursor.edit("tuple", "lossless", cursor.pos, "(", "[")
                char = "["
                cursor.tuples.add(len(stack) + 1)
            stack.append(char)
            if len(stack) > DEEPEST:
                raise Unreadable(cursor.pos)
            cursor.pos += 1
            cursor.comma = -1
            state, fresh = (KEY if char == "{" else VALUE), True
        else:
            done = _string(cursor) if char in OPENING else _bare(cursor)
            cursor.comma = -1
            if not done:
                return close_all(cursor, partial=True)
            state, fresh = AFTER, False
    return cursor.parsed()


# Between tokens.


def _skip(cursor: Cursor, state: int) -> bool:
    """Skip white space; True if something else was skipped too, with an edit."""
    text, end = cursor.text, cursor.end
    space = SPACE.match(text, cursor.pos, end)
    if space:
        cursor.pos = space.end()
    pos = cursor.pos
    if pos >= end:
        return False
    char = text[pos]
    if char in "/#<":
        found = COMMENT.match(text, pos, end)
        if found is None or (state == VALUE and char == "#" and not text[pos + 1 : pos + 2].isspace()):
            return False
        elided = ELIDED.search(found.group()) is not None
        cursor.edit("elided" if elided else "comment", "lossy" if elided else "lossless", pos, found.group(), "")
    elif char in ".…":
        found = ELLIPSIS.match(text, pos, end)
        if found is None:
            return False
        cursor.edit("ellipsis", "lossy", pos, found.group(), "")
    elif char > "\x7f" or char < " ":
        found = GAP.match(text, pos, end)
        if found is None:
            return False
        cursor.edit("whitespace", "lossless", pos, found.group(), "")
    elif char == ">" and text[pos - 1] == "\n":
        found = QUOTED_LINE.match(text, pos, end)
        if found is None:
            return False
        cursor.edit("quoted_line", "lossless", pos, found.group(), "")
    elif char == "\\":
        found = WRITTEN_SPACE.match(text, pos, end)
        if found is None:
            return False
        cursor.edit("whitespace", "lossless", pos, found.group(), "")
    else:
        return False
    cursor.pos = found.end()
    return True


def _separate(cursor: Cursor, char: str) -> int:
    """Read a comma after a value, or notice that it is missing. Returns the next state."""
    text, pos = cursor.text, cursor.pos
    in_object = cursor.stack[-1] == "{"
    if char in ",;，、:":
        if char != ",":
            cursor.edit("comma", "lossless", pos, char, ",")
        cursor.comma = pos
        cursor.pos += 1
    elif _starts_next(cursor, char):
        cursor.edit("comma", "lossless", pos, "", ",")
        if not in_object and cursor.keyed():
            cursor.comma = pos
    else:
        stop = BARE_STOP.search(text, pos, cursor.end)
        place = stop.start() if stop else cursor.end
        if place in (pos, cursor.end):
            raise Unreadable(pos)
        cursor.edit("junk", "lossy", pos, text[pos:place], "")
        cursor.pos = place
        return AFTER
    return KEY if in_object else VALUE


def _prose_follows(cursor: Cursor) -> bool:
    """Whether the document ended without its closers and prose follows on another line."""
    gap = cursor.text[max(cursor.start, cursor.pos - 80) : cursor.pos]
    return "\n" in gap[len(gap.rstrip()) :] and (cursor.quoted or not cursor.keyed())


def _starts_next(cursor: Cursor, char: str) -> bool:
    if cursor.stack[-1] == "{":
        return char in '"{“' or cursor.keyed()
    return (
        char in '"{[“'
        or char.isdigit()
        or cursor.keyed()
        or _MINUS.match(cursor.text, cursor.pos, cursor.end) is not None
    )


# Tokens.


def _key(cursor: Cursor, char: str) -> int:
    """Read a key and its colon. Returns the next state."""
    text, pos, end = cursor.text, cursor.pos, cursor.end
    stack = cursor.stack
    if char == "{" and cursor.comma >= 0 and (place := _closed_early(cursor)) >= 0:
        cursor.edit("closer", "lossless", place, "]", "")
        stack.append("[")
        return VALUE
    if char in "{[" and cursor.comma >= 0 and "[" in stack:  # the previous object lacks its closer
        cursor.edit("closer", "lossless", cursor.comma, "", "}")
        stack.pop()
        return VALUE if stack[-1] == "[" else KEY
    if LONE_ITEM.match(text, pos, end) and (first := LAST_SCALAR.search(text, max(cursor.start, pos - 300), pos)):
        cursor.edit("closer", "lossless", first.start(1), "", "[")  # the list before the comma lacks its bracket
        stack.append("[")
        return VALUE
    if char in "uUbB" and (prefix := PREFIXED.match(text, pos, end)):
        cursor.edit("quotes", "lossless", pos, prefix.group(), "")
        cursor.pos = pos = prefix.end()
        char = text[pos]
    if char in OPENING:
        found = read_key(text, pos, end)
        if found is None:
            raise Unreadable(pos)
        quoted, colon = found
        if not quoted.closed:  # the text ends inside a key: drop the key
            cursor.edit("unclosed", "lossy", pos, text[pos:end], "")
            cursor.pos = end
            return KEY
        _put_string(cursor, quoted)
    else:
        bare = BARE_KEY.match(text, pos, end)
        if bare is None:
            if BARE_STOP.search(text, pos, end) is None and text[pos:end].strip():
                cursor.edit("unclosed", "lossy", pos, text[pos:end], "")
                cursor.pos = end
                return KEY
            raise Unreadable(pos)
        content = bare.group()
        cursor.edit("quotes", "lossless", pos, content, quote(content.rstrip("\"'”`"))[0])
        cursor.pos, colon = bare.end(), True
    cursor.comma = -1
    sign = COLON.match(text, cursor.pos, end)
    if colon and sign:
        if sign.group(1) != ":":
            cursor.edit("colon", "lossless", sign.start(1), sign.group(1), ":")
        cursor.pos = sign.end()
    else:
        cursor.edit("colon", "lossless", cursor.pos, "", ":")
    return VALUE


def _closed_early(cursor: Cursor) -> int:
    """Where the list before the comma was closed, though another item and another closer follow; -1 if it was not."""
    before = cursor.text[cursor.start : cursor.comma].rstrip()
    if not before.endswith("]") or "]" not in cursor.text[cursor.pos : cursor.end]:
        return -1
    return cursor.start + len(before) - 1


def _string(cursor: Cursor) -> bool:
    """Read a quoted value; False if the text ends inside the value."""
    role: Role = "member" if cursor.stack[-1] == "{" else "item"
    text, pos = cursor.text, cursor.pos
    if len(cursor.stack) in cursor.tuples and (item := TUPLE_ITEM.match(text, pos, cursor.end)):
        _put_string(cursor, Quoted(pos + 1, item.end() - 1, item.end()))
        return True
    if ticked := TICKED.match(text, pos, cursor.end):
        cursor.edit("quotes", "lossless", pos, ticked.group(), quote(ticked.group(1))[0])
        cursor.pos = ticked.end()
        return True
    if not cursor.inside and (inner := UNESCAPED.match(text, pos, cursor.end)) and _embedded(cursor, inner.start(1)):
        return True
    quoted = read_value(text, pos, cursor.end, role, len(cursor.stack), cursor.allowance)
    if "+" in text[quoted.start : quoted.stop] and (parts := CONCATENATED.fullmatch(text, pos, quoted.end)):
        pieces = [piece[1:-1] for piece in QUOTED.findall(parts.group())]
        cursor.edit("concatenated", "lossless", pos, parts.group(), quote("".join(pieces), raw=cursor.raw)[0])
        cursor.pos = quoted.end
        return True
    _put_string(cursor, quoted)
    return quoted.closed


def _embedded(cursor: Cursor, start: int) -> bool:
    """Read JSON inside a string whose quotes the writer did not escape, as in `"{"a": 1}"`."""
    text, end = cursor.text, cursor.end
    try:
        inner = parse(text, start, end, cursor.allowance, inside=True)
    except Unreadable:
        return False
    after = EMBEDDED_END.match(text, inner.end, end)
    if inner.unclosed or after is None or any(edit.grade != "lossless" for edit in inner.edits):
        return False
    written = apply(text, inner.edits, start, inner.end)
    cursor.edit("encoded", "lossless", cursor.pos, text[cursor.pos : after.end()], written)
    cursor.pos = after.end()
    return True


def _put_string(cursor: Cursor, quoted: Quoted) -> None:
    kind, before, after, whole = written_as(cursor.text, cursor.pos, quoted, raw=cursor.raw)
    if before != after:
        cursor.edit(kind, "lossless" if whole else "lossy", cursor.pos, before, after)
    cursor.pos = quoted.end


def _bare(cursor: Cursor) -> bool:
    """Read a value without quotes, or with a prefix letter before them; False if the text ends inside the value."""
    prefix = PREFIXED.match(cursor.text, cursor.pos, cursor.end)
    if prefix is None:
        return read_word(cursor)
    place, letters = cursor.pos, prefix.group().lower()
    if "r" in letters:  # every backslash is content
        role: Role = "member" if cursor.stack[-1] == "{" else "item"
        quoted = read_value(cursor.text, prefix.end(), cursor.end, role, len(cursor.stack), cursor.allowance)
        content = cursor.text[quoted.start : quoted.stop]
        cursor.edit("quotes", "lossless", place, cursor.text[place : quoted.end], edit_text(content))
        cursor.pos = quoted.end
        return quoted.closed
    cursor.pos = prefix.end()
    done = _string(cursor)
    written = cursor.text[prefix.end() : cursor.pos]
    filled_in = ("f" in letters and "{" in written) or ("b" in letters and "\\x" in written)  # by a program
    cursor.edit("quotes", "lossy" if filled_in else "lossless", place, prefix.group(), "")
    return done
