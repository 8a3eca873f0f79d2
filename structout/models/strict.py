"""A model that is held to what a model must do."""

from collections.abc import Sequence
from typing import Any

from structout.completion import Completion, Prompt
from structout.errors import ModelError, SpecError, StructoutError
from structout.models.base import Model
from structout.models.load import load_model
from structout.models.wrapper import Wrapper

_OWED = "complete(prompts) returns a list with one Completion a prompt, in their order, each with its text"


class Strict(Wrapper):
    """Wraps a model of whoever's making: whatever it raises, and all that it returns but one completion a prompt, is a
    `ModelError` that says so.
    """

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        try:
            found = self.inner.complete(prompts)
        except StructoutError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".split("\n")[0]
            raise ModelError(f"{self.name} failed: {reason}", hint="mend the model, or what it runs on") from error
        if problem := _problem(found, len(prompts)):
            raise ModelError(f"{self.name} returned {problem}", hint=_OWED)
        return list(found)


def model_of(given: Model | str) -> Strict:
    """The model that is given or named, held to what it must do.

    Raises `SpecError` for what is none, and whatever `load_model` does.
    """
    model = load_model(given) if isinstance(given, str) else given
    if not isinstance(model, Model) or isinstance(model, type):
        hint = "give a name, or an object with a `name` and `complete(prompts) -> completions`"
        raise SpecError(f"{given!r} is no model", hint=hint)
    return Strict(model)


def _problem(found: Any, wanted: int) -> str:
    """What is wrong with what a model returned; empty if nothing is."""
    if not isinstance(found, Sequence) or isinstance(found, str | bytes):
        return f"{type(found).__name__}, not a list"
    if len(found) != wanted:
        return f"{len(found)} completions for {wanted} prompts"
    odd = [type(one).__name__ for one in found if not isinstance(one, Completion)]
    if odd:
        return f"{odd[0]} among its completions"
    odd = [type(one.text).__name__ for one in found if not isinstance(one.text, str)]
    return f"a Completion whose text is {odd[0]}" if odd else ""
