"""How we make it reliable: a strategy turns tasks into results."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from math import exp
from typing import Any, Protocol, TypeVar, runtime_checkable

from structout.completion import Completion
from structout.document import leaf_places
from structout.errors import SpecError
from structout.field_types import misfit
from structout.issue import Issue
from structout.models.base import Model
from structout.parsing import Policy, allows
from structout.result import Attempt, Result, Task
from structout.strategies.steering import steered_edits

T = TypeVar("T")


@runtime_checkable
class Strategy(Protocol):
    """Tasks in; exactly one result each, in the same order, out. Bad data never raises: it is a result with issues.

    Strategies are frozen dataclasses that wrap one another. A strategy that depends on files names them by a method
    `files()`. A `version` stands for the code of a strategy; without, the file that defines it counts.

        @dataclass(frozen=True)
        class Shortest:
            inner: Strategy
            n: int = 3

            def run(self, tasks, model):
                tries = [self.inner.run([replace(task, sample=n) for task in tasks], model) for n in range(self.n)]
                best = [min(results, key=lambda one: (not one.ok, len(one.text))) for results in zip(*tries)]
                return [one.after(*(t for t in tried if t is not one)) for one, *tried in zip(best, *tries)]

        structout.testing.check_strategy(Shortest(Repair(Prompted())))
    """

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]: ...


def check_fields(strategy: Any) -> None:
    """For the `__post_init__` of a strategy: raise `SpecError` where a field holds what it does not take."""
    if problem := misfit(strategy):
        name = type(strategy).__name__
        hint = f"see help(structout.{name}); load_strategy reads a strategy that is written as text"
        raise SpecError(f"{name}: {problem}", hint=hint)


def judge(task: Task[T], attempt: Attempt, steering: Policy = "any") -> Result[T]:
    """What one answer is worth as it was produced: `valid`, `truncated` or `invalid`.

    What the token limit had written in it, against the model's own choice, is among the result's edits, and `steering`
    says which of these are accepted; an answer with others is `truncated`, as it would have been without them.
    """
    completion = attempt.completion
    if completion.finish_reason == "refused":
        return Result("invalid", issues=(Issue("", "unanswered", completion.refusal),), attempts=(attempt,))
    if completion.finish_reason == "stuck":
        return Result("invalid", issues=(Issue("", "stuck", completion.refusal),), attempts=(attempt,))
    checked = task.schema.check_text(completion.text)
    edits = steered_edits(completion)
    cut_off = completion.finish_reason == "length"
    limit = attempt.prompt.sampling.max_tokens
    if checked.ok and not all(allows(steering, edit) for edit in edits):
        issue = Issue("", "truncated", f"the answer had to be ended to keep to {limit} tokens")
        return Result("truncated", None, checked.document, (issue,), edits, (attempt,))
    # A number may have lost digits to the token limit; a document that closes itself is whole.
    if checked.ok and not (cut_off and completion.text.strip()[-1:] not in ("}", "]", '"')):
        confidence = _confidence(task, completion)
        return Result("valid", checked.value, checked.document, (), edits, (attempt,), confidence=confidence)
    if cut_off:
        issue = Issue("", "truncated", f"the answer was cut off at {limit} tokens")
        return Result("truncated", None, checked.document, (issue, *checked.issues), edits, (attempt,))
    return Result("invalid", None, checked.document, checked.issues, edits, (attempt,))


def _confidence(task: Task[Any], completion: Completion) -> dict[str, float]:
    """How probable each leaf was under the model without constraint, given what was written before it."""
    if task.schema.language is not None or completion.logprobs is None or completion.ends is None:
        return {}
    ends, found = completion.ends, {}
    for place, (first, last) in leaf_places(completion.text).items():
        found[place] = exp(sum(completion.logprobs[bisect_right(ends, first) : bisect_left(ends, last) + 1]))
    return found


def rerun(
    tasks: Sequence[Task[T]],
    results: Sequence[Result[T]],
    strategy: Strategy,
    model: Model,
    wanted: Callable[[Result[Any]], bool],
) -> list[Result[T]]:
    """Run `strategy` on the tasks whose results are `wanted` again, as one smaller batch; keep the others.

    The new results also hold what the old ones cost.
    """
    places = [place for place, result in enumerate(results) if wanted(result)]
    outcome = list(results)
    if places:
        again = strategy.run([tasks[place] for place in places], model)
        for place, new in zip(places, again, strict=True):
            outcome[place] = new.after(outcome[place])
    return outcome
