"""The fast path for the usual answer: one document, and nothing else that could be a document.

The result is the same as that of the search through all candidates. Every unclear text is left to the search.
"""

from typing import Final

from structout.document import read_json
from structout.parsing.allowance import Allowance, Exhausted, Unreadable
from structout.parsing.locate.calls import is_marked
from structout.parsing.locate.candidates import ANOTHER_FORM, MEMBER, begins_with_a_key
from structout.parsing.locate.sections import BRACKET, is_taken_back, layout
from structout.parsing.locate.surroundings import with_surroundings
from structout.parsing.syntax.faults import fix
from structout.parsing.syntax.reader import GOES_ON, Reading, is_escaped, read_at, regrade

_TRAILING: Final = "trailing characters"


def single(text: str, fault: str, allowance: Allowance, *, complete: bool) -> Reading | None:
    """The only document in `text`, with all the edits that lead to it; None if the document is not certain.

    All edits are lossless. They add closers only at the end of a `complete` text. `fault` is the error message of a
    strict parser for the text.
    """
    start = len(text) - len(text.lstrip(" \t\r\n\ufeff"))
    limit = stop = len(text)
    begin = 0
    found = None
    if text[start : start + 1] not in ("{", "["):
        found = layout(text)
        opener = BRACKET.search(text, start) if not found.thinking else None
        first = opener.start() if opener else next(found.starts(), -1)
        if first < 0 or MEMBER.match(text, start) or begins_with_a_key(found):
            return None
        start = begin = first
        fence = found.fence_at(start)
        limit = fence.end if fence else limit
        stop = max(text.rfind("}", start, limit), text.rfind("]", start, limit)) + 1
        try:
            document = read_json(text[start:stop])
        except ValueError as error:
            fault = str(error)
        else:
            fault = ""
    if is_escaped(text, start):
        return None
    try:
        if fault and (quick := fix(text, begin, stop, limit, fault, allowance)):
            reading = Reading(quick.document, start, limit if quick.unclosed else stop, quick.edits, quick.unclosed)
        elif fault:
            reading = read_at(text, start, limit, allowance, strict_first=fault.startswith(_TRAILING))
        elif GOES_ON.match(text, stop, limit):
            return None
        else:
            reading = Reading(document, start, stop)
    except (Unreadable, Exhausted):
        return None
    if reading.unclosed:
        if not complete or reading.cut:
            return None
        reading = regrade(reading, "lossless")
    for edit in reading.edits:
        if edit.grade != "lossless" or edit.kind == "closer":
            return None
    end = reading.end
    wrapped = start > 0 and not text[:start].isspace()
    if end < len(text) and not text[end:].isspace():
        if BRACKET.search(text, end) or is_taken_back(text, end) or ANOTHER_FORM.search(text, end):
            return None
    elif not wrapped:
        return reading
    if not reading.document or reading.bare:
        return None  # these may be brackets in prose
    if isinstance(reading.document, dict) and "name" in reading.document and is_marked(text):
        return None  # a call of a tool, whose arguments alone are the document
    if wrapped and (found or layout(text)).is_example(start):
        return None
    return reading._replace(edits=with_surroundings(text, start, end, reading.edits))
