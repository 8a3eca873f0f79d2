"""The outcome of an input row. Every row has exactly one."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from pydantic_core import to_json

from structout.completion import Usage
from structout.document import Json
from structout.errors import DataError, SchemaError
from structout.issue import Issue
from structout.parsing import Edit, repair
from structout.prices import Prices
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
from structout.result import Result, Status, answer_probability
from structout.schema import Checked, Schema
from structout.strategies.thresholded import thresholded
from structout.verifiers.confident import Of

OutcomeStatus = Literal[Status, "error"]  # `error`: the model failed on this row
_STATUSES = get_args(OutcomeStatus)
_MOST_ISSUES = 5  # of each attempt in the quarantine
_strict_json = json.JSONEncoder(allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """The outcome of one row.

    `value` is the accepted record as JSON with its defaults, otherwise None. `document` is the parsed answer.
    `attempts` holds every call for the row as `attempt_json` writes it, and `checks` the calls of verifiers. `cost` is
    in US dollars, or None if a price is unknown. `fingerprint` identifies the schema, strategy, model and prompt.
    `record` is the input row, kept only for the quarantine. `tags` say for whom the run was made.
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
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the record was accepted."""
        return self.status in ("valid", "repaired")

    @property
    def standing(self) -> str:
        """The status, or `unplaced` if the record was accepted but the output cannot hold it."""
        return "unplaced" if self.ok and self.record is not None else self.status

    @property
    def sureness(self) -> float | None:
        """The confidence that the strategy compares with a threshold: of the least sure leaf, unless a
        `Confident(of="answer")` takes that of the whole answer. None if it is unknown.
        """
        return self.sureness_of(thresholded(self.strategy))

    def sureness_of(self, part: Of) -> float | None:
        """The confidence of the least sure leaf, or of the whole answer; None if it is unknown."""
        if part == "values":
            return min(self.confidence.values(), default=None)
        with suppress(DataError):  # of a forged call
            return answer_probability([attempt_of(call) for call in self.attempts])
        return None

    @property
    def refusals(self) -> list[str | None]:
        """The reason of each call that was refused, and None for any other call."""
        return [call.get("refusal", "") if call["finish_reason"] == "refused" else None for call in self.attempts]

    @property
    def usage(self) -> Usage:
        """The usage of all attempts and checks."""
        return sum((Usage(**attempt["usage"]) for attempt in (*self.attempts, *self.checks)), Usage())

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON, for the journal."""
        return {
            **{name: getattr(self, name) for name in _FIELDS},
            "issues": list(map(issue_json, self.issues)),
            "edits": list(map(edit_json, self.edits)),
        }

    @classmethod
    def from_json(cls, row: Any) -> "RowOutcome":
        """The outcome that `to_json` wrote as `row`. Raises `DataError` for anything else."""
        with understood("an outcome"):
            issues = tuple(map(issue_of, row["issues"]))
            edits = tuple(map(edit_of, row["edits"]))
            spans = {place: (first, last) for place, (first, last) in row["spans"].items()}
            calls = {name: tuple(row[name]) for name in ("attempts", "checks")}
            made = cls(**{**row, "issues": issues, "edits": edits, "spans": spans, **calls})
            require("status", made.status in _STATUSES)
            require("cost", made.cost is None or is_amount(made.cost))
            require("confidence", are(int | float, made.confidence.values()))
            require("spans", all(are(int, span) for span in spans.values()))
            require("tags", are(str, (*made.tags, *made.tags.values())))
            require("names", are(str, (made.strategy, made.fingerprint)))
            for call in (*made.attempts, *made.checks):
                require("calls", are(str, (call["model"], call["key"], call["text"])))
                usage_of(call["usage"])
        return made

    def provenance(self) -> dict[str, Any]:
        """The provenance columns of an accepted record; `_version` only if the model's server reports a version, and
        `_estimated` only if tokens are estimated.
        """
        usage = self.usage
        versions = [call["version"] for call in self.attempts if call.get("version")]
        return {
            "_key": self.key,
            "_status": self.status,
            "_edits": list(map(edit_json, self.edits)),
            "_confidence": self.sureness,
            "_strategy": self.strategy,
            "_attempts": len(self.attempts),
            "_tokens": usage.input_tokens + usage.output_tokens,
            "_cost": self.cost,
            "_seconds": usage.seconds,
            "_fingerprint": self.fingerprint,
            **({"_version": versions[-1]} if versions else {}),
            **({"_estimated": usage.estimated_tokens} if usage.estimated_tokens else {}),
        }

    def priced(self, prices: Prices) -> "RowOutcome":
        """This outcome with a cost, also if no price was known when the row was asked."""
        if self.cost is not None or not prices.table:
            return self
        calls = [(call["model"], Usage(**call["usage"])) for call in (*self.attempts, *self.checks)]
        return replace(self, cost=prices.cost(calls))

    def refused(self, reason: str) -> "RowOutcome":
        """This outcome as `rejected` for a reason, although the record is valid."""
        return replace(self, status="rejected", value=None, issues=(*self.issues, Issue("", "rejected", reason)))

    def hashed(self) -> "RowOutcome":
        """The outcome without the texts of its record, its prompts and its answers: with its key, its status, the kinds
        of its issues and edits, and its usage.
        """
        return replace(
            self,
            value=None,
            document=None,
            issues=tuple(replace(one, pointer="", message="") for one in self.issues),
            edits=tuple(one._replace(where="", before="", after="") for one in self.edits),
            attempts=tuple(map(_silent, self.attempts)),
            record=None,
            checks=tuple(map(_silent, self.checks)),
            confidence={},
            spans={},
        )

    def quarantined(self, schema: Schema[Any], *, hashed: bool = False) -> dict[str, Any]:
        """The line of the quarantine: the input, the attempts with the issues of each answer, and the issues of the
        result; if `hashed`, a hash of the input (BLAKE2b of its JSON with sorted keys, 16 bytes) instead of all texts.
        """
        if hashed:
            written = json.dumps(self.record, sort_keys=True).encode()
            return {
                **self.hashed().quarantined(schema),
                "input_hash": hashlib.blake2b(written, digest_size=16).hexdigest(),
            }
        usage = self.usage
        return {
            "key": self.key,
            "status": self.status,
            "input": self.record,
            "issues": list(map(issue_json, self.issues)),
            "edits": list(map(edit_json, self.edits)),
            "document": self.document,
            "confidence": self.sureness,
            "strategy": self.strategy,
            "attempts": [{**brief(call), "issues": _issues(call, schema)} for call in self.attempts],
            "checks": list(map(brief, self.checks)),
            "tokens": usage.input_tokens + usage.output_tokens,
            **({"estimated": usage.estimated_tokens} if usage.estimated_tokens else {}),
            "cost": self.cost,
            "seconds": usage.seconds,
            "fingerprint": self.fingerprint,
        }

    def problem(self, schema: Schema[Any]) -> str:
        """Why this schema cannot have accepted the record; "" if it can."""
        if not self.ok:
            return ""
        try:
            checked = self._checked(schema)
            if not checked.ok:
                return f"the document breaks the schema: {checked.issues[0]}"
            first = schema.written(checked)
            text = _json(self.value)
            if text == _json(first) or schema.check(self.value, text).ok:
                return ""
            if _agrees(self.value, first, schema.written(self._checked(schema))):
                return ""
        except (SchemaError, ValueError, RecursionError) as error:
            return f"the document cannot be checked: {error}"
        return "the record does not match the document"

    def _checked(self, schema: Schema[Any]) -> Checked[Any]:
        return schema.check(self.document, _json(self.document))

    def result(self, schema: Schema[Any]) -> Result[Any]:
        """The result that led to this outcome. Raises `DataError` if no result can lead to it."""
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


