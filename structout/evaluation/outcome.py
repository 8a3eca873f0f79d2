"""What is kept of every measured record, so that it can be scored again without the model."""

import math
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, cast, get_args

from structout.completion import Usage
from structout.document import Json
from structout.evaluation.dataset import Record
from structout.evaluation.scoring.comparison import Comparison
from structout.evaluation.scoring.score import Score, score
from structout.records import attempt_json, attempt_of, edit_json, edit_of, issue_json, issue_of, understood
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

    `document` is the accepted document, defaults filled in, None if there was none, and `refused` what was read of one
    that was not accepted; `written` is either as it was read, None where that is the same; `attempts`, and the `checks`
    of verifiers, are as `attempt_json` writes them. `text` is the record's, as perturbed.
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
    refused: Json = None
    checks: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    confidence: dict[str, float] = field(default_factory=dict, repr=False)
    setting: tuple[tuple[str, Any], ...] = ()
    perturbation: str = ""
    written: Json = None
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
        accepted, refused = (schema.dump(result.value), None) if result.ok else (None, _refused(result, schema))
        return cls(
            strategy=strategy,
            model=model,
            key=record.key,
            repeat=repeat,
            text=record.text,
            expected=record.expected,
            status=result.status,
            document=accepted,
            issues=tuple(map(issue_json, result.issues)),
            edits=tuple(map(edit_json, result.edits)),
            attempts=tuple(map(attempt_json, result.attempts)),
            refused=refused,
            checks=tuple(map(attempt_json, result.checks)),
            confidence=dict(result.confidence),
            setting=arm.setting if arm else (),
            perturbation=arm.perturbation if arm else "",
            written=None if result.document in (accepted, refused) else result.document,
            comparison=comparison or Comparison.of(schema),
        )

    @classmethod
    def from_json(cls, row: dict[str, Any], comparison: Comparison | None = None) -> "Outcome":
        """What `to_json` wrote, with attempts in full. Raises `DataError` for anything else."""
        with understood("an outcome"):
            for name in ("issues", "edits", "attempts", "checks"):
                row = {**row, name: tuple(row.get(name, ()))}
            row["setting"] = tuple((name, value) for name, value in row.get("setting", ()))
            made = cls(**row, comparison=comparison or Comparison())
            texts = (made.strategy, made.model, made.key, made.text, made.perturbation)
            numbers = (made.repeat, *made.confidence.values())
            if not all(isinstance(one, str) for one in texts) or made.status not in get_args(Status):
                raise ValueError("wrong names")
            if not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
                raise ValueError("wrong numbers")
            for issue in made.issues:
                issue_of(issue)
            for edit in made.edits:
                edit_of(edit)
            hash(made.arm)
        return made

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON, but for the comparison, which the header of a log holds."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "comparison"}

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
        """All that it cost, to get the answers and to check them."""
        return _usage(self.attempts) + self.verification

    @cached_property
    def calls(self) -> tuple[Attempt, ...]:
        """The attempts, and then the calls of verifiers. No prompt has its constraint, which no log holds."""
        return tuple(map(attempt_of, (*self.attempts, *self.checks)))

    @property
    def verification(self) -> Usage:
        """What it cost to check the answers."""
        return _usage(self.checks)

    @property
    def answer(self) -> str:
        """The model's last answer, as produced."""
        return cast("str", self.attempts[-1]["text"]) if self.attempts else ""

    @property
    def sureness(self) -> float | None:
        """The least confidence in any leaf, as the verifier `Confident` goes by; None where the strategy has none."""
        return min(self.confidence.values()) if self.confidence else None

    @property
    def value_logprob(self) -> float | None:
        """The mean log-probability of the values in the last answer; None where the model does not tell."""
        return self.calls[len(self.attempts) - 1].completion.mean_value_logprob if self.attempts else None


def _usage(attempts: tuple[dict[str, Any], ...]) -> Usage:
    return sum((Usage(**attempt["usage"]) for attempt in attempts), Usage())


def _refused(result: Result[Any], schema: Schema[Any]) -> Json:
    checked = schema.check(result.document)
    return schema.dump(checked.value) if checked.ok else result.document
