"""What stood in a text where repair put null: NaN, an infinity, or nothing."""

import json

from structout.document import read_json, scalars
from structout.issue import Issue
from structout.parsing.edits import apply
from structout.parsing.syntax.reader import Reading
from structout.schema.messages import shown

_NULLED = ("non_finite", "missing_value")
_MARK = "\ue000was:"
_LONGEST = 20


def as_written(issues: tuple[Issue, ...], reading: Reading, text: str) -> tuple[Issue, ...]:
    """The issues of a reading, with what stood in the text in place of a null that repair put there."""
    null = shown(None)
    if not any(edit.kind in _NULLED for edit in reading.edits) or _MARK in text:
        return issues
    marked = [
        edit._replace(after=json.dumps(_MARK + edit.before)) if edit.kind in _NULLED else edit for edit in reading.edits
    ]
    try:
        document = read_json(apply(text, marked, reading.start, reading.end))
    except ValueError:  # the edits are not those of the text itself
        return issues
    stood = {
        place: value.removeprefix(_MARK).strip()[:_LONGEST] or "a missing value"
        for place, value in scalars(document).items()
        if isinstance(value, str) and value.startswith(_MARK)
    }
    return tuple(
        Issue(one.pointer, one.kind, stood[one.pointer] + one.message.removeprefix(null))
        if one.pointer in stood and one.message.startswith(f"{null} ")
        else one
        for one in issues
    )