_FIELDS = [one.name for one in fields(RowOutcome)]


def _json(document: Json) -> str:
    """The JSON of a document. Raises `ValueError` for NaN and Infinity, and `RecursionError` for too many levels."""
    try:
        text = to_json(document)
    except ValueError:  # half of a character, or many levels
        return _strict_json(document)
    return _strict_json(document) if b"NaN" in text or b"Infinity" in text else text.decode()


def _issues(call: Mapping[str, Any], schema: Schema[Any]) -> list[dict[str, Any]]:
    """The first issues of an answer: as it came, or as repair reads it if it is not JSON. None if it is not whole, or
    its text is not kept.
    """
    if call.get("finish_reason") != "stop" or not call["text"]:
        return []
    issues = schema.check_text(call["text"]).issues
    if any(one.kind == "not_json" for one in issues):
        issues = repair(call["text"], schema, complete=True).issues or issues
    return list(map(issue_json, issues[:_MOST_ISSUES]))


def _silent(call: dict[str, Any]) -> dict[str, Any]:
    """A call without its texts, and without the key of its prompt, from which a short text could be guessed."""
    kept = ("model", "sampling", "constrained", "sample", "usage", "finish_reason")
    return {"key": "", "messages": [], "text": "", **{name: call[name] for name in kept if name in call}}


def _agrees(kept: Json, one: Json, other: Json) -> bool:
    """Whether a kept value equals the value as it is written now, `one`. Where two writes differ (`one` and `other`,
    for example because a default is the current time), any kept value agrees.
    """
    if isinstance(kept, dict) and isinstance(one, dict) and isinstance(other, dict):
        return kept.keys() == one.keys() and all(_agrees(kept[key], one[key], other.get(key)) for key in one)
    if isinstance(kept, list) and isinstance(one, list) and isinstance(other, list):
        return len(kept) == len(one) == len(other) and all(map(_agrees, kept, one, other))
    return one != other or (kept == one and type(kept) is type(one))
