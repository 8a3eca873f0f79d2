"""What is kept of every input row: exactly one outcome, whatever came of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from structout.completion import Completion, Message, Prompt, Sampling, Usage
from structout.document import Json
from structout.issue import Issue
from structout.repair import Edit
from structout.result import Attempt, Result, Status
from structout.schema import Schema

OutcomeStatus = Literal[Status, "error"]  # `error`: the model failed on this row, again and again
_OTHERS = [one for one in fields(Completion) if one.name not in ("text", "usage", "finish_reason")]
_DEFAULTS: dict[str, Any] = {one.name: one.default for one in fields(Usage)}


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """One row's outcome. `value` is the accepted record as JSON, defaults filled in, else None; `document` what was
    read. `attempts` holds every call that was made for the row, as `attempt_json` writes it, `checks` those that
    verifiers made; `cost` is in US dollars, None if a price is unknown; `fingerprint` tells by which schema, strategy,
    model and prompt it was made; `record` is the input row, kept only where it is needed again: for the quarantine.
    """

    key: Json
    status: OutcomeStatus
    value: Json
    document: Json
    issues: tuple[Issue, ...]
    edits: tuple[Edit, ...]
    strategy: str
    attempts: tuple[dict[str, Any], ...]
    cost: float | None
    fingerprint: str
    record: Json = None
    checks: tuple[dict[str, Any], ...] = ()
    confidence: Mapping[str, float] = field(default_factory=dict)
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.status in ("valid", "repaired")

    @property
    def standing(self) -> str:
        """The status, or `unplaced` where the record was accepted and the output could not hold it."""
        return "unplaced" if self.ok and self.record is not None else self.status

    @property
    def least_confidence(self) -> float | None:
        """That of the least sure leaf, None where nothing tells how sure any is."""
        return min(self.confidence.values(), default=None)

    @property
    def usage(self) -> Usage:
        return sum((Usage(**attempt["usage"]) for attempt in (*self.attempts, *self.checks)), Usage())

    def to_json(self) -> dict[str, Any]:
        """Everything, for the journal."""
        return {
            **{one.name: getattr(self, one.name) for one in fields(RowOutcome)},
            "issues": [[issue.pointer, issue.kind, issue.message] for issue in self.issues],
            "edits": [list(edit) for edit in self.edits],
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "RowOutcome":
        issues = tuple(Issue(*issue) for issue in row["issues"])
        edits = tuple(Edit(*edit) for edit in row["edits"])
        spans = {place: (first, last) for place, (first, last) in row["spans"].items()}
        calls = {name: tuple(row[name]) for name in ("attempts", "checks")}
        return cls(**{**row, "issues": issues, "edits": edits, "spans": spans, **calls})

    def provenance(self) -> dict[str, Any]:
        """How an accepted record came about, for the columns beside it."""
        usage = self.usage
        return {
            "_key": self.key,
            "_status": self.status,
            "_edits": [edit._asdict() for edit in self.edits],
            "_confidence": self.least_confidence,
            "_strategy": self.strategy,
            "_attempts": len(self.attempts),
            "_tokens": usage.input_tokens + usage.output_tokens,
            "_cost": self.cost,
            "_seconds": usage.seconds,
            "_fingerprint": self.fingerprint,
        }

    def refused(self, reason: str) -> "RowOutcome":
        """The same, set aside though the record is valid."""
        return replace(self, status="rejected", value=None, issues=(*self.issues, Issue("", "rejected", reason)))

    def quarantined(self) -> dict[str, Any]:
        """A line of the quarantine: the input, what was tried, and what is wrong."""
        usage = self.usage
        return {
            "key": self.key,
            "status": self.status,
            "input": self.record,
            "issues": [asdict(issue) for issue in self.issues],
            "edits": [edit._asdict() for edit in self.edits],
            "document": self.document,
            "confidence": self.least_confidence,
            "strategy": self.strategy,
            "attempts": [_briefly(attempt) for attempt in self.attempts],
            "checks": [_briefly(check) for check in self.checks],
            "tokens": usage.input_tokens + usage.output_tokens,
            "cost": self.cost,
            "seconds": usage.seconds,
            "fingerprint": self.fingerprint,
        }

    def result(self, schema: Schema[Any]) -> Result[Any]:
        """The result that this was made of."""
        value = schema.check(self.document).value if self.ok else None
        status: Status = "invalid" if self.status == "error" else self.status
        attempts = tuple(_restored(attempt, schema) for attempt in self.attempts)
        checks = tuple(_restored(check, schema) for check in self.checks)
        return Result(
            status, value, self.document, self.issues, self.edits, attempts, checks, self.confidence, self.spans
        )


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """One call, in full, with the key of its prompt: the constraint, which is part of it, is not written down."""
    prompt = attempt.prompt
    return {
        "model": attempt.model,
        "key": prompt.key(),
        "messages": [[message.role, message.content] for message in prompt.messages],
        "sampling": asdict(prompt.sampling),
        "constrained": prompt.constraint is not None,
        "sample": prompt.sample,
        **completion_json(attempt.completion),
    }


def _briefly(attempt: dict[str, Any]) -> dict[str, Any]:
    """A call without the prompt, which the journal has."""
    left_out = ("key", "messages", "sampling", "constrained")
    return {name: value for name, value in attempt.items() if name not in left_out}


def _restored(row: Mapping[str, Any], schema: Schema[Any]) -> Attempt:
    messages = tuple(Message(role, content) for role, content in row["messages"])
    sampling = Sampling(**{**row["sampling"], "stop": tuple(row["sampling"]["stop"])})
    prompt = Prompt(messages, sampling, schema if row["constrained"] else None, row["sample"])
    return Attempt(row["model"], prompt, completion_of(row))


def completion_json(completion: Completion) -> dict[str, Any]:
    """An answer with its usage; what is not known or nought is left out."""
    usage = {name: value for name in _DEFAULTS if (value := getattr(completion.usage, name)) != _DEFAULTS[name]}
    others = {
        one.name: getattr(completion, one.name) for one in _OTHERS if getattr(completion, one.name) != one.default
    }
    return {"text": completion.text, "finish_reason": completion.finish_reason, "usage": usage, **others}


def completion_of(row: Mapping[str, Any]) -> Completion:
    """The answer that `completion_json` wrote."""
    others = {one.name: _tuples(row[one.name]) for one in _OTHERS if one.name in row}
    return Completion(row["text"], Usage(**row["usage"]), row["finish_reason"], **others)


def _tuples(value: Any) -> Any:
    """JSON's lists, which are tuples in a completion."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
