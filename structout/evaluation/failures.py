"""The records on which the model failed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from structout.errors import ModelError
from structout.models import Model
from structout.result import Result, Task
from structout.strategies import Strategy
from structout.strategies.batch import each

_MOST_IN_A_ROW = 10
_NAMED = 5  # records that a message names


@dataclass
class Failures:
    """Asks, and keeps on which of `asked` records the model failed by themselves, not only in a batch. `kept` says what
    of the others is left, and how to go on.
    """

    asked: int
    kept: str
    _keys: dict[str, None] = field(default_factory=dict)
    _in_a_row: int = 0
    _last: str = ""

    def run(self, strategy: Strategy, tasks: Sequence[tuple[str, Task[Any]]], model: Model) -> list[Result[Any] | None]:
        """One result for each task, which comes with its record's key. Where the model fails on all together they are
        tried one by one, so that one that it cannot take costs no other: that one has None.

        Raises `ModelError` where it fails on ten in a row.
        """

        def together(some: Sequence[tuple[str, Task[Any]]]) -> list[Result[Any] | None]:
            results: list[Result[Any] | None] = [*strategy.run([task for _, task in some], model)]
            self._in_a_row = 0
            return results

        def alone(one: tuple[str, Task[Any]]) -> Result[Any] | None:
            try:
                return together([one])[0]
            except ModelError as error:
                self._add(one[0], error)
                return None

        if len(tasks) == 1:  # which need not be tried twice
            return [alone(tasks[0])]
        return each(tasks, together, alone, lambda error: isinstance(error, ModelError))

    def check(self) -> None:
        """Raise `ModelError` if there are any: what was measured is not what was to be measured."""
        if self._keys:
            shown = ", ".join([*list(self._keys)[:_NAMED], *(["…"] if len(self._keys) > _NAMED else [])])
            what = f"{len(self._keys)} of {self.asked} records ({shown})"
            raise ModelError(f"the model failed on {what}, last: {self._last}", hint=self.kept)

    def _add(self, key: str, error: ModelError) -> None:
        self._keys[key], self._last = None, str(error)
        self._in_a_row += 1
        if self._in_a_row >= _MOST_IN_A_ROW:
            raise ModelError(f"the model failed {self._in_a_row} times in a row, last: {error}", hint=self.kept)
