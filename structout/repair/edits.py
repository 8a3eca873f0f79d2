"""The changes that repair makes, each with its grade."""

from dataclasses import dataclass
from typing import Literal

Grade = Literal[
    "lossless",  # syntax or spelling only: the same data
    "lossy",  # something was dropped or rounded
    "invented",  # a value that the text did not hold
]
Policy = Literal["lossless", "lossy", "any"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: its kind, where (an offset into the text, or a JSON Pointer), and what became of what."""

    kind: str
    grade: Grade
    where: int | str
    before: str
    after: str
