"""Combinations of verifiers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from structout.errors import SpecError
from structout.models.base import Model
from structout.result import Result, Task
from structout.verifiers.base import Verdict, Verifier, lower


@dataclass(frozen=True, init=False)
class AllOf:
    """Accepts results that all of its verifiers accept.

    The verifiers run in order, each on the results that no earlier verifier rejected.
    """

    verifiers: tuple[Verifier, ...]

    def __init__(self, *verifiers: Verifier) -> None:
        object.__setattr__(self, "verifiers", _some(verifiers, "AllOf"))

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        return _in_turn(self.verifiers, tasks, results, model, lambda verdict: verdict.decision != "reject", _both)


@dataclass(frozen=True, init=False)
class AnyOf:
    """Accepts results that at least one of its verifiers accepts.

    The verifiers run in order, each on the results that no earlier verifier accepted. An accepting verdict overrules
    the issues and confidences of the others.
    """

    verifiers: tuple[Verifier, ...]

    def __init__(self, *verifiers: Verifier) -> None:
        object.__setattr__(self, "verifiers", _some(verifiers, "AnyOf"))

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        return _in_turn(self.verifiers, tasks, results, model, lambda verdict: verdict.decision != "accept", _either)


def _some(verifiers: tuple[Verifier, ...], name: str) -> tuple[Verifier, ...]:
    if not verifiers:
        raise SpecError(f"{name} got no verifiers", hint="give at least one")
    return verifiers


def _in_turn(
    verifiers: Sequence[Verifier],
    tasks: Sequence[Task[Any]],
    results: Sequence[Result[Any]],
    model: Model,
    is_open: Callable[[Verdict], bool],
    join: Callable[[Verdict, Verdict], Verdict],
) -> list[Verdict]:
    verdicts = list(verifiers[0].check(tasks, results, model))  # a copy, since the verifier may keep its list
    for verifier in verifiers[1:]:
        places = [place for place, verdict in enumerate(verdicts) if is_open(verdict)]
        if not places:
            break
        found = verifier.check([tasks[place] for place in places], [results[place] for place in places], model)
        for place, verdict in zip(places, found, strict=True):
            verdicts[place] = join(verdicts[place], verdict)
    return verdicts


def _both(one: Verdict, other: Verdict) -> Verdict:
    worse = min(one, other, key=lambda verdict: ("reject", "unsure", "accept").index(verdict.decision))
    together = _together(one, other)
    return replace(together, decision=worse.decision, score=min(one.score, other.score))


def _either(one: Verdict, other: Verdict) -> Verdict:
    better = max(one, other, key=lambda verdict: ("reject", "unsure", "accept").index(verdict.decision))
    together = _together(one, other)
    if better.decision == "accept":
        together = replace(together, issues=(), confidence=better.confidence)
    return replace(together, decision=better.decision, score=max(one.score, other.score))


def _together(one: Verdict, other: Verdict) -> Verdict:
    """The first verdict's decision and score, with the issues, attempts, confidences and spans of both."""
    return Verdict(
        one.decision,
        one.score,
        one.issues + other.issues,
        one.attempts + other.attempts,
        lower(one.confidence, other.confidence),
        {**one.spans, **other.spans},
    )
