"""Cheap first: later stages see only what the earlier ones could not do, on another model where it says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from structout.errors import SpecError
from structout.models.base import Model
from structout.models.lazy import LazyModel
from structout.result import Result, Task
from structout.strategies.base import Strategy, check_fields, rerun

T = TypeVar("T")


@dataclass(frozen=True, init=False)
class Cascade:
    """Run the first strategy on all tasks, the next one on those that it failed, and so on."""

    stages: tuple[Strategy, ...]

    def __init__(self, *stages: Strategy) -> None:
        if not stages:
            raise SpecError("a Cascade without stages", hint="give it at least one strategy")
        object.__setattr__(self, "stages", stages)
        check_fields(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        results = self.stages[0].run(tasks, model)
        for stage in self.stages[1:]:
            results = rerun(tasks, results, stage, model, lambda result: not result.ok)
        return results


@dataclass(frozen=True)
class On:
    """Run `inner` on another model: a `Model`, or the name of one, which is loaded once, when it is first needed."""

    model: Model | str
    inner: Strategy

    def __post_init__(self) -> None:
        if isinstance(self.model, str):
            object.__setattr__(self, "model", LazyModel(self.model))
        check_fields(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        return self.inner.run(tasks, cast("Model", self.model))
