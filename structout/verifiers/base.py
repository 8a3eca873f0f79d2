"""The protocol of verifiers, and the verdicts that they give."""

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
    """A verifier's judgement of one result: a decision, and a score in [0, 1] that grows with the verifier's trust.

    `issues` are the verifier's objections; `attempts` are the model calls that it made. `confidence` is its trust in
    single leaves and `spans` are their places in the record, both by JSON Pointer and optional.
    """

    decision: Decision
    score: float
    issues: tuple[Issue, ...] = ()
    attempts: tuple[Attempt, ...] = field(default=(), repr=False)
    confidence: Mapping[str, float] = field(default_factory=dict)
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def usage(self) -> Usage:
        """The usage of all attempts."""
        return sum((attempt.completion.usage for attempt in self.attempts), Usage())


def lower(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """The lower confidence in each leaf."""
    return {**one, **{place: min(value, one.get(place, 1.0)) for place, value in other.items()}}


@runtime_checkable
class Verifier(Protocol):
    """Takes tasks with their results, and returns exactly one verdict each, in the same order. Bad data never raises.

    A verifier gets only results that are `ok`. `model` is the model of the run, which an enclosing `On` may have
    replaced; a verifier may ask it, ask another model, or ask no model. Verifiers are frozen dataclasses; `files()` and
    `version` work as in strategies.

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
    """Raise `SpecError` for a threshold outside [0, 1]."""
    if not 0 <= threshold <= 1:  # NaN raises too
        raise SpecError(f"invalid threshold: got {threshold}", hint="give a number from 0 to 1")


def verify(
    verifier: Verifier, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model
) -> list[Verdict]:
    """A verdict on each result. A result without a value is rejected for its own issues; the verifier is not asked."""
    verdicts = [Verdict("reject", 0.0, result.issues) for result in results]
    places = [place for place, result in enumerate(results) if result.ok]
    if places:
        found = verifier.check([tasks[place] for place in places], [results[place] for place in places], model)
        for place, verdict in zip(places, found, strict=True):
            verdicts[place] = verdict
    return verdicts
