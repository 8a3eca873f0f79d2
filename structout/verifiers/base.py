"""Who checks: a verifier says of each result whether to trust it, why not, and what it cost to find out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from structout.completion import Usage
from structout.errors import SpecError
from structout.issue import Issue
from structout.models.base import Model
from structout.result import Attempt, Result, Task

Decision = Literal["accept", "reject", "unsure"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier makes of one result: a decision, and a score in [0, 1] that grows with its trust.

    `issues` say what it holds against the result; `attempts` are the model calls that it made; `confidence` is its
    trust in single leaves and `spans` where in the record it found them, both by JSON Pointer, where it tells.
    """

    decision: Decision
    score: float
    issues: tuple[Issue, ...] = ()
    attempts: tuple[Attempt, ...] = field(default=(), repr=False)
    confidence: Mapping[str, float] = field(default_factory=dict)
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def usage(self) -> Usage:
        return sum((attempt.completion.usage for attempt in self.attempts), Usage())


def lower(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Of two confidences in a leaf the lower."""
    return {**one, **{place: min(value, one.get(place, 1.0)) for place, value in other.items()}}


@runtime_checkable
class Verifier(Protocol):
    """Tasks with their results in; exactly one verdict each, in the same order, out. Bad data never raises.

    Only results that are `ok` come in. `model` is the run's own, which an `On` within the strategy may have replaced: a
    verifier may ask it, another one, or none. Verifiers are frozen dataclasses, with `files()` and `version` as
    strategies.

        @dataclass(frozen=True)
        class HasDigits:
            least: int = 1

            def check(self, tasks, results, model):
                counts = [sum(char.isdigit() for char in result.text) for result in results]
                why = (Issue("", "rejected", f"fewer than {self.least} digits"),)
                return [Verdict("accept", 1.0) if n >= self.least else Verdict("reject", 0.0, why) for n in counts]

        structout.testing.check_verifier(HasDigits(least=1))
    """

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]: ...


def check_threshold(threshold: float) -> None:
    """Raises `SpecError` for a threshold that no score can lie on."""
    if not 0 <= threshold <= 1:  # nor is NaN
        raise SpecError(f"threshold is {threshold}", hint="give a number from 0 to 1")


def verify(
    verifier: Verifier, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model
) -> list[Verdict]:
    """A verdict on each result. One that has no value is refused for the issues that it has, which costs nothing."""
    verdicts = [Verdict("reject", 0.0, result.issues) for result in results]
    places = [place for place, result in enumerate(results) if result.ok]
    if places:
        found = verifier.check([tasks[place] for place in places], [results[place] for place in places], model)
        for place, verdict in zip(places, found, strict=True):
            verdicts[place] = verdict
    return verdicts
