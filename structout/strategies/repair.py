"""Post-processing: mend what a model answered, without asking it again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from structout.models.base import Model
from structout.parsing import Decimal, Policy
from structout.result import Result, Task
from structout.strategies.base import Strategy, check_fields

T = TypeVar("T")


@dataclass(frozen=True)
class Repair:
    """Mend what `inner` could not use. `policy` says which edits are accepted: only lossless ones by default.

    `decimal` names the sign that marks decimals in numbers written as text: without it `"1,200"` is ambiguous.
    """

    inner: Strategy
    policy: Policy = "lossless"
    decimal: Decimal | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        results = self.inner.run(tasks, model)
        return [_mend(task, result, self) for task, result in zip(tasks, results, strict=True)]


def _mend(task: Task[T], result: Result[T], how: Repair) -> Result[T]:
    if result.ok or result.status == "rejected" or not result.text:
        return result
    from structout.parsing import repair  # here, since its patterns take a while to compile

    ended = result.attempts[-1].completion.finish_reason == "stop"
    if ended and result.status == "truncated":
        return result  # it is whole, and set aside for what the token limit had written in it
    mended = repair(result.text, task.schema, how.policy, decimal=how.decimal, complete=ended)
    if mended.ok:
        return replace(
            result,
            status="repaired",
            value=mended.value,
            document=mended.document,
            issues=(),
            edits=(*result.edits, *mended.edits),
        )
    if result.status == "truncated":
        return result  # that it was cut off is the reason; what else is wrong follows from it
    return replace(result, document=mended.document, issues=mended.issues, edits=(*result.edits, *mended.edits))
