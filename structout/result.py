"""What is asked for and what came of it: a `Task` in, a `Result` out, with every attempt that was paid for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

from structout.completion import Completion, Message, Prompt, Sampling, Usage
from structout.document import Json
from structout.errors import StructoutError
from structout.issue import Issue
from structout.parsing import Edit
from structout.schema import Schema

T = TypeVar("T")

Status = Literal[
    "valid",  # the text as produced was a compliant document
    "repaired",  # it took edits
    "rejected",  # valid, but a verifier refused it
    "invalid",  # no compliant document could be had
    "truncated",  # the token limit cut the answer off
]


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled record: its text, and the document that it should become."""

    text: str
    document: Json


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """One record to turn into a document of `schema`.

    `examples` are labelled records that a strategy may show to the model; `sampling` is how to sample unless the
    strategy says otherwise; `turns` is what was said since the first prompt (a re-ask adds the last answer and its
    issues); `sample` tells apart several answers to one task; `wording` puts the instructions in other words.
    """

    text: str
    schema: Schema[T]
    examples: tuple[Example, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    turns: tuple[Message, ...] = ()
    sample: int = 0
    wording: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of a model: who was asked, what, and the answer."""

    model: str
    prompt: Prompt
    completion: Completion


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """What came of one task. `value` is set only if the result is `ok`; `document` is the JSON behind it.

    `edits` names what repair changed and, in an answer that is `valid` too, what the token limit had written against
    the model's own choice (`steered`). `attempts` holds every call that was paid for to get it, the failed ones too,
    `checks` those that verifiers made, and `usage` is the sum of both. `confidence` says how sure each leaf is, in
    [0, 1] by JSON Pointer, where the strategy tells: it ranks leaves, and is no probability until it was calibrated on
    labelled records (`structout.evaluation.calibrate`). `spans` says where in the record (characters, first and after
    the last) a leaf was found, where a verifier looked.
    """

    status: Status
    value: T | None = None
    document: Json = None
    issues: tuple[Issue, ...] = ()
    edits: tuple[Edit, ...] = ()
    attempts: tuple[Attempt, ...] = field(default=(), repr=False)
    checks: tuple[Attempt, ...] = field(default=(), repr=False)
    confidence: Mapping[str, float] = field(default_factory=dict, repr=False)
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the value can be used: valid as produced, or repaired within the policy."""
        return self.status in ("valid", "repaired")

    @property
    def usage(self) -> Usage:
        return self.generation + self.verification

    @property
    def generation(self) -> Usage:
        """What it cost to get the answers."""
        return sum((attempt.completion.usage for attempt in self.attempts), Usage())

    @property
    def verification(self) -> Usage:
        """What it cost to check them."""
        return sum((check.completion.usage for check in self.checks), Usage())

    def after(self, *earlier: "Result[Any]") -> "Result[T]":
        """This result, charged also with what `earlier` ones for the same task cost."""
        attempts = sum((result.attempts for result in earlier), ())
        checks = sum((result.checks for result in earlier), ())
        return replace(self, attempts=attempts + self.attempts, checks=checks + self.checks)

    @property
    def text(self) -> str:
        """The model's last answer, as produced."""
        return self.attempts[-1].completion.text if self.attempts else ""

    def unwrap(self) -> T:
        """The value; raises `InvalidResultError`, which holds this result with all its attempts, if there is none."""
        if not self.ok:
            raise InvalidResultError(self)
        return self.value  # type: ignore[return-value]  # None only where the schema's own value is None


class InvalidResultError(StructoutError):
    """A value was asked of a result that has none. `result` tells what was tried."""

    def __init__(self, result: Result[Any]) -> None:
        tried = "".join(
            f"\n  attempt {i} ({a.model}, {a.completion.finish_reason}): {a.completion.text[:300]!r}"
            for i, a in enumerate(result.attempts, 1)
        )
        issues = "; ".join(map(str, result.issues)) or result.status
        super().__init__(f"{result.status}: {issues}{tried}")
        self.result = result
