"""Records on which the model failed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from structout.errors import ModelError
from structout.models import Model
from structout.result import Result, Task
from structout.strategies import Strategy
from structout.strategies.batch import each
from structout.strategies.refusals import Refusals, refusals_of

_MOST_IN_A_ROW = 10
_NAMED = 5  # records that a message names


@dataclass
class Failures:
    """Runs batches and collects the records, out of `asked`, on which the model failed even when asked one by one.

    `kept` is the hint of the error: where the other answers are, and how to resume.
    """

    asked: int
    kept: str
    _keys: dict[str, None] = field(default_factory=dict)
    _in_a_row: int = 0
    _refusals: dict[str, Refusals[Result[Any]]] = field(default_factory=dict)  # by model
    _last: str = ""

    def run(self, strategy: Strategy, tasks: Sequence[tuple[str, Task[Any]]], model: Model) -> list[Result[Any] | None]:
        """One result for each task; a task comes with the key of its record.

        If the model fails on the batch, each task is tried alone, and the result is None where the model fails again.
        Raises `ModelError` after ten failures in a row, and at once for an error that stops the run; `NoModelError`
        after ten refusals of a model that has not answered.
        """

        def together(some: Sequence[tuple[str, Task[Any]]]) -> list[Result[Any] | None]:
            results = strategy.run([task for _, task in some], model)
            refusals = self._refusals.setdefault(model.name, Refusals())
            refusals.told(map(refusals_of, results))
            for result in results:
                refusals.passed(result, refusals_of(result))
            self._in_a_row = 0
            return [*results]

        def alone(one: tuple[str, Task[Any]]) -> Result[Any] | None:
            try:
                return together([one])[0]
            except ModelError as error:
                if error.stops:
                    raise
                self._add(one[0], error)
                return None

        try:
            if len(tasks) == 1:  # a batch of one need not be tried twice
                return [alone(tasks[0])]
            return each(tasks, together, alone, lambda error: isinstance(error, ModelError) and not error.stops)
        except ModelError as error:
            if error.stops:
                error.hint = f"{error.hint or 'fix the cause'}, then {self.kept}"
            raise

    def check(self) -> None:
        """Raise `ModelError` if the model failed on any record: the measurement is incomplete."""
        if self._keys:
            shown = ", ".join([*list(self._keys)[:_NAMED], *(["…"] if len(self._keys) > _NAMED else [])])
            failed = f"{len(self._keys)} of {self.asked} records ({shown})"
            raise ModelError(f"the model failed on {failed}, last: {self._last}", hint=self.kept)

    def _add(self, key: str, error: ModelError) -> None:
        self._keys[key], self._last = None, str(error)
        self._in_a_row += 1
        if self._in_a_row >= _MOST_IN_A_ROW:
            raise ModelError(f"the model failed {self._in_a_row} times in a row, last: {error}", hint=self.kept)
