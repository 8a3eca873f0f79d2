"""The input and output of a strategy: a `Task`, and a `Result` with every attempt that was paid for."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic_core import to_jsonable_python

from structout import defaults, pages
from structout.completion import Completion, Message, Prompt, Sampling, Usage
from structout.document import Json, load_json, scalars
from structout.errors import StructoutError
from structout.issue import Issue
from structout.parsing import Edit
from structout.parsing.notices import notices
from structout.schema import Schema

T = TypeVar("T")

_RECORD = re.compile(r"<(record(?:-\d+)?)>\n(.*)\n</\1>", re.DOTALL)

# The last messages of prompts that ask for a part of an answer. They are not in `prompts.wording`, whose sentences
# every journal names, since they stand in these prompts only.
GO_ON: Final = (
    "That list goes on after what you see. Answer once more with one JSON document of the same form: begin this list "
    "with what you see, then write all items that follow it in the record, to the end of the record."
)
MISSED: Final = (
    "Read the record again. Answer with one JSON document of the same form whose lists hold only the items that this "
    "answer lacks. If a list lacks nothing, write an empty list."
)

Status = Literal[
    "valid",  # the model's text was a compliant document
    "repaired",  # the text became compliant after edits
    "rejected",  # compliant, but rejected by a verifier, or made of windows that contradict one another
    "invalid",  # not compliant, and repair could not help
    "truncated",  # the token limit cut the answer off
]


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled record: a text, and the document expected for it."""

    text: str
    document: Json


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """One record to turn into a document of `schema`.

    `examples` are labelled records that a strategy may show to the model. `sampling` is the sampling unless the
    strategy sets its own. `turns` holds the conversation since the first prompt: a re-ask adds the last answer and its
    issues. `sample` numbers several answers to one task, and `wording` selects another wording of the instructions.
    `edition` is the edition of the prompt.
    """

    text: str
    schema: Schema[T]
    examples: tuple[Example, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    turns: tuple[Message, ...] = ()
    sample: int = 0
    wording: int = 0
    edition: int = defaults.EDITION


@dataclass(frozen=True, slots=True)
class Attempt:
    """One model call: the model's name, the prompt, and the answer."""

    model: str
    prompt: Prompt
    completion: Completion


def of_windows(attempts: Sequence[Attempt]) -> bool:
    """Whether the attempts are about several windows of a text, so that the last answer is a part of the record."""
    return len(attempts) > 1 and len({_asked_about(attempt.prompt) for attempt in attempts}) > 1


def in_parts(attempts: Sequence[Attempt]) -> bool:
    """Whether an attempt gave a part of the record only: of a window, of the rest of a list, or of what was missed."""
    return of_windows(attempts) or any(one.prompt.messages[-1].content in (GO_ON, MISSED) for one in attempts[1:])


def answer_probability(attempts: Sequence[Attempt]) -> float | None:
    """The probability of the last answer as a whole; None if the model reports none, if several samples of one model
    were drawn, among which a strategy chose or voted, or if the attempts are about parts of the record.

    If different models gave the samples, as in an `Ensemble`, it is the mean of their probabilities of this answer,
    with 0 for a model that answered otherwise.
    """
    if not attempts or in_parts(attempts):
        return None
    last = {attempt.prompt.sample: attempt for attempt in attempts}.values()  # of each sample
    if len(last) == 1:
        return attempts[-1].completion.probability
    if len({attempt.model for attempt in last}) < len(last):
        return None
    answer = _canonical(attempts[-1].completion.text)
    agreeing = [one.completion for one in last if _canonical(one.completion.text) == answer]
    known = [one.probability for one in agreeing if one.probability is not None]
    return sum(known) / len(last) if len(known) == len(agreeing) else None


def _canonical(text: str) -> str:
    """The same text for answers that are equal JSON, in whatever layout and order of keys."""
    try:
        return json.dumps(load_json(text), sort_keys=True)
    except ValueError:
        return text


@dataclass(frozen=True, slots=True, repr=False)
class Result(Generic[T]):
    """The outcome of one task. `value` is set only if the result is `ok`; `document` is the JSON behind the value.

    `edits` holds the changes of repair; in any answer, a `valid` one too, it also holds the text that the token limit
    forced against the model's own choice (`steered`). `attempts` holds every call paid for to get the result, failed
    calls included; `checks` holds the calls of verifiers; `usage` is the sum of both. `confidence` maps the JSON
    Pointer of each leaf to a score in [0, 1], if the strategy gives scores: a score ranks leaves, and becomes a
    probability only by calibration on labelled records (`structout.evaluation.calibrate`). `spans` maps leaves to the
    places in the record where a verifier found them, as (first character, character after the last).
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
    def notices(self) -> tuple[Issue, ...]:
        """The values that comply and still look wrong, such as a control character inside a word."""
        if not self.ok:
            return ()
        read = "\n".join(one.completion.text for one in self.attempts) if in_parts(self.attempts) else self.text
        return notices(read, self.document)

    @property
    def usage(self) -> Usage:
        """The cost of the result: `generation` and `verification` together."""
        return self.generation + self.verification

    @property
    def generation(self) -> Usage:
        """The cost of the answers."""
        return sum((attempt.completion.usage for attempt in self.attempts), Usage())

    @property
    def verification(self) -> Usage:
        """The cost of checking the answers."""
        return sum((check.completion.usage for check in self.checks), Usage())

    def after(self, *earlier: "Result[Any]") -> "Result[T]":
        """This result with the calls of `earlier` results for the same task added to its own."""
        attempts = sum((result.attempts for result in earlier), ())
        checks = sum((result.checks for result in earlier), ())
        return replace(self, attempts=attempts + self.attempts, checks=checks + self.checks)

    @property
    def text(self) -> str:
        """The model's last answer, before any repair; "" if the model was not asked. If the record came of several
        answers, such as those for the windows of a long text, it is the last of them.
        """
        return self.attempts[-1].completion.text if self.attempts else ""

    def __repr__(self) -> str:
        what = f"{self.value!r:.200}" if self.ok else "; ".join(map(str, self.issues))[:200]
        calls = len(self.attempts) + len(self.checks)
        return f"Result({self.status}, {what}, {calls} call{'' if calls == 1 else 's'})"

    def _repr_html_(self) -> str:
        """The result in a notebook: the record with its values marked, then the values, the edits and the issues."""
        colour = "good" if self.status == "valid" else "doubtful" if self.ok else "bad"
        calls = self.usage.calls
        usage = (
            f"{calls:,} call{'' if calls == 1 else 's'}, {self.usage.input_tokens + self.usage.output_tokens:,} tokens"
        )
        parts = [f"<p>{pages.tag(self.status, colour)} <small>{usage}</small></p>"]
        # The value writes secrets as stars and leaves excluded fields out; the document would not.
        made = to_jsonable_python(self.value, by_alias=True, fallback=str) if self.ok else self.document
        record, values = _record(self.attempts), scalars(made)
        if record is not None:
            parts.append(pages.marked(record, dict(_places(record, values, self.spans))))
        if values:
            sure = [f"{self.confidence[place]:.2f}" if place in self.confidence else "" for place in values]
            lines = [
                [place or "(document)", str(one), how] for (place, one), how in zip(values.items(), sure, strict=True)
            ]
            heads = ["place", "value", "confidence"]
            keep = 3 if self.confidence else 2
            parts.append(pages.table(heads[:keep], [line[:keep] for line in lines[: pages.LINES]], "values"))
        if len(values) > pages.LINES:
            parts.append(f"<p><small>{len(values) - pages.LINES:,} more values</small></p>")
        parts.append(pages.lists({"edits": self.edits, "issues": self.issues, "notices": self.notices}))
        return pages.fragment(pages.Html("".join(parts)))

    def unwrap(self) -> T:
        """The value. Raises `InvalidResultError`, which holds this result, if the result is not `ok`."""
        if not self.ok:
            raise InvalidResultError(self)
        return self.value  # type: ignore[return-value]  # None only where the schema's own value is None


def _record(attempts: tuple[Attempt, ...]) -> str | None:
    """The record that the prompts asked about; None for prompts of another form, or about several windows of a text."""
    if not attempts or of_windows(attempts):
        return None
    return _fenced(attempts[0].prompt)


def _fenced(prompt: Prompt) -> str | None:
    """The record between the tags of a prompt; None for a prompt without tags."""
    for message in reversed(prompt.messages):
        if message.role == "user" and (found := _RECORD.fullmatch(message.content)):
            return found[2]
    return None


def _asked_about(prompt: Prompt) -> str | None:
    """The record of a prompt: between its tags, or else the first message of the user."""
    bare = (message.content for message in prompt.messages if message.role == "user")
    return _fenced(prompt) or next(bare, None)


def _places(
    record: str, values: Mapping[str, str | int | float | bool | None], spans: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], str]]:
    """Where values stand in the record: as a verifier found them, otherwise as they are written."""
    for place, value in values.items():
        if place in spans:
            yield spans[place], place
        elif isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
            written = re.escape(f"{value:g}" if isinstance(value, float) else str(value))
            if found := re.search(rf"(?<!\w){written}(?!\w)", record, re.IGNORECASE):
                yield found.span(), place


class InvalidResultError(StructoutError):
    """The error of `unwrap` on a result that is not `ok`. `result` holds all attempts."""

    def __init__(self, result: Result[Any]) -> None:
        tried = "".join(
            f"\n  attempt {i} ({a.model}, {a.completion.finish_reason}): {a.completion.text[:300]!r}"
            for i, a in enumerate(result.attempts, 1)
        )
        issues = "; ".join(map(str, result.issues)) or result.status
        super().__init__(f"{result.status}: {issues}{tried}")
        self.result = result
