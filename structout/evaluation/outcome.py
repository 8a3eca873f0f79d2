"""What is kept of every measured record, so that it can be scored again without the model."""

from dataclasses import asdict, dataclass, field
from typing import Any, cast

from structout.completion import Usage
from structout.document import Json
from structout.errors import DataError
from structout.evaluation.dataset import Record
from structout.result import Attempt, Result, Status
from structout.schema import Schema


@dataclass(frozen=True, slots=True)
class Outcome:
    """One record, by one strategy with one model, in one repeat.

    `document` is the accepted document, None if there was none, and `refused` one that a verifier refused; `attempts`,
    and the `checks` of verifiers, are as `_attempt` writes them.
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
    attempts: tuple[dict[str, Any], ...]
    refused: Json = None
    checks: tuple[dict[str, Any], ...] = ()
    confidence: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, strategy: str, model: str, record: Record, repeat: int, result: Result[Any], schema: Schema[Any]
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
            _refused(result, schema) if result.status == "rejected" else None,
            tuple(map(_attempt, result.checks)),
            dict(result.confidence),
        )

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Outcome":
        try:
            for name in ("issues", "edits", "attempts", "checks"):
                row = {**row, name: tuple(row.get(name, ()))}
            return cls(**row)
        except (TypeError, KeyError) as error:
            raise DataError(f"not a line of a bench log: {error}", hint="give a log that bench wrote") from error

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def ok(self) -> bool:
        return self.status in ("valid", "repaired")

    @property
    def usage(self) -> Usage:
        """All that it cost, to get the answers and to check them."""
        return _usage(self.attempts) + self.verification

    @property
    def verification(self) -> Usage:
        """What it cost to check the answers."""
        return _usage(self.checks)

    @property
    def answer(self) -> str:
        """The model's last answer, as produced."""
        return cast("str", self.attempts[-1]["text"]) if self.attempts else ""


def _usage(attempts: tuple[dict[str, Any], ...]) -> Usage:
    return sum((Usage(**attempt["usage"]) for attempt in attempts), Usage())


def _refused(result: Result[Any], schema: Schema[Any]) -> Json:
    checked = schema.check(result.document)
    return schema.dump(checked.value) if checked.ok else result.document


def _attempt(attempt: Attempt) -> dict[str, Any]:
    prompt, completion = attempt.prompt, attempt.completion
    return {
        "model": attempt.model,
        "messages": [[message.role, message.content] for message in prompt.messages],
        "sampling": asdict(prompt.sampling),
        "constrained": prompt.constraint is not None,
        "sample": prompt.sample,
        "text": completion.text,
        "finish_reason": completion.finish_reason,
        "refusal": completion.refusal,
        "mean_logprob": completion.mean_logprob,
        "logprobs": None if completion.logprobs is None else [round(one, 4) for one in completion.logprobs],
        "values": completion.values,
        "ends": completion.ends,
        "steered": completion.steered,
        "usage": asdict(completion.usage),
    }
