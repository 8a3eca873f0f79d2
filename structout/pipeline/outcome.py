"""What is kept of every input row: exactly one outcome, whatever came of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from structout.completion import Usage
from structout.document import Json
from structout.errors import SchemaError
from structout.issue import Issue
from structout.parsing import Edit
from structout.records import (
    are,
    attempt_of,
    brief,
    edit_json,
    edit_of,
    is_amount,
    issue_json,
    issue_of,
    require,
    understood,
    usage_of,
)
from structout.result import Result, Status
from structout.schema import Checked, Schema

OutcomeStatus = Literal[Status, "error"]  # `error`: the model failed on this row, again and again
_json = json.JSONEncoder(allow_nan=False).encode


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
            "issues": list(map(issue_json, self.issues)),
            "edits": list(map(edit_json, self.edits)),
        }

    @classmethod
    def from_json(cls, row: Any) -> "RowOutcome":
        """What `to_json` wrote. Raises `DataError` for anything else."""
        with understood("an outcome"):
            issues = tuple(map(issue_of, row["issues"]))
            edits = tuple(map(edit_of, row["edits"]))
            spans = {place: (first, last) for place, (first, last) in row["spans"].items()}
            calls = {name: tuple(row[name]) for name in ("attempts", "checks")}
            made = cls(**{**row, "issues": issues, "edits": edits, "spans": spans, **calls})
            require("status", made.status in get_args(OutcomeStatus))
            require("cost", made.cost is None or is_amount(made.cost))
            require("confidence", are(int | float, made.confidence.values()))
            require("spans", all(are(int, span) for span in spans.values()))
            require("names", are(str, (made.strategy, made.fingerprint)))
            for call in (*made.attempts, *made.checks):
                require("calls", are(str, (call["model"], call["key"], call["text"])))
                usage_of(call["usage"])
        return made

    def provenance(self) -> dict[str, Any]:
        """How an accepted record came about, for the columns beside it."""
        usage = self.usage
        return {
            "_key": self.key,
            "_status": self.status,
            "_edits": list(map(edit_json, self.edits)),
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
            "issues": list(map(issue_json, self.issues)),
            "edits": list(map(edit_json, self.edits)),
            "document": self.document,
            "confidence": self.least_confidence,
            "strategy": self.strategy,
            "attempts": list(map(brief, self.attempts)),
            "checks": list(map(brief, self.checks)),
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
            require(f"document ({checked.issues[0] if checked and checked.issues else ''})", not checked or checked.ok)
            value = checked.value if checked else None
            attempts = tuple(attempt_of(attempt, schema) for attempt in self.attempts)
            checks = tuple(attempt_of(check, schema) for check in self.checks)
        status: Status = "invalid" if self.status == "error" else self.status
        return Result(
            status=status,
            value=value,
            document=self.document,
            issues=self.issues,
            edits=self.edits,
            attempts=attempts,
            checks=checks,
            confidence=self.confidence,
            spans=self.spans,
        )


def _agrees(kept: Json, one: Json, other: Json) -> bool:
    """Whether what is kept of a value is what it is written as: where it is written so once and so another time (a
    default that is a new number or the time), it may be anything.
    """
    if isinstance(kept, dict) and isinstance(one, dict) and isinstance(other, dict):
        return kept.keys() == one.keys() and all(_agrees(kept[key], one[key], other.get(key)) for key in one)
    if isinstance(kept, list) and isinstance(one, list) and isinstance(other, list):
        return len(kept) == len(one) == len(other) and all(map(_agrees, kept, one, other))
    return one != other or (kept == one and type(kept) is type(one))
