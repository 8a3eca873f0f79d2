"""What stood in a text where repair changed it: in place of a null, and at the end."""

import json
from typing import Final

from structout.document import parse_json, read_json, scalars
from structout.issue import Issue
from structout.not_json import CUT_OFF
from structout.parsing.edits import Edit, apply
from structout.parsing.syntax.reader import Reading
from structout.schema.messages import shown

_NULLED: Final = ("non_finite", "missing_value")
_MARK: Final = "\ue000was:"
_LONGEST: Final = 20
_QUOTES: Final = tuple("\"'“”‘’`")


def places_of_nulls(reading: Reading, text: str) -> dict[str, Edit]:
    """The edits of a reading that put null in the place of NaN, of an infinity or of nothing, by the JSON Pointer of
    the null. Empty if the places cannot be told.
    """
    nulled = [edit for edit in reading.edits if edit.kind in _NULLED]
    if not nulled or _MARK in text:
        return {}
    marks = (json.dumps(f"{_MARK}{number}") for number in range(len(nulled)))
    marked = [edit._replace(after=next(marks)) if edit.kind in _NULLED else edit for edit in reading.edits]
    try:
        document = read_json(apply(text, marked, reading.start, reading.end))
    except ValueError:  # the edits are not those of the text itself
        return {}
    return {
        place: nulled[int(value.removeprefix(_MARK))]
        for place, value in scalars(document).items()
        if isinstance(value, str) and value.startswith(_MARK)
    }


def as_written(issues: tuple[Issue, ...], reading: Reading, text: str) -> tuple[Issue, ...]:
    """The issues of a reading, with what stood in the text in place of a null that repair put there."""
    null = shown(None)
    stood = {
        place: edit.before.strip()[:_LONGEST] or "a missing value"
        for place, edit in places_of_nulls(reading, text).items()
    }
    return tuple(
        Issue(one.pointer, one.kind, stood[one.pointer] + one.message.removeprefix(null))
        if one.pointer in stood and one.message.startswith(f"{null} ")
        else one
        for one in issues
    )


def open_at_end(reading: Reading, text: str) -> str:
    """What is open at the end of a text that was cut off: a text, a value, a list or an object."""
    issue = parse_json(text[reading.start :])[1]
    if issue is not None and issue.message.startswith(CUT_OFF):  # all that stands there is JSON
        return issue.message.removeprefix(f"{CUT_OFF}: ").partition(" is open ")[0]
    end = len(text.rstrip())
    syntax = [(edit.where, edit) for edit in reading.edits if isinstance(edit.where, int)]
    for where, edit in syntax:
        began, ended = edit.before[:1], edit.before[1:].rstrip()[-1:]
        if began in _QUOTES and ended not in _QUOTES and where + len(edit.before) >= end:
            return "a text"
    if text[:end].endswith((":", ",")):
        return "a value"
    closers = next((edit.after for _, edit in syntax if edit.kind == "unclosed" and edit.after), "}")
    return "a list" if closers.strip().startswith("]") else "an object"
