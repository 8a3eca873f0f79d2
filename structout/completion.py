"""The messages between strategies and models: prompts, completions, and the usage of each call."""

import hashlib
import json
from dataclasses import dataclass, field, fields
from math import exp
from numbers import Integral, Real
from operator import add, attrgetter
from types import NoneType
from typing import Any, Literal

from structout.errors import SpecError
from structout.schema import Schema
from structout.schema.closing import closed

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "refused", "stuck"]
_REAL, _WHOLE = (int, float, Real), (int, Integral)  # numpy registers its numbers with these
_NUMBERS: tuple[tuple[str, tuple[type, ...]], ...] = (
    *(("temperature", _REAL), ("max_tokens", _WHOLE), ("seed", _WHOLE)),
    *((name, (NoneType, *_REAL)) for name in ("top_p", "min_p")),
    *((name, (NoneType, *_WHOLE)) for name in ("top_k", "repetitions")),
)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. Models treat the content as data: it never becomes a control token."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: greedily at temperature 0, else sampled from the tokens that the filters leave.

    The filters are `top_k`, `top_p` and `min_p`. `max_tokens` bounds the answer in tokens; `seed` makes sampling
    repeatable. A text in `stop` ends the answer and is left out of it. `repetitions` keeps a model out of loops: it is
    the most times in a row that a run of tokens may occur. Raises `SpecError` for an invalid setting.
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
                raise SpecError(
                    f"invalid {name}: got {value!r}", hint=f"give a {'' if float in kinds else 'whole '}number"
                )
        if not 0 <= self.temperature <= 100:
            raise SpecError(f"invalid temperature: got {self.temperature}", hint="give a number from 0 (greedy) to 100")
        if self.top_k is not None and self.top_k < 1:
            raise SpecError(f"invalid top_k: got {self.top_k}", hint="give 1 or more, or leave it out")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise SpecError(f"invalid top_p: got {self.top_p}", hint="give a share above 0 and at most 1")
        if self.min_p is not None and not 0 < self.min_p <= 1:
            raise SpecError(f"invalid min_p: got {self.min_p}", hint="give a share above 0 and at most 1")
        if not isinstance(self.stop, tuple | list) or not all(isinstance(one, str) and one for one in self.stop):
            raise SpecError(f"invalid stop: got {self.stop!r}", hint="give a tuple of non-empty texts")
        if self.repetitions is not None and self.repetitions < 1:
            raise SpecError(f"invalid repetitions: got {self.repetitions}", hint="give 1 or more, or leave it out")
        if self.max_tokens < 1:
            raise SpecError(f"invalid max_tokens: got {self.max_tokens}", hint="give 1 or more")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question to a model: the conversation, the sampling, and the schema that constrains the answer, if any.

    If the last message is the assistant's, it is the beginning of the answer, and a model whose attribute `continues`
    is true goes on from there: its completion holds the whole answer, and `max_tokens` bounds what the model adds.
    `mask` is a JSON Schema that admits fewer documents than `constraint`. A model that supports constraints is held to
    the mask; every answer is judged by the constraint. Objects of the mask hold declared keys only, unless the schema
    speaks of other keys or `open_objects` is set.
    `sample` numbers several answers to one prompt: the number is part of the seed and of the cache key.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    constraint: Schema[Any] | None = None
    sample: int = 0
    mask: Any = field(default=None, hash=False)
    open_objects: bool = False
    _key: list[str] = field(default_factory=list, init=False, repr=False, compare=False)  # once it is known

    @property
    def begun(self) -> str:
        """The beginning of the answer; "" if the model is to begin it."""
        return self.messages[-1].content if self.messages and self.messages[-1].role == "assistant" else ""

    @property
    def held_to(self) -> Any:
        """The JSON Schema for a model that takes one: the mask, with objects closed unless `open_objects` is set.

        None without a constraint.
        """
        if self.constraint is None:
            return None
        if self.mask is None:
            return self.constraint.json_schema if self.open_objects else self.constraint.closed
        return self.mask if self.open_objects else closed(self.mask)

    def key(self) -> str:
        """A hash of everything that the answer depends on, except the model."""
        if not self._key:
            self._key.append(self._hash())
        return self._key[0]

    def _hash(self) -> str:
        s = self.sampling
        content = [
            [[m.role, m.content] for m in self.messages],
            [s.temperature, s.top_k, s.top_p, s.max_tokens, s.seed],
            [s.min_p, s.stop, s.repetitions],
            self.constraint.fingerprint(self.mask) if self.constraint else None,
            self.sample,
            *(["open objects"] if self.open_objects else []),
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """The cost of answers: model calls, tokens read and written, and seconds of the model's time.

    The answers of a batch share its seconds and forward passes, so that the shares add up to the time spent. Some
    models report more: `reused_tokens` counts input tokens served from a cache, and `stored_tokens` the input tokens
    written to a provider's cache; `thinking_tokens` counts output tokens spent on thoughts; `forced_tokens` counts
    output tokens that the grammar left no choice about; `drafted_tokens` counts the tokens guessed ahead, and
    `accepted_tokens` the guesses kept in the output; `model_seconds` and `mask_seconds` are the parts of `seconds`
    spent on forward passes and on grammars. `estimated_tokens` counts the input and output tokens that nobody counted,
    and that are estimated at the most that they may be.
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
    thinking_tokens: int = 0
    stored_tokens: int = 0
    estimated_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*map(add, amounts(self), amounts(other)))


amounts = attrgetter(*(one.name for one in fields(Usage)))  # all amounts of a usage, in the order of its fields


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer.

    `finish_reason` is `length` if the token limit cut the answer off, `refused` if the model could not take the
    prompt, and `stuck` if the grammar allowed no token before the document was complete; `refusal` holds the reason for
    `refused` and `stuck`.

    `logprobs` holds the natural logarithm of each output token's probability under the unconstrained model, if the
    model reports them. For JSON output, `values` marks the tokens that carry values (the contents of strings, numbers
    and literals, but not keys and punctuation), and `ends` holds the offset in the text where each token ends, in bytes
    of UTF-8. `steered` holds the stretches of the text, as (first character, character after the last), that the token
    limit forced against the model's own choice, so that the document ends in time; an empty stretch at the end means
    that the model might have gone on. `version` is the version of the model that a server reports, with its fingerprint
    of the system.
    """

    text: str
    usage: Usage = field(default_factory=Usage)
    finish_reason: FinishReason = "stop"
    logprobs: tuple[float, ...] | None = None
    steered: tuple[tuple[int, int], ...] = ()
    refusal: str = ""
    values: tuple[bool, ...] | None = None
    ends: tuple[int, ...] | None = None
    version: str = ""

    @property
    def is_rejection(self) -> bool:
        """Whether the prompt was refused at no cost, so that it can be asked again once the cause is fixed."""
        return self.finish_reason == "refused" and not (self.usage.input_tokens or self.usage.output_tokens)

    @property
    def probability(self) -> float | None:
        """The probability of the whole text under the unconstrained model; None if the model reports none."""
        return exp(sum(self.logprobs)) if self.logprobs else None

    @property
    def mean_logprob(self) -> float | None:
        """The mean log-probability of the output tokens; None if the model reports none."""
        return sum(self.logprobs) / len(self.logprobs) if self.logprobs else None

    @property
    def mean_value_logprob(self) -> float | None:
        """The mean log-probability of the tokens that carry values; None without such tokens.

        Keys and punctuation are left out: they are nearly certain, and would hide doubt about the values.
        """
        found = [logprob for logprob, value in zip(self.logprobs or (), self.values or (), strict=False) if value]
        return sum(found) / len(found) if found else None
