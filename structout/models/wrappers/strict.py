"""A wrapper that enforces the contract of a model."""

from collections.abc import Sequence
from dataclasses import fields, replace
from math import isfinite
from numbers import Integral, Real
from typing import Any, get_args

from structout.completion import Completion, FinishReason, Prompt, Usage, amounts
from structout.errors import ModelError, SpecError, StructoutError
from structout.models.base import Model, PartialAnswerError
from structout.models.load import load_model
from structout.models.wrappers.base import Wrapper

_OWED = "return a list with one Completion per prompt from complete(prompts), in their order, each with its text"
_REASONS = get_args(FinishReason)
_USAGE = tuple(one.name for one in fields(Usage))
_KINDS: tuple[Any, ...] = tuple(type(one.default) for one in fields(Usage))
_NUMBERS = (
    "give finite counts and seconds not below 0, log-probabilities not above 0, and None for unknown log-probabilities"
)


class Strict(Wrapper):
    """Wraps a user's model and checks its answers.

    Any error that the model raises, and any return value other than one completion per prompt, becomes a `ModelError`.
    Impossible numbers become a `PartialAnswerError`, which keeps the other completions of the batch, before a budget or
    a verifier uses the numbers.
    """

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        try:
            found = self.inner.complete(prompts)
        except StructoutError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".split("\n")[0]
            raise ModelError(f"{self.name} failed: {reason}", hint="fix the model, or the service behind it") from error
        if problem := _problem(found, len(prompts)):
            raise ModelError(f"{self.name} returned {problem}", hint=_OWED)
        wrong = [wrong_numbers(one) for one in found]
        if any(wrong):
            kept = [None if problem else one for one, problem in zip(found, wrong, strict=True)]
            problem = next(filter(None, wrong))
            raise PartialAnswerError(f"{self.name} returned a Completion whose {problem}", kept, hint=_NUMBERS)
        return [_plain(one) for one in found]


def model_of(given: Model | str) -> Strict:
    """The given or named model, wrapped in `Strict`.

    Raises `SpecError` if `given` is not a model, and the errors of `load_model`.
    """
    model = load_model(given) if isinstance(given, str) else given
    if not isinstance(model, Model) or isinstance(model, type):
        hint = "give a name, or an object with a `name` and `complete(prompts) -> completions`"
        raise SpecError(f"invalid model: got {given!r}", hint=hint)
    return Strict(model)


def _problem(found: Any, wanted: int) -> str:
    """What is wrong with a model's return value; empty if it is valid."""
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
    """What is wrong with a completion's numbers and other fields besides its text; empty if they are valid."""
    if not isinstance(one.usage, Usage):
        return f"usage is {type(one.usage).__name__}"
    counts = amounts(one.usage)
    if tuple(map(type, counts)) != _KINDS or min(counts) < 0 or not isfinite(sum(counts)):
        for name, number in zip(_USAGE, counts, strict=True):
            if not isinstance(number, Real) or not isfinite(number) or number < 0:
                return f"usage has {name} {number!r}"
    if one.finish_reason not in _REASONS:
        return f"finish_reason is {one.finish_reason!r}"
    if not isinstance(one.refusal, str):
        return f"refusal is {one.refusal!r:.60}"
    if not isinstance(one.version, str):
        return f"version is {one.version!r:.60}"
    if not _are_spans(one.steered):
        return f"steered is {one.steered!r:.60}"
    if one.logprobs is None:
        extra = [name for name in ("values", "ends") if getattr(one, name) is not None]
        return f"{extra[0]} are given without logprobs" if extra else ""
    if not isinstance(one.logprobs, Sequence) or isinstance(one.logprobs, str | bytes):
        return f"logprobs are {type(one.logprobs).__name__}"
    odd = [logprob for logprob in one.logprobs if not isinstance(logprob, Real) or not logprob <= 0]
    if odd:
        return f"logprobs have {odd[0]!r}"
    for name in ("values", "ends"):
        given = getattr(one, name)
        if given is not None and len(given) != len(one.logprobs):
            return f"{name} are {len(given)} for {len(one.logprobs)} logprobs"
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
    """The completion with Python's own numbers: numpy's numbers cannot be written as JSON."""
    counts = amounts(one.usage)
    if one.logprobs is None and not one.steered and tuple(map(type, counts)) == _KINDS:
        return one
    usage = Usage(*(kind(count) for kind, count in zip(_KINDS, counts, strict=True)))
    return replace(
        one,
        usage=usage,
        logprobs=None if one.logprobs is None else tuple(map(float, one.logprobs)),
        values=None if one.values is None else tuple(map(bool, one.values)),
        ends=None if one.ends is None else tuple(map(int, one.ends)),
        steered=tuple((int(first), int(last)) for first, last in one.steered),
    )
