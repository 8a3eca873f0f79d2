"""The protocol of strategies, and helpers that strategies share."""

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
    """Takes tasks, and returns exactly one result each, in the same order. Bad data never raises: it makes issues.

    Strategies are frozen dataclasses that wrap one another. A strategy that depends on files lists them in a method
    `files()`. A `version` identifies the code of a strategy; without a `version`, the content of its file does.

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
    """Raise `SpecError` if a field of a strategy has the wrong type; for use in `__post_init__`."""
    if problem := misfit(strategy):
        name = type(strategy).__name__
        hint = f"see help(structout.{name})"
        if problem.endswith("expected Strategy"):
            hint += "; use load_strategy to read a strategy from text"
        raise SpecError(f"{name}: {problem}", hint=hint)


def judge(task: Task[T], attempt: Attempt, steering: Policy = "any") -> Result[T]:
    """The result of one answer as produced: `valid`, `truncated` or `invalid`.

    Text that the token limit forced against the model's own choice is among the result's edits. `steering` says which
    of these edits are accepted; an answer with other edits is `truncated`, as it would be without them.
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
    # The token limit may have cut digits off a number; a document with a closing character is whole.
    if checked.ok and not (cut_off and completion.text.strip()[-1:] not in ("}", "]", '"')):
        confidence = _confidence(task, completion)
        return Result("valid", checked.value, checked.document, (), edits, (attempt,), confidence=confidence)
    if cut_off:
        issue = Issue("", "truncated", f"the answer was cut off at {limit} tokens")
        return Result("truncated", None, checked.document, (issue, *checked.issues), edits, (attempt,))
    return Result("invalid", None, checked.document, checked.issues, edits, (attempt,))


def _confidence(task: Task[Any], completion: Completion) -> dict[str, float]:
    """The probability of each leaf under the unconstrained model, given the text before it."""
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
    """Run `strategy` again on the tasks whose results are `wanted`, as one smaller batch; keep the other results.

    The new results include the cost of the old ones.
    """
    places = [place for place, result in enumerate(results) if wanted(result)]
    outcome = list(results)
    if places:
        again = strategy.run([tasks[place] for place in places], model)
        for place, new in zip(places, again, strict=True):
            outcome[place] = new.after(outcome[place])
    return outcome
