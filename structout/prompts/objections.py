"""What a model reads about an answer that cannot be used: what is wrong, and what to write instead.

Positions in the text and options of structout say nothing to a model, so they never occur here.
"""

import re
from collections.abc import Sequence
from typing import Final

from structout.issue import Issue, IssueKind
from structout.parsing.edits import DECIMAL_OPTION, Edit, EditKind
from structout.prompts import wording

_MOST_ISSUES: Final = 8
_LONGEST: Final = 60
_UNSURE: Final = re.compile(re.escape(wording.UNSURE.format(sure="SURE")).replace("SURE", r"(\S+), threshold \S+"))
# What is wrong with an answer, and what to write instead.
_TWICE = "a key occurs twice in one object: write each key once"
_NON_FINITE = "JSON has no NaN, no Infinity and no number this large: write a number, or null if allowed"
_CUT_OFF = "the answer ends before the document is complete: write all of it, as short as possible"
_ROUNDED = "{found} is not a whole number: write the whole number that the record gives"
_UNIT = "{found} is more than a number: write the number alone, in the unit of the key"
_NO_VALUE = "the value is missing: write what the record says, or leave the key out if it is optional"
_ELLIPSIS = "{found} stands for something left out: write all of it"
_STRING = 'a text has a quote or a character that JSON does not take: write \\" for a quote inside a text'
_REFUSED_EDIT = "the answer is not written exactly as asked: write the values in the form of the schema"


def objection(issues: Sequence[Issue], edits: Sequence[Edit] = ()) -> str:
    """The objection to the last answer in a re-ask: at most eight issues, so that its size is bounded.

    `edits` are the changes that repair tried: they say what a refused change was about.
    """
    lines = list(dict.fromkeys(f"- {complaint(issue, edits)}" for issue in issues))
    if len(lines) > _MOST_ISSUES:
        lines[_MOST_ISSUES:] = [wording.MORE_ISSUES.format(count=len(lines) - _MOST_ISSUES)]
    return wording.REASK.format(issues="\n".join(lines))


def complaint(issue: Issue, edits: Sequence[Edit] = ()) -> str:
    """One issue in words for a model: the place, what is wrong, and what to write instead."""
    if issue.kind == "refused_edit":
        edit = next((one for one in edits if one.change in issue.message), None)
        text = _REFUSED.get(edit.kind, _REFUSED_EDIT) if edit else _REFUSED_EDIT
        found = edit.before if edit else ""
        text = text.format(found=found if len(found) <= _LONGEST else found[: _LONGEST - 1] + "…")
    elif issue.kind in _REPLACED:
        text = _REPLACED[issue.kind]
    else:
        below = _UNSURE.fullmatch(issue.message)
        text = wording.UNSURE.format(sure=below[1]) if below else issue.message.replace(DECIMAL_OPTION, "")
        text += f": {_ADVICE[issue.kind]}" if issue.kind in _ADVICE else ""
    return f"{issue.pointer}: {text}" if issue.pointer else text


def unsure(sure: str, threshold: str) -> str:
    """The message about a confidence below a threshold, for people: a model is not told the threshold."""
    return wording.UNSURE.format(sure=f"{sure}, threshold {threshold}")


# Kinds whose messages speak of positions or of limits that a model does not know.
_REPLACED: Final[dict[IssueKind, str]] = {
    "not_json": "the answer is not one JSON document: write one, with nothing before or after it",
    "duplicate_key": _TWICE,
    "non_finite": _NON_FINITE,
    "truncated": _CUT_OFF,
    "stuck": _CUT_OFF,
    "unanswered": "there is no answer: write one JSON document",
}
_ADVICE: Final[dict[IssueKind, str]] = {
    "unexpected": "leave it out",
    "missing": "add it, with what the record says",
    "suspicious_escape": "write each backslash twice",
    "leaked_parameter": "give each key its own value",
}
_REFUSED: Final[dict[EditKind, str]] = {
    "rounded": _ROUNDED,
    "whole": _ROUNDED,
    "unit": _UNIT,
    "magnitude": _UNIT,
    "extra_key": "the schema has no such key: leave it out",
    "dropped": "{found} is not allowed here: write a value of the right type, or leave the key out if it is optional",
    "default": "the value is missing: write what the record says",
    "missing_value": _NO_VALUE,
    "non_finite": _NON_FINITE,
    "null": _NO_VALUE,
    "ellipsis": _ELLIPSIS,
    "elided": _ELLIPSIS,
    "date": "{found} does not give the whole date or time that is asked for: write all of it",
    "duplicate_key": _TWICE,
    "junk": "{found} stands between two values: leave it out",
    "string": _STRING,
    "quotes": _STRING,
    "unclosed": _CUT_OFF,
    "unwrapped": "the answer is inside another object: write that inner object alone",
}
