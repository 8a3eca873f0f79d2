"""What a model reads about an answer that cannot be used: what is wrong, and what to write instead.

Positions in the text and options of structout say nothing to a model, so they never occur here.
"""

from collections.abc import Sequence
from typing import Final

from structout.issue import Issue, IssueKind
from structout.parsing.edits import Edit, EditKind
from structout.prompts import wording

_MOST_ISSUES: Final = 8


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
        text = _REFUSED.get(edit.kind, wording.REFUSED_EDIT) if edit else wording.REFUSED_EDIT
        found = edit.before if edit else ""
        text = text.format(found=found if len(found) <= _LONGEST else found[: _LONGEST - 1] + "…")
    elif issue.kind in _REPLACED:
        text = _REPLACED[issue.kind]
    else:
        text = issue.message + (f": {_ADVICE[issue.kind]}" if issue.kind in _ADVICE else "")
    return f"{issue.pointer}: {text}" if issue.pointer else text


_LONGEST: Final = 60
# Kinds whose messages speak of positions or of limits that a model does not know.
_REPLACED: Final[dict[IssueKind, str]] = {
    "not_json": wording.NOT_JSON,
    "duplicate_key": wording.TWICE,
    "non_finite": wording.NON_FINITE,
    "truncated": wording.CUT_OFF,
    "stuck": wording.CUT_OFF,
    "unanswered": wording.NO_ANSWER,
}
_ADVICE: Final[dict[IssueKind, str]] = {
    "unexpected": wording.LEAVE_OUT,
    "missing": wording.ADD,
    "suspicious_escape": wording.BACKSLASH,
    "leaked_parameter": wording.OWN_KEY,
}
_REFUSED: Final[dict[EditKind, str]] = {
    "rounded": wording.ROUNDED,
    "whole": wording.ROUNDED,
    "unit": wording.UNIT,
    "magnitude": wording.UNIT,
    "extra_key": wording.EXTRA,
    "dropped": wording.DROPPED,
    "default": wording.DEFAULT,
    "missing_value": wording.NO_VALUE,
    "non_finite": wording.NON_FINITE,
    "null": wording.NO_VALUE,
    "ellipsis": wording.ELLIPSIS,
    "elided": wording.ELLIPSIS,
    "date": wording.DATE,
    "duplicate_key": wording.TWICE,
    "junk": wording.JUNK,
    "string": wording.STRING,
    "quotes": wording.STRING,
    "unclosed": wording.CUT_OFF,
    "unwrapped": wording.UNWRAPPED,
}
