"""Edits: the changes that repair makes, and their grades."""

import json
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

Grade = Literal[
    "lossless",  # only syntax or spelling changed: the data is the same
    "lossy",  # something was dropped or rounded
    "invented",  # a value was added that the text did not hold
]
Policy = Literal["lossless", "lossy", "any"]
Decimal = Literal[".", ","]  # the decimal sign of numbers written as text

_RANK: dict[Grade, int] = {"lossless": 0, "lossy": 1, "invented": 2}
_ALLOWED: dict[Policy, int] = {"lossless": 0, "lossy": 1, "any": 2}


class Edit(NamedTuple):
    """One change: its kind, its grade, its place, and the text before and after. A tuple, because texts take hundreds.

    `where` of a syntax edit is an offset in characters, and `before` is exactly the text at the offset: `apply` makes
    syntax edits in a text. `where` of a data edit is a JSON Pointer into the repaired document, and `before` and
    `after` are JSON. An edit of the kind `steered` is already part of the answer, as `after` at its offset: the token
    limit put it there against the model's own choice.
    """

    kind: str
    grade: Grade
    where: int | str
    before: str
    after: str

    def __str__(self) -> str:
        place = f"character {self.where}" if isinstance(self.where, int) else self.where or "(document)"
        return f"{place}: {self.change}"

    @property
    def change(self) -> str:
        """The change in a few words: before, after, kind and grade."""
        before, after = _short(self.before) or "nothing", _short(self.after) or "nothing"
        return f"{before} -> {after} ({self.kind}, {self.grade})"


def worst(edits: Iterable[Edit]) -> int:
    """The rank of the worst grade among `edits`: 0 lossless, 1 lossy, 2 invented."""
    return max((_RANK[edit.grade] for edit in edits), default=0)


def allows(policy: Policy, edit: Edit) -> bool:
    """Whether a policy accepts an edit."""
    return _RANK[edit.grade] <= _ALLOWED[policy]


def apply(text: str, edits: Iterable[Edit], start: int = 0, end: int | None = None) -> str:
    """Make the syntax edits in `text[start:end]`; the edits must be in the order of their offsets."""
    pieces: list[str] = []
    place = start
    for edit in edits:
        if isinstance(edit.where, int):
            pieces += (text[place : edit.where], edit.after)
            place = edit.where + len(edit.before)
    pieces.append(text[place:end])
    return "".join(pieces)


def edit_text(value: Any) -> str:
    """A value as the JSON text of data edits and messages."""
    return json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    text = text.replace("\n", "⏎")
    return text if len(text) <= 40 else text[:39] + "…"
