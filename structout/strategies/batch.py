"""Batches that fall back to single items on failure."""

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
    """One result for each item, in order: from `together`, or item by item from `alone` if `together` fails.

    Raises any error of `together` for which `costs_no_other` is false, and any error of `alone`.
    """
    try:
        return together(items)
    except Exception as error:
        if not costs_no_other(error):
            raise
    return [alone(item) for item in items]


def halves(
    items: Sequence[T],
    together: Callable[[Sequence[T]], list[R]],
    alone: Callable[[T], R],
    costs_no_other: Callable[[Exception], bool],
) -> list[R]:
    """As `each`, but half by half where `together` fails, and item by item only in the end."""
    try:
        return together(items)
    except Exception as error:
        if not costs_no_other(error):
            raise
    if len(items) == 1:
        return [alone(items[0])]
    middle = len(items) // 2
    return [one for half in (items[:middle], items[middle:]) for one in halves(half, together, alone, costs_no_other)]
