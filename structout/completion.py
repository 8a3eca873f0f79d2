"""What passes between strategies and models: a prompt there, a completion back, and what it cost."""

import hashlib
import json
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from types import NoneType
from typing import Any, Literal

from structout.errors import SpecError
from structout.schema import Schema

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "refused", "stuck"]
_REAL, _WHOLE = (int, float, Real), (int, Integral)  # numpy's numbers are such too
_NUMBERS: tuple[tuple[str, tuple[type, ...]], ...] = (
    *(("temperature", _REAL), ("max_tokens", _WHOLE), ("seed", _WHOLE)),
    *((name, (NoneType, *_REAL)) for name in ("top_p", "min_p")),
    *((name, (NoneType, *_WHOLE)) for name in ("top_k", "repetitions")),
)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. Its content is data to every model: it never becomes a control token."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: greedy at temperature 0, else sampled from what `top_k`, `top_p` and `min_p` leave.

    `max_tokens` bounds the answer in tokens; `seed` makes sampling repeatable. A text in `stop` ends the answer, which
    then leaves it out. `repetitions` keeps a model out of loops: no run of tokens comes more often than that in a row.
    Raises `SpecError`.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    max_tokens: int = 512
    seed: int = 0
    min_p: float | None = None
    stop: tuple[str, ...] = ()
    repetitions: int | None = None

    def __post_init__(self) -> None:
        for name, kinds in _NUMBERS:
            value = getattr(self, name)
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise SpecError(f"{name} is {value!r}", hint=f"give a {'' if float in kinds else 'whole '}number")
        if not 0 <= self.temperature <= 100:
            raise SpecError(f"temperature is {self.temperature}", hint="give a number from 0 (greedy) up")
        if self.top_k is not None and self.top_k < 1:
            raise SpecError(f"top_k is {self.top_k}", hint="give 1 or more, or leave it out")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise SpecError(f"top_p is {self.top_p}", hint="give a share above 0, at most 1")
        if self.min_p is not None and not 0 < self.min_p <= 1:
            raise SpecError(f"min_p is {self.min_p}", hint="give a share above 0, at most 1")
        if not isinstance(self.stop, tuple | list) or not all(isinstance(one, str) and one for one in self.stop):
            raise SpecError(f"stop is {self.stop!r}", hint="give a tuple of texts, none of them empty")
        if self.repetitions is not None and self.repetitions < 1:
            raise SpecError(f"repetitions is {self.repetitions}", hint="give 1 or more, or leave it out")
        if self.max_tokens < 1:
            raise SpecError(f"max_tokens is {self.max_tokens}", hint="give 1 or more")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked: the conversation, how to sample, and the schema to hold the answer to, if any.

    `mask` is a JSON Schema that admits fewer documents than `constraint`: a model that can be held to it is held to it,
    and every answer is judged by the constraint all the same.
    `sample` tells apart several answers to one prompt: it is part of the seed and of the cache key.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    constraint: Schema[Any] | None = None
    sample: int = 0
    mask: Any = field(default=None, hash=False)

    def key(self) -> str:
        """A hash of all that the answer depends on, but for the model."""
        s = self.sampling
        content = [
            [[m.role, m.content] for m in self.messages],
            [s.temperature, s.top_k, s.top_p, s.max_tokens, s.seed],
            [s.min_p, s.stop, s.repetitions],
            self.constraint.fingerprint(self.mask) if self.constraint else None,
            self.sample,
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """What answers cost: model calls, tokens read and written, and seconds of the model's time.

    The seconds and forward passes of a batch are shared out among its answers, so that they add up to what was spent.
    Where the model tells: `reused_tokens` of the input were not computed again; `forced_tokens` of the output left no
    choice; `accepted_tokens` of the output were among the `drafted_tokens` that were guessed and checked;
    `model_seconds` and `mask_seconds` are those of `seconds` that forward passes and grammars took.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    reused_tokens: int = 0
    forced_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    passes: float = 0.0
    model_seconds: float = 0.0
    mask_seconds: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Usage)))


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer. `finish_reason` is `length` if the token limit cut it off, `refused` if the model could not
    take the prompt, `stuck` if the grammar allowed no token before the document was complete; `refusal` holds the
    reason for either.

    `logprobs` holds the natural logarithm of each output token's probability under the model without any
    constraint, where the model tells it. `values` tells which of the tokens carry values, where the output is JSON:
    the contents of strings, numbers and literals, but not keys and punctuation; `ends` then tells where in the text
    each token ends, in bytes of UTF-8. `steered` holds the stretches of the text, by their first character and the one
    after their last, that the model would have written otherwise, had they not been needed to end the document within
    the token limit; an empty one at the end says that it might have gone on.
    """

    text: str
    usage: Usage = field(default_factory=Usage)
    finish_reason: FinishReason = "stop"
    logprobs: tuple[float, ...] | None = None
    steered: tuple[tuple[int, int], ...] = ()
    refusal: str = ""
    values: tuple[bool, ...] | None = None
    ends: tuple[int, ...] | None = None

    @property
    def mean_logprob(self) -> float | None:
        return sum(self.logprobs) / len(self.logprobs) if self.logprobs else None

    @property
    def mean_value_logprob(self) -> float | None:
        """The mean over the tokens that carry values: keys and punctuation, near certain, would drown the doubt."""
        found = [logprob for logprob, value in zip(self.logprobs or (), self.values or (), strict=False) if value]
        return sum(found) / len(found) if found else None
