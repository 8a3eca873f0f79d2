"""One allowance of work, shared by all that is tried on one text: no text takes longer than linear time."""


class Unreadable(Exception):  # noqa: N818  (a verdict on a text, caught inside the package, never raised to a caller)
    """No document can be read here; `place` is the offset where reading broke off."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


class Exhausted(Exception):  # noqa: N818
    """The allowance of work is used up: what has been found so far is what there is."""


class Allowance:
    """Steps that may still be taken, a step being about one character looked at."""

    __slots__ = ("left",)

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Take some steps; raises `Exhausted` once there are none left."""
        self.left -= steps
        if self.left < 0:
            raise Exhausted
