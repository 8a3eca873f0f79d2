"""A model that is held to what a model must do."""

from collections.abc import Sequence
from dataclasses import fields, replace
from math import isfinite
from numbers import Integral, Real
from typing import Any, get_args

from structout.completion import Completion, FinishReason, Prompt, Usage
from structout.errors import ModelError, SpecError, StructoutError
from structout.models.base import Model, PartialAnswerError
from structout.models.load import load_model
from structout.models.wrappers.base import Wrapper

_OWED = "complete(prompts) returns a list with one Completion a prompt, in their order, each with its text"
_USAGE: dict[str, Any] = {one.name: type(one.default) for one in fields(Usage)}
_NUMBERS = (
    "counts and seconds are finite and not below 0, log-probabilities are not above 0; None says what is not known"
)


class Strict(Wrapper):
    """Wraps a model of whoever's making: whatever it raises, and all that it returns but one completion a prompt, is a
    `ModelError` that says so. So are numbers that cannot be, before a budget or a verifier believes them; the other
    completions of the batch are kept.
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
        wrong = [wrong_numbers(one) for one in found]
        if any(wrong):
            kept = [None if problem else one for one, problem in zip(found, wrong, strict=True)]
            problem = next(filter(None, wrong))
            raise PartialAnswerError(f"{self.name} returned a Completion whose {problem}", kept, hint=_NUMBERS)
        return [_plain(one) for one in found]


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


def wrong_numbers(one: Completion) -> str:
    """What is wrong with a completion beside its text: numbers that cannot be; empty if nothing is."""
    if not isinstance(one.usage, Usage):
        return f"usage is {type(one.usage).__name__}"
    for field in fields(Usage):
        number = getattr(one.usage, field.name)
        if not isinstance(number, Real) or not isfinite(number) or number < 0:
            return f"usage has {field.name} {number!r}"
    if one.finish_reason not in get_args(FinishReason):
        return f"finish_reason is {one.finish_reason!r}"
    if not isinstance(one.refusal, str):
        return f"refusal is {one.refusal!r:.60}"
    if not _are_spans(one.steered):
        return f"steered is {one.steered!r:.60}"
    if one.logprobs is None:
        beside = [name for name in ("values", "ends") if getattr(one, name) is not None]
        return f"{beside[0]} are there without logprobs" if beside else ""
    if not isinstance(one.logprobs, Sequence) or isinstance(one.logprobs, str | bytes):
        return f"logprobs are {type(one.logprobs).__name__}"
    odd = [told for told in one.logprobs if not isinstance(told, Real) or not told <= 0]
    if odd:
        return f"logprobs have {odd[0]!r}"
    for name in ("values", "ends"):
        told = getattr(one, name)
        if told is not None and len(told) != len(one.logprobs):
            return f"{name} are {len(told)} for {len(one.logprobs)} logprobs"
    if any(not isinstance(end, Integral) or int(end) < 0 for end in one.ends or ()):
        return f"ends are {one.ends!r:.60}"
    return ""


def _are_spans(steered: Any) -> bool:
    return isinstance(steered, Sequence) and all(
        isinstance(span, Sequence)
        and len(span) == 2
        and all(isinstance(end, Integral) and int(end) >= 0 for end in span)
        for span in steered
    )


def _plain(one: Completion) -> Completion:
    """A completion of Python's own numbers: those of numpy cannot be written as JSON."""
    usage = Usage(**{name: kind(getattr(one.usage, name)) for name, kind in _USAGE.items()})
    return replace(
        one,
        usage=usage,
        logprobs=None if one.logprobs is None else tuple(map(float, one.logprobs)),
        values=None if one.values is None else tuple(map(bool, one.values)),
        ends=None if one.ends is None else tuple(map(int, one.ends)),
        steered=tuple((int(first), int(last)) for first, last in one.steered),
    )
