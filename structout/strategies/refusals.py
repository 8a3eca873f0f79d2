"""Refusals that concern the whole run, because no record has been answered."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from structout.errors import NoModelError
from structout.models.meanings import is_of_content
from structout.result import Result

T = TypeVar("T")

MOST = 10  # records in a row that may be refused, unless a caller says otherwise
_NUMBER = re.compile(r"\S*\d\S*")  # a count, a time or the name of a request differs from refusal to refusal


class Refusals(Generic[T]):
    """Holds the refused records back until a record is answered. A server that refuses `most` records in a row for one
    reason, and has answered none, refuses the request's settings or its key, and not these records. Refusals of a
    record's content do not count, as the next record has other content.
    """

    def __init__(self, most: int = MOST, *, answered: bool = False) -> None:
        self._most = most
        self._answered = answered
        self._held: list[T] = []
        self._count = 0
        self._reason = ""

    def told(self, refusals: Iterable[Sequence[str | None]]) -> None:
        """Note whether any record was answered of several whose calls ended together, before they are `passed`."""
        self._answered = self._answered or any(None in one for one in refusals)

    def passed(self, record: T, refusals: Sequence[str | None]) -> list[T]:
        """The records that can be kept, now that the calls for `record` ended. `refusals` holds the reason of each call
        that was refused, and None for any other call. Raises `NoModelError`.
        """
        self.told([refusals])
        reason = (refusals[-1] if refusals else "") or ""
        if self._answered or is_of_content(reason):
            return [*(self.rest() if self._answered else []), record]
        self._held.append(record)
        if refusals:
            self._count = self._count + 1 if _alike(reason) == _alike(self._reason) else 1
            self._reason = reason
            if self._count >= self._most:
                raise NoModelError(
                    f"the model refused {self._count} records in a row and answered none: {reason}",
                    hint="change the refused setting or key, or leave these records out",
                )
        return []

    def rest(self) -> list[T]:
        """The records that are still held back, once no record follows."""
        held, self._held = self._held, []
        return held


def refusals_of(result: Result[Any]) -> list[str | None]:
    """The reason of each call that was refused, and None for any other call."""
    return [call.completion.refusal if call.completion.finish_reason == "refused" else None for call in result.attempts]


def _alike(reason: str) -> str:
    """A reason without what differs from record to record."""
    return _NUMBER.sub("", reason)
