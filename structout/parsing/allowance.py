"""The allowance of work for one text. All attempts to read the text share it, so that reading takes linear time."""

from typing import Final

# The allowance of work for a text, in steps. Characters beyond `_LONG` add fewer steps.
_STEPS_AT_LEAST: Final = 100_000
_STEPS_PER_CHARACTER: Final = 20
_STEPS_PER_LATER_CHARACTER: Final = 5
_LONG: Final = 50_000


class Unreadable(Exception):  # noqa: N818  (a verdict on a text, caught inside the package)
    """The text holds no readable document here; `place` is the offset where reading failed."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


class Exhausted(Exception):  # noqa: N818
    """The allowance is used up: repair has to decide with the readings found so far."""


class Allowance:
    """The steps that are left. A step is about one character read."""

    __slots__ = ("left",)

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Use up some steps. Raises `Exhausted` once too few are left."""
        self.left -= steps
        if self.left < 0:
            raise Exhausted


def allowance_for(text: str, share: int = 1) -> Allowance:
    """The allowance for a text, or a share of it."""
    late = max(0, len(text) - _LONG)
    steps = _STEPS_PER_CHARACTER * (len(text) - late) + _STEPS_PER_LATER_CHARACTER * late
    return Allowance((_STEPS_AT_LEAST + steps) // share)
