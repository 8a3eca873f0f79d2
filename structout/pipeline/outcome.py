"""What is kept of every input row: exactly one outcome, whatever came of it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

from structout.completion import Completion, FinishReason, Message, Prompt, Sampling, Usage
from structout.document import Json
from structout.errors import DataError, SchemaError, SpecError
from structout.issue import Issue
from structout.repair import Edit
from structout.result import Attempt, Result, Status
from structout.schema import Checked, Schema

OutcomeStatus = Literal[Status, "error"]  # `error`: the model failed on this row, again and again
_OTHERS = [one for one in fields(Completion) if one.name not in ("text", "usage", "finish_reason")]
_DEFAULTS: dict[str, Any] = {one.name: one.default for one in fields(Usage)}
_LARGEST = 2**63  # of a count: what a column of whole numbers holds
_json = json.JSONEncoder(allow_nan=False).encode
_SLACK = 0.01  # by which rounding may lift a log-probability above 0


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
    def from_json(cls, row: Any) -> "RowOutcome":
        """What `to_json` wrote. Raises `DataError` for anything else."""
        with understood("an outcome"):
            issues = tuple(Issue(*issue) for issue in row["issues"])
            edits = tuple(Edit(*edit) for edit in row["edits"])
            spans = {place: (first, last) for place, (first, last) in row["spans"].items()}
            calls = {name: tuple(row[name]) for name in ("attempts", "checks")}
            made = cls(**{**row, "issues": issues, "edits": edits, "spans": spans, **calls})
            _require("status", made.status in get_args(OutcomeStatus))
            _require("issues", all(_are(str, (one.pointer, one.kind, one.message)) for one in issues))
            _require("edits", all(_are(int | str, edit) for edit in edits))
            _require("cost", made.cost is None or _is_amount(made.cost))
            _require("confidence", _are(int | float, made.confidence.values()))
            _require("spans", all(_are(int, span) for span in spans.values()))
            _require("names", _are(str, (made.strategy, made.fingerprint)))
            for call in (*made.attempts, *made.checks):
                _require("calls", _are(str, (call["model"], call["key"], call["text"])))
                _usage(call["usage"])
        return made

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

    def problem(self, schema: Schema[Any]) -> str:
        """Why the record cannot be one that was accepted by this schema; "" where it can be."""
        if not self.ok:
            return ""
        try:
            checked = self._checked(schema)
            if not checked.ok:
                return f"the document breaks the schema: {checked.issues[0]}"
            first = schema.dump(checked.value)
            text = _json(self.value)
            if text == _json(first) or schema.check(self.value, text).ok:
                return ""
            if _agrees(self.value, first, schema.dump(self._checked(schema).value)):
                return ""
        except (SchemaError, ValueError, RecursionError) as error:
            return f"the document cannot be checked: {error}"
        return "the record is not the one that the document stands for"

    def _checked(self, schema: Schema[Any]) -> Checked[Any]:
        return schema.check(self.document, _json(self.document))

    def result(self, schema: Schema[Any]) -> Result[Any]:
        """The result that this was made of. Raises `DataError` where it cannot have been made of any."""
        with understood("an outcome"):
            checked = self._checked(schema) if self.ok else None
            _require(f"document ({checked.issues[0] if checked and checked.issues else ''})", not checked or checked.ok)
            value = checked.value if checked else None
            attempts = tuple(_restored(attempt, schema) for attempt in self.attempts)
            checks = tuple(_restored(check, schema) for check in self.checks)
        status: Status = "invalid" if self.status == "error" else self.status
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


def completion_of(row: Any) -> Completion:
    """The answer that `completion_json` wrote. Raises `DataError` for anything else."""
    with understood("an answer"):
        others = {one.name: _tuples(row[one.name]) for one in _OTHERS if one.name in row}
        made = Completion(row["text"], _usage(row["usage"]), row["finish_reason"], **others)
        _require("text", _are(str, (made.text, made.refusal)))
        _require("finish_reason", made.finish_reason in get_args(FinishReason))
        _require("logprobs", made.logprobs is None or all(one < _SLACK for one in made.logprobs))
        _require("values", made.values is None or _are(bool, made.values))
        _require("ends", made.ends is None or _are(int, made.ends))
        _require("steered", all(_are(int, (first, last)) for first, last in made.steered))
    return made


def _usage(row: Any) -> Usage:
    """A usage as JSON. Raises `ValueError` for what cannot have been used, and whatever else is not one."""
    _require("usage", all(map(_is_amount, row.values())))
    return Usage(**row)


def _tuples(value: Any) -> Any:
    """JSON's lists, which are tuples in a completion."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Where JSON is read that may be anything: a `DataError` for all that is wrong with it."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, SpecError) as error:
        raise DataError(f"it is not {what}: {type(error).__name__}: {error}") from error


def _require(name: str, fulfilled: bool) -> None:
    if not fulfilled:
        raise ValueError(f"wrong {name}")


def _are(kind: Any, values: Iterable[Any]) -> bool:
    return all(isinstance(value, kind) for value in values)


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < _LARGEST


def _agrees(kept: Json, one: Json, other: Json) -> bool:
    """Whether what is kept of a value is what it is written as: where it is written so once and so another time (a
    default that is a new number or the time), it may be anything.
    """
    if isinstance(kept, dict) and isinstance(one, dict) and isinstance(other, dict):
        return kept.keys() == one.keys() and all(_agrees(kept[key], one[key], other.get(key)) for key in one)
    if isinstance(kept, list) and isinstance(one, list) and isinstance(other, list):
        return len(kept) == len(one) == len(other) and all(map(_agrees, kept, one, other))
    return one != other or (kept == one and type(kept) is type(one))
