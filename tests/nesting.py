"""Nested values for hypothesis."""

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

Values = st.SearchStrategy[Any]


def nested(leaves: Values, grow: Callable[[Values], Values], *, max_leaves: int = 100) -> Values:
    """`st.recursive`, whatever becomes of the test's file meanwhile.

    At the first draw hypothesis reads `grow` in its file, to warn where it does not use its argument. Where the file
    was edited since it was imported, hypothesis reads other lines. A `partial` has no lines to read.
    """
    return st.recursive(leaves, partial(grow), max_leaves=max_leaves)
