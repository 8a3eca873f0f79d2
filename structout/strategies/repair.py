"""A strategy that repairs answers without asking the model again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from structout.errors import SpecError
from structout.models.base import Model
from structout.parsing import Decimal, Policy
from structout.result import Result, Task
from structout.strategies.base import Strategy, check_fields
from structout.strategies.continued import Continued
from structout.strategies.missed import Missed
from structout.strategies.parts import parts
from structout.strategies.windowed import Windowed

T = TypeVar("T")


@dataclass(frozen=True)
class Repair:
    """Repairs the invalid answers of `inner`. `policy` says which edits are accepted, by default only lossless ones.

    `decimal` is the decimal separator of numbers written as text; without it, `"1,200"` is ambiguous.
    """

    inner: Strategy
    policy: Policy = "lossless"
    decimal: Decimal | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        for part, what in ((Windowed, "windows"), (Continued, "parts"), (Missed, "passes")):
            if any(isinstance(one, part) for one in parts(self.inner)):
                problem = f"Repair cannot repair the answers of several {what} as one"
                raise SpecError(problem, hint=f"write {part.__name__}(Repair(...))")

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        results = self.inner.run(tasks, model)
        return [_repaired(task, result, self) for task, result in zip(tasks, results, strict=True)]


def _repaired(task: Task[T], result: Result[T], how: Repair) -> Result[T]:
    if result.ok or result.status == "rejected" or not result.text:
        return result
    finish = result.attempts[-1].completion.finish_reason
    if finish == "refused":
        return result  # a filter may have stopped the answer anywhere
    from structout.parsing import repair  # imported late: its patterns take a while to compile

    ended = finish == "stop"
    if ended and result.status == "truncated":
        return result  # the document is whole, but steering that is not accepted wrote part of it
    fixed = repair(result.text, task.schema, how.policy, decimal=how.decimal, complete=ended)
    if fixed.ok:
        return replace(
            result,
            status="repaired",
            value=fixed.value,
            document=fixed.document,
            issues=(),
            edits=(*result.edits, *fixed.edits),
        )
    if result.status == "truncated":
        return result  # the truncation is the cause of all other issues
    return replace(result, document=fixed.document, issues=fixed.issues, edits=(*result.edits, *fixed.edits))
