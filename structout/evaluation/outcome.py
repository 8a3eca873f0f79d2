"""What is kept of every measured record, so that it can be scored again without the model."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, cast

from structout.completion import Prompt, Usage
from structout.document import Json
from structout.errors import DataError
from structout.evaluation.compare import Score, score
from structout.evaluation.comparison import Comparison
from structout.evaluation.dataset import Record
from structout.result import Attempt, Result, Status
from structout.schema import Schema


@dataclass(frozen=True)
class Arm:
    """What is measured: a strategy with a model, at a point of a sweep, under a perturbation ("" for none)."""

    strategy: str
    model: str
    setting: tuple[tuple[str, Any], ...] = ()
    perturbation: str = ""

    @property
    def label(self) -> str:
        """The strategy with the point of the sweep."""
        return " ".join([self.strategy, *(f"{name}={value}" for name, value in self.setting)])


@dataclass(frozen=True)
class Outcome:
    """One record, by one strategy with one model, in one repeat.

    `document` is the accepted document, None if there was none, and `read` what was read of one that was not accepted;
    `attempts` are as `_attempt` writes them. `text` is the record's, as perturbed.
    """

    strategy: str
    model: str
    key: str
    repeat: int
    text: str
    expected: Json
    status: Status
    document: Json
    issues: tuple[dict[str, Any], ...]
    edits: tuple[dict[str, Any], ...]
    attempts: tuple[dict[str, Any], ...] = field(repr=False)
    read: Json = None
    setting: tuple[tuple[str, Any], ...] = ()
    perturbation: str = ""
    comparison: Comparison = field(default=Comparison(), repr=False, compare=False)

    @classmethod
    def of(
        cls,
        strategy: str,
        model: str,
        record: Record,
        repeat: int,
        result: Result[Any],
        schema: Schema[Any],
        comparison: Comparison | None = None,
        arm: Arm | None = None,
    ) -> "Outcome":
        return cls(
            strategy,
            model,
            record.key,
            repeat,
            record.text,
            record.expected,
            result.status,
            schema.dump(result.value) if result.ok else None,
            tuple(asdict(issue) for issue in result.issues),
            tuple(edit._asdict() for edit in result.edits),
            tuple(map(_attempt, result.attempts)),
            None if result.ok else result.document,
            arm.setting if arm else (),
            arm.perturbation if arm else "",
            comparison or Comparison.of(schema),
        )

    @classmethod
    def from_json(cls, row: dict[str, Any], comparison: Comparison | None = None) -> "Outcome":
        try:
            for name in ("issues", "edits", "attempts"):
                row = {**row, name: tuple(row[name])}
            row["setting"] = tuple((name, value) for name, value in row.get("setting", ()))
            return cls(**row, comparison=comparison or Comparison())
        except (TypeError, KeyError, ValueError) as error:
            raise DataError(f"not a line of a bench log: {error}", hint="give a log that bench wrote") from error

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("comparison", "score", "usage")}

    @property
    def arm(self) -> Arm:
        return Arm(self.strategy, self.model, self.setting, self.perturbation)

    @property
    def ok(self) -> bool:
        return self.status in ("valid", "repaired")

    @cached_property
    def score(self) -> Score:
        """How much of the accepted document is right."""
        return score(self.expected, self.document, self.comparison)

    @property
    def right(self) -> bool:
        """Whether a document was accepted and is right in every leaf."""
        return self.ok and self.score.all_right

    @cached_property
    def usage(self) -> Usage:
        return sum((Usage(**attempt["usage"]) for attempt in self.attempts), Usage())

    @property
    def answer(self) -> str:
        """The model's last answer, as produced."""
        return cast("str", self.attempts[-1]["text"]) if self.attempts else ""

    @property
    def confidence(self) -> float | None:
        """How sure the model was of the values in its last answer: the mean log-probability, where it tells."""
        last: dict[str, Any] = self.attempts[-1] if self.attempts else {}
        found = last.get("mean_value_logprob")
        return found if found is not None else last.get("mean_logprob")


def prompted(prompt: Prompt) -> dict[str, Any]:
    """A prompt as logs hold it."""
    return {
        "messages": [[message.role, message.content] for message in prompt.messages],
        "sampling": asdict(prompt.sampling),
        "constrained": prompt.constraint is not None,
        "sample": prompt.sample,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    prompt, completion = attempt.prompt, attempt.completion
    return {
        "key": prompt.key(),
        "model": attempt.model,
        **prompted(prompt),
        "text": completion.text,
        "finish_reason": completion.finish_reason,
        "refusal": completion.refusal,
        "mean_logprob": completion.mean_logprob,
        "mean_value_logprob": completion.mean_value_logprob,
        "steered": completion.steered,
        "usage": asdict(completion.usage),
    }
