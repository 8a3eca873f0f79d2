"""Trials: attempts to break a promise, and what they came to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tried:
    """What a trial came to: how many `times` the promise was put to the test, and each case that broke it.

    `table` holds lines of Markdown that say more; `missing` says why the trial could not be made here.
    """

    times: int
    broken: tuple[str, ...] = ()
    table: tuple[str, ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class Trial:
    """One way to break a promise. `attempt` gets the number of cases, `quick` or `full`, and a seed; the same numbers
    make the same cases.
    """

    what: str
    quick: int
    full: int
    attempt: Callable[[int, int], Tried]


@dataclass(frozen=True)
class Promise:
    """A promise, the trials of it, what they do not try, and the faults that they found and that are fixed since."""

    name: str
    trials: Sequence[Trial]
    beyond: Sequence[str]
    fixed: Sequence[str] = ()
