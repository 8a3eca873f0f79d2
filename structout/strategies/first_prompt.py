"""Previews of the first prompt that a strategy sends."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from structout import defaults
from structout.completion import Completion, Prompt, Sampling
from structout.errors import SpecError
from structout.models.base import Model
from structout.models.lazy import LazyModel
from structout.models.tuning import Tuning
from structout.result import Example, Task
from structout.schema import Schema
from structout.strategies.base import Strategy
from structout.strategies.expression import spec, strategy_of
from structout.strategies.parts import with_models


def preview(
    text: str,
    schema: Any,
    strategy: Strategy | str = defaults.STRATEGY,
    *,
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
    model: Model | None = None,
) -> Prompt:
    """The first prompt that a strategy would send for a text, exactly as the strategy would send it.

    No model is asked, neither `model` nor a model within the strategy; `model` only provides the prompt form that it
    was fine-tuned with. Raises `SpecError` for a strategy that sends no prompt.
    """
    task: Task[Any] = Task(text, Schema.of(schema), tuple(examples), sampling or Sampling())
    return first_call(strategy_of(strategy), task, model)[0]


def first_call(strategy: Strategy, task: Task[Any], model: Model | None) -> tuple[Prompt, Model | None]:
    """The first prompt that a strategy sends for a task, and the model to which it sends the prompt."""
    try:
        with_models(strategy, _Stop).run([task], _Stop(model))
    except _AskedError as asked:
        return asked.prompt, asked.model
    raise SpecError(f"{spec(strategy)} sends no prompt", hint="preview a strategy that asks a model")


class _AskedError(BaseException):
    """Carries a prompt out of a strategy, past whatever the strategy catches."""

    def __init__(self, prompt: Prompt, model: Model | None) -> None:
        super().__init__()
        self.prompt, self.model = prompt, model


class _Stop:
    """Stands for a model and stops at the first question."""

    def __init__(self, model: Model | None) -> None:
        self._model = model
        self.name = model.name if model is not None else "preview"
        self.tuning = _tuning(model)

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        if not prompts:
            return []
        raise _AskedError(prompts[0], self._model)


def _tuning(model: Model | None) -> Any:
    """The tuning of a model. The tuning of a lazy model is read from its folder, so that the model is not loaded."""
    kind, _, place = model.name.partition(":") if isinstance(model, LazyModel) else ("", "", "")
    if kind in ("", "py"):
        return None if isinstance(model, LazyModel) else getattr(model, "tuning", None)
    return Tuning.read(Path(place)) if kind == "path" else None
