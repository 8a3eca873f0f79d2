"""The issues of edits that the policy refuses, in words about the answer."""

import json
from collections.abc import Iterable, Iterator, Sequence

from structout.issue import Issue
from structout.parsing.edits import Edit, Policy, allows
from structout.parsing.stood import places_of_nulls
from structout.parsing.syntax.reader import Reading
from structout.schema.messages import missing, shown, told_apart


def refusals(edits: Sequence[Edit], policy: Policy, reading: Reading, text: str) -> tuple[Issue, ...]:
    """An issue for each of some edits of a reading, which the policy refuses."""
    offsets = {edit.where: place for place, edit in places_of_nulls(reading, text).items()}
    return tuple(_refusal(edit, policy, offsets) for edit in edits)


def doubles(edits: Iterable[Edit], policy: Policy) -> Iterator[Issue]:
    """An issue for each key that an object names twice, with values that differ, unless the policy drops one."""
    return (_twice(edit) for edit in edits if edit.kind == "duplicate_key" and not allows(policy, edit))


def _refusal(edit: Edit, policy: Policy, offsets: dict[int | str, str]) -> Issue:
    if edit.kind == "duplicate_key":
        return _twice(edit)
    if edit.kind == "default" and isinstance(edit.where, str):
        above, _, key = edit.where.rpartition("/")
        return Issue(above, "missing", missing(key.replace("~1", "/").replace("~0", "~")))
    place = edit.where if isinstance(edit.where, str) else offsets.get(edit.where, "")
    if edit.kind == "non_finite":
        return Issue(place, "non_finite", f"JSON has no {edit.before.strip():.20}")
    return Issue(place, "refused_edit", f"{edit.change} is refused under {policy!r}")


def _twice(edit: Edit) -> Issue:
    """The issue of a key that occurs twice. The edit holds a member before and a member after."""
    ((key, one),), ((_, other),) = (json.loads(member).items() for member in (edit.before, edit.after))
    first, second = told_apart(one, other)
    return Issue("", "duplicate_key", f"the key {shown(key)} occurs twice: with {first} and with {second}")
