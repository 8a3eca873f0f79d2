"""The reader for values without quotes: literals, numbers, calls, and text that lacks its quotes."""

from structout.parsing.allowance import Unreadable
from structout.parsing.syntax.cursor import Cursor
from structout.parsing.syntax.escapes import quote
from structout.parsing.syntax.patterns import (
    BARE_STOP,
    CALL,
    ELIDED,
    ENUM_MEMBER,
    EXPRESSION,
    KEYED,
    MOMENT,
    NEXT_MEMBER,
    PLAIN,
    QUOTED_MEMBER,
    THOUSANDS,
    TRAILING_COMMENT,
)
from structout.parsing.syntax.strings import closes
from structout.parsing.syntax.tokens import is_non_finite, literal, number


def read_word(cursor: Cursor) -> bool:
    """Read the value at the cursor; False if the text ends inside the value. Raises `Unreadable` without a value."""
    text, pos, end = cursor.text, cursor.pos, cursor.end
    if len(cursor.stack) in cursor.tuples and (closer := text.find(")", pos, end)) >= 0:
        end = closer
    member = ENUM_MEMBER.match(text, pos, end)
    if member:
        single, double, number_ = member.groups()
        after = number_ if number_ is not None else quote(single if single is not None else double)[0]
        cursor.edit("call", "lossless", pos, member.group(), after)
        cursor.pos = member.end()
        return True
    moment = MOMENT.match(text, pos, end)
    if moment:
        year, month, day, *time = [int(part) for part in moment.group(1).split(",") if part.strip()]
        after = f"{year:04}-{month:02}-{day:02}"
        if time or "datetime(" in moment.group():
            hour, minute, second = [*time, 0, 0, 0][:3]
            after += f"T{hour:02}:{minute:02}:{second:02}"
        cursor.edit("call", "lossless", pos, moment.group(), f'"{after}"')
        cursor.pos = moment.end()
        return True
    call = CALL.match(text, pos, end)
    if call:
        content = call.group(1)
        after = quote(content[1:-1], raw=cursor.raw)[0] if content[0] in "\"'" else content
        cursor.edit("call", "lossless", pos, call.group(), after)
        cursor.pos = call.end()
        return True
    in_object = cursor.stack[-1] == "{"
    plain = PLAIN.match(text, pos, end)
    if plain and (KEYED.match(text, plain.end(), end) if in_object else not THOUSANDS.match(text, pos, end)):
        cursor.pos = plain.end()  # a comma is missing after it
        word = text[pos : cursor.pos].rstrip()
        known = _known(word)
        if known is not None and known != word:
            cursor.edit("literal", "lossless", pos, word, known)
        return True
    place, opened = _stop(cursor, in_object, end)
    cursor.allowance.spend(place - pos)
    before = text[pos:place].rstrip(" \t\r\n")
    word = TRAILING_COMMENT.sub("", before).rstrip() or before
    elided = ELIDED.search(before, len(word)) is not None
    cursor.pos = place + opened
    if opened:
        cursor.edit("quotes", "lossless", pos, text[pos : cursor.pos], quote(word, raw=cursor.raw)[0])
        return True
    known = _known(word)
    partial = place == end
    if known is None and partial and len(word) > 1:
        known = next((name for name in ("true", "false", "null") if name.startswith(word)), None)
    if known is not None:
        if known != word or before != word:
            cursor.edit("elided" if elided else "literal", "lossy" if elided else "lossless", pos, before, known)
        cursor.loose = partial and not known.isalpha()
        return not partial or cursor.loose or word == known
    if is_non_finite(word):
        cursor.edit("non_finite", "lossy", pos, before, "null")
        return True
    if not word or not (word[0].isalnum() or word[0] in "_+.$€£¥~#@/*'−" or (word[0] == "-" and word[1:2] != ">")):
        raise Unreadable(pos)
    after, whole = quote(word, raw=cursor.raw)
    whole = whole and word == before and not EXPRESSION.search(word)
    cursor.edit("quotes", "lossless" if whole else "lossy", pos, before, after)
    cursor.bare += 1
    cursor.loose = partial
    return True


def _stop(cursor: Cursor, in_object: bool, end: int) -> tuple[int, bool]:
    """The offset where the word ends, and whether a quote without an opening quote ends it."""
    text, pos = cursor.text, cursor.pos
    place = pos
    while True:
        stop = BARE_STOP.search(text, place, end)
        if stop is None:
            return end, False
        place = stop.start()
        sign = text[place]
        if sign in "{[" or (sign == "“" and place == pos):
            raise Unreadable(place)
        if sign in '"“':
            if closes(text, place, end, "member" if in_object else "item"):  # its opening quote is missing
                return place, True
        elif (
            sign not in ",;，"
            or not in_object
            or (QUOTED_MEMBER if cursor.quoted else NEXT_MEMBER).match(text, place, end)
            or (not text[place + 1 : place + 2].isdigit() and _known(text[pos:place].strip()))
        ):
            return place, False
        place += 1


def _known(word: str) -> str | None:
    return literal(word) or number(word)
