"""The changes that repair makes, each with its grade."""

import json
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

Grade = Literal[
    "lossless",  # syntax or spelling only: the same data
    "lossy",  # something was dropped or rounded
    "invented",  # a value that the text did not hold
]
Policy = Literal["lossless", "lossy", "any"]
Decimal = Literal[".", ","]  # the sign that marks decimals in numbers written as text

_RANK: dict[Grade, int] = {"lossless": 0, "lossy": 1, "invented": 2}
_ALLOWED: dict[Policy, int] = {"lossless": 0, "lossy": 1, "any": 2}


class Edit(NamedTuple):
    """One change: its kind, its grade, where, and what became of what. A tuple, for a text may take hundreds of them.

    An edit of the syntax has an offset in characters as `where`, and `before` is exactly what stood there: such
    edits can be applied to the text (`apply`). An edit of the data has a JSON Pointer into the repaired document,
    and `before` and `after` are JSON. One that is `steered` stands in the answer already, as `after`, at its offset:
    the token limit put it there against the model's own choice.
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
        """What became of what, in a few words."""
        before, after = _short(self.before) or "nothing", _short(self.after) or "nothing"
        return f"{before} -> {after} ({self.kind}, {self.grade})"


def worst(edits: Iterable[Edit]) -> int:
    """The rank of the gravest grade among `edits`: 0 lossless, 1 lossy, 2 invented."""
    return max((_RANK[edit.grade] for edit in edits), default=0)


def allows(policy: Policy, edit: Edit) -> bool:
    """Whether a policy accepts an edit."""
    return _RANK[edit.grade] <= _ALLOWED[policy]


def apply(text: str, edits: Iterable[Edit], start: int = 0, end: int | None = None) -> str:
    """Apply the edits of the syntax, in the order of their offsets, to `text[start:end]`."""
    pieces: list[str] = []
    place = start
    for edit in edits:
        if isinstance(edit.where, int):
            pieces += (text[place : edit.where], edit.after)
            place = edit.where + len(edit.before)
    pieces.append(text[place:end])
    return "".join(pieces)


def edit_text(value: Any) -> str:
    """JSON as edits of the data and messages write it."""
    return json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    text = text.replace("\n", "⏎")
    return text if len(text) <= 40 else text[:39] + "…"
