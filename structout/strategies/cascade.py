"""Strategies that escalate: to a later stage, or to another model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from structout.errors import SpecError
from structout.models.base import Model
from structout.models.lazy import LazyModel
from structout.result import Result, Task
from structout.strategies.base import Strategy, check_fields, rerun

T = TypeVar("T")


@dataclass(frozen=True, init=False)
class Cascade:
    """Runs the first strategy on all tasks, the next strategy on the tasks that failed, and so on."""

    stages: tuple[Strategy, ...]

    def __init__(self, *stages: Strategy) -> None:
        if not stages:
            raise SpecError("Cascade got no stages", hint="give at least one strategy")
        object.__setattr__(self, "stages", stages)
        check_fields(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        results = self.stages[0].run(tasks, model)
        for stage in self.stages[1:]:
            results = rerun(tasks, results, stage, model, lambda result: not result.ok)
        return results


@dataclass(frozen=True)
class On:
    """Runs `inner` on another model: a `Model`, or the name of a model, which is loaded once at its first use."""

    model: Model | str
    inner: Strategy

    def __post_init__(self) -> None:
        if isinstance(self.model, str):
            object.__setattr__(self, "model", LazyModel(self.model))
        check_fields(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        return self.inner.run(tasks, cast("Model", self.model))


def first_asked(strategy: Any, model: Model) -> Model:
    """The model that a strategy asks first, if it is given `model`."""
    part = strategy
    while part is not None:
        model = cast("Model", part.model) if isinstance(part, On) else model
        part = part.stages[0] if isinstance(part, Cascade) else getattr(part, "inner", None)
    return model
