"""Work on a batch that may fail as a whole because of one of its members."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def each(
    items: Sequence[T],
    together: Callable[[Sequence[T]], list[R]],
    alone: Callable[[T], R],
    costs_no_other: Callable[[Exception], bool],
) -> list[R]:
    """What `together` makes of all items; where it fails, what `alone` makes of each, so that one costs no other.

    Other errors than those that `costs_no_other` names are raised, and whatever `alone` raises. One result an item, in
    order.
    """
    try:
        return together(items)
    except Exception as error:
        if not costs_no_other(error):
            raise
    return [alone(item) for item in items]
