"""One model call a task: asked by prompt alone, or held to the schema while the answer is sampled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args

from structout.completion import Prompt, Sampling
from structout.errors import SpecError
from structout.models.base import Model
from structout.prompts import Format, Show, compose
from structout.result import Attempt, Result, Task
from structout.strategies.base import judge

T = TypeVar("T")


@dataclass(frozen=True)
class Prompted:
    """Ask for the document in words.

    `examples` is how many of the task's labelled examples are shown; `show` is the form in which the schema is shown;
    `format` is the language asked for (YAML is never compliant as it is produced: wrap it in `Repair`);
    `temperature` and `max_tokens` go before the task's own.
    """

    examples: int = 0
    show: Show = "typescript"
    format: Format = "json"
    temperature: float | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        _check(self)
        if self.format not in get_args(Format):
            raise SpecError(f"no format is called {self.format!r}", hint=f"give {', '.join(get_args(Format))}")

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        return _ask(self, tasks, model, constrained=False)


@dataclass(frozen=True)
class Constrained:
    """Ask in words and sample only what the schema's grammar admits. What is produced is validated all the same."""

    examples: int = 0
    show: Show = "typescript"
    temperature: float | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        _check(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        return _ask(self, tasks, model, constrained=True)


def _check(strategy: Prompted | Constrained) -> None:
    if strategy.examples < 0:
        raise SpecError(f"examples is {strategy.examples}", hint="give 0 or more")
    if strategy.show not in get_args(Show):
        raise SpecError(f"a schema cannot be shown as {strategy.show!r}", hint=f"give {', '.join(get_args(Show))}")
    _sampling(strategy, Sampling())


def _sampling(strategy: Prompted | Constrained, default: Sampling) -> Sampling:
    own: dict[str, Any] = {"temperature": strategy.temperature, "max_tokens": strategy.max_tokens}
    return replace(default, **{name: value for name, value in own.items() if value is not None})


def _ask(
    strategy: Prompted | Constrained, tasks: Sequence[Task[T]], model: Model, *, constrained: bool
) -> list[Result[T]]:
    answer_format: Format = strategy.format if isinstance(strategy, Prompted) else "json"
    prompts = [
        Prompt(
            compose(task, task.examples[: strategy.examples], show=strategy.show, answer_format=answer_format),
            _sampling(strategy, task.sampling),
            task.schema if constrained else None,
            task.sample,
        )
        for task in tasks
    ]
    completions = model.complete(prompts)
    return [
        judge(task, Attempt(model.name, prompt, completion))
        for task, prompt, completion in zip(tasks, prompts, completions, strict=True)
    ]
