"""The fast reader for stretches of text that are clean, or wrong only in their quotes or literals."""

from typing import Final

from structout.parsing.edits import Edit
from structout.parsing.syntax.cursor import Cursor
from structout.parsing.syntax.patterns import (
    CLEAN_KEY,
    ITEMS,
    LOOSE_ITEMS,
    LOOSE_KEY,
    LOOSE_MEMBERS,
    LOOSE_TOKEN,
    MEMBERS,
    PYTHON,
    SPACE,
)

KEY, VALUE, AFTER = range(3)  # the next token: a key, a value, or the separator after a value
_STEPS_A_LOOSE_TOKEN: Final = 15


def run(cursor: Cursor, state: int) -> int:
    """Skip a stretch that is clean or wrong only in its quotes. Returns the next state, or -1 for no such stretch."""
    text, pos, end = cursor.text, cursor.pos, cursor.end
    if pos < end and text[pos] in " \n\t\r":
        space = SPACE.match(text, pos, end)
        cursor.pos = pos = space.end() if space else pos
    if pos >= end:
        return -1
    char = text[pos]
    stack = cursor.stack
    in_object = stack[-1] == "{"
    if state == AFTER:
        if char == ",":
            cursor.comma, cursor.pos = pos, pos + 1
            return KEY if in_object else VALUE
        if char == ("}" if in_object else "]") and len(stack) > 1:
            cursor.pos = pos + 1
            stack.pop()
            return AFTER
        return -1
    if state == KEY:
        if char == '"':
            cursor.quoted = True
            found = MEMBERS.match(text, pos, end)
            if found:
                return _move_to(cursor, found.end(), state)
        elif char not in "'“`«_$" and not char.isalpha():
            return -1
        found = LOOSE_MEMBERS.match(text, pos, end)
        if found:
            _put_loose(cursor, pos, found.end())
            return _move_to(cursor, found.end(), state)
        found = CLEAN_KEY.match(text, pos, end) if char == '"' else LOOSE_KEY.match(text, pos, end)
        if found:
            if char != '"':
                _put_loose(cursor, pos, found.end())
            cursor.pos, cursor.comma = found.end(), -1
            return VALUE
    elif not in_object:
        found = ITEMS.match(text, pos, end)
        if found:
            return _move_to(cursor, found.end(), state)
        if char in "'“`«TFN[{" and (found := LOOSE_ITEMS.match(text, pos, end)):
            _put_loose(cursor, pos, found.end())
            return _move_to(cursor, found.end(), state)
    return -1


def _move_to(cursor: Cursor, place: int, state: int) -> int:
    """Move to the end of a stretch: before a comma or closer, or after the comma before the next key or item."""
    cursor.pos = place
    if cursor.text[place] in ",}]":
        cursor.comma = -1
        return AFTER
    cursor.comma = cursor.text.rindex(",", cursor.start, place)
    return state


def _put_loose(cursor: Cursor, start: int, end: int) -> None:
    """Note the edits for the quotes and literals of a stretch."""
    edits, new = cursor.edits, tuple.__new__  # faster than the constructor: a text may take hundreds of edits
    before = len(edits)
    for found in LOOSE_TOKEN.finditer(cursor.text, start, end):
        group = found.lastindex
        if group is None:  # a valid token
            continue
        written = found.group(group)
        if group == 3:
            edits.append(new(Edit, ("quotes", "lossless", found.start(group), written, f'"{written[1:-1]}"')))
        elif group == 1:
            edits.append(new(Edit, ("quotes", "lossless", found.start(group), written, f'"{written}"')))
        else:
            edits.append(new(Edit, ("literal", "lossless", found.start(group), written, PYTHON[written])))
    cursor.allowance.spend((len(edits) - before) * _STEPS_A_LOOSE_TOKEN)
