"""The checks for authors: what is right passes, and each fault is named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from structout import (
    BestOf,
    Completion,
    Confident,
    Constrained,
    Grounded,
    Judge,
    Prompted,
    Reask,
    Repair,
    Scripted,
    Usage,
    Verdict,
    Verify,
)
from structout.strategies import Cascade, Draft, Think, Vote
from structout.testing import check_model, check_strategy, check_verifier

YES = Verdict("accept", 1.0)


@pytest.mark.parametrize(
    "strategy",
    [
        Prompted(),
        Reask(Repair(Prompted(examples=1)), limit=2),
        Cascade(Prompted(), Constrained()),
        Verify(Repair(Constrained()), Grounded()),
        BestOf(Repair(Constrained(temperature=1.0)), n=2, by="first_valid"),
        Vote(Constrained(), n=3),
        Draft(Constrained()),
        Think(Prompted()),
    ],
    ids=lambda one: type(one).__name__,
)
def test_our_own_strategies_pass(strategy: Any) -> None:
    check_strategy(strategy)


@pytest.mark.parametrize("verifier", [Grounded(), Judge(), Confident()], ids=lambda one: type(one).__name__)
def test_our_own_verifiers_pass(verifier: Any) -> None:
    check_verifier(verifier)


@dataclass(frozen=True)
class Broken:
    """A strategy that does one thing wrong."""

    how: str

    def run(self, tasks: Sequence[Any], model: Any) -> Any:
        results = Prompted().run(tasks, model)
        if self.how == "loses a task":
            return results[:-1]
        if self.how == "turns them around":
            return results[::-1]
        if self.how == "hides a call":
            return [replace(one, attempts=()) for one in results]
        if self.how == "invents a value":
            return [replace(one, status="valid", value={"kind": "round"}) for one in results]
        if self.how == "is silent":
            return [replace(one, issues=()) for one in results]
        if self.how == "returns a tuple":
            return tuple(results) if tasks else []
        if self.how == "asks nobody's question":
            model.complete([])
            return results if tasks else [None]
        raise ValueError(self.how)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("loses a task", "5 results for 6 tasks"),
        ("turns them around", "in the order of the tasks"),
        ("hides a call", "called 6 times, but the results hold 0 calls"),
        ("invents a value", "has a value that does not comply"),
        ("is silent", "without an issue that says why"),
        ("returns a tuple", "must return a list"),
        ("asks nobody's question", "an empty list for no tasks"),
    ],
)
def test_a_fault_of_a_strategy_is_named(how: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_strategy(Broken(how))


@dataclass(frozen=True)
class Checks:
    verdicts: Any

    def check(self, tasks: Sequence[Any], results: Sequence[Any], model: Any) -> Any:
        return self.verdicts(results)


def by_batch(results: Sequence[Any]) -> list[Verdict]:
    return [YES if len(results) > 1 else Verdict("unsure", 0.5) for _ in results]


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        (lambda results: [YES], "an empty list for no results"),
        (lambda results: [YES] * min(len(results), 1), "1 verdicts for 3 results"),
        (lambda results: [True for _ in results], "must return verdicts"),
        (lambda results: [Verdict("accept", 7.0) for _ in results], "invalid score 7.0"),
        (lambda results: [Verdict("reject", 0.0) for _ in results], "must say why"),
        (by_batch, "must depend on its own result only"),
    ],
)
def test_a_fault_of_a_verifier_is_named(verdicts: Any, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_verifier(Checks(verdicts))


def test_models_are_checked() -> None:
    check_model(Scripted("yes"))
    with pytest.raises(AssertionError, match="needs a name"):
        check_model(3)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="the name must not be empty"):
        check_model(Scripted("yes", name=""))
    with pytest.raises(AssertionError, match="returned a Completion whose usage has seconds nan"):
        check_model(Scripted(lambda prompt: Completion("yes", Usage(seconds=float("nan")))))
    with pytest.raises(AssertionError, match="without a reason"):
        check_model(Scripted(lambda prompt: Completion("", finish_reason="refused")))
