"""Outcomes: all that is kept of a measured record, so that it can be scored again without the model."""

import math
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, cast, get_args

from structout.completion import Usage
from structout.document import Json
from structout.evaluation.dataset import Record
from structout.evaluation.scoring.comparison import Comparison
from structout.evaluation.scoring.score import Score, score
from structout.records import attempt_json, attempt_of, edit_json, edit_of, issue_json, issue_of, require, understood
from structout.result import Attempt, Result, Status, answer_probability
from structout.schema import Schema


@dataclass(frozen=True)
class Arm:
    """A strategy with a model, at a point of a sweep (`setting`), under a perturbation ("" for none)."""

    strategy: str
    model: str
    setting: tuple[tuple[str, Any], ...] = ()
    perturbation: str = ""

    @property
    def label(self) -> str:
        """The strategy and the point of the sweep as text."""
        return " ".join([self.strategy, *(f"{name}={value}" for name, value in self.setting)])


@dataclass(frozen=True)
class Outcome:
    """The outcome of one record with one strategy and one model in one repeat.

    `document` is the accepted document with defaults, or None; `refused` is the document that was not
    accepted, as far as it could be read. `written` is either of them without defaults, None if equal. `attempts`, and
    the `checks` of verifiers, are as `attempt_json` writes them. `text` is the text of the record, as perturbed.
    `fold` is the number of the record's fold, None in a run without folds, and for a strategy that takes nothing from
    the other folds. Without `has_label`, `expected` is None and nothing says whether a value is right. `constant` is
    the score of a constant answer, as `constant_scores` makes it.
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
    fold: int | None = None
    has_label: bool = True
    constant: tuple[int, int, int] | None = None
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
        fold: int | None = None,
        constant: tuple[int, int, int] | None = None,
    ) -> "Outcome":
        """The outcome of a result. The default comparison is that of the schema."""
        accepted, refused = (schema.written(result), None) if result.ok else (None, _refused(result, schema))
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
            fold=fold,
            has_label=record.has_label,
            constant=constant,
            comparison=comparison or Comparison.of(schema),
        )

    @classmethod
    def from_json(cls, row: dict[str, Any], comparison: Comparison | None = None) -> "Outcome":
        """Read what `to_json` wrote, with attempts in full. Raises `DataError` for anything else."""
        with understood("an outcome"):
            for name in ("issues", "edits", "attempts", "checks"):
                row = {**row, name: tuple(row.get(name, ()))}
            row["setting"] = tuple((name, value) for name, value in row.get("setting", ()))
            if row.get("constant") is not None:
                right, leaves, whole = row["constant"] = tuple(row["constant"])
                require("constant", type(right) is type(leaves) is int and 0 <= right <= leaves and whole in (0, 1))
            made = cls(**row, comparison=comparison or Comparison())
            texts = (made.strategy, made.model, made.key, made.text, made.perturbation)
            numbers = (made.repeat, made.fold or 0, *made.confidence.values())
            if not all(isinstance(one, str) for one in texts) or made.status not in get_args(Status):
                raise ValueError("invalid names or status")
            if not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
                raise ValueError("invalid numbers")
            for issue in made.issues:
                issue_of(issue)
            for edit in made.edits:
                edit_of(edit)
            hash(made.arm)
        return made

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON, except the comparison, which the header of a log holds."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "comparison"}

    def measured(self) -> dict[str, Any]:
        """What is measured, as JSON, without the texts of the record, the prompts and the answers."""
        names = ("strategy", "model", "key", "repeat", "status", "setting", "perturbation")
        numbers = {"right": self.right, "leaves": [self.score.right, self.score.leaves], "usage": asdict(self.usage)}
        return {**{name: getattr(self, name) for name in names}, **numbers}

    @property
    def arm(self) -> Arm:
        """The arm that the outcome belongs to."""
        return Arm(self.strategy, self.model, self.setting, self.perturbation)

    @property
    def ok(self) -> bool:
        """Whether a document was accepted."""
        return self.status in ("valid", "repaired")

    @cached_property
    def score(self) -> Score:
        """The score of the accepted document."""
        return score(self.expected, self.document, self.comparison)

    @property
    def right(self) -> bool:
        """Whether the document was accepted and is right in every leaf; never without a label."""
        return self.has_label and self.ok and self.score.all_right

    @property
    def usages(self) -> list[Usage]:
        """The usage of each call, those of verifiers included."""
        return [Usage(**call["usage"]) for call in (*self.attempts, *self.checks)]

    @cached_property
    def usage(self) -> Usage:
        """The usage of all calls, those of verifiers included."""
        return sum(self.usages, Usage())

    @cached_property
    def calls(self) -> tuple[Attempt, ...]:
        """The attempts, then the calls of verifiers. Prompts lack their constraints: a log does not hold them."""
        return tuple(map(attempt_of, (*self.attempts, *self.checks)))

    @property
    def verification(self) -> Usage:
        """The usage of the calls of verifiers."""
        return _usage(self.checks)

    @property
    def answer(self) -> str:
        """The model's last answer, as produced."""
        return cast("str", self.attempts[-1]["text"]) if self.attempts else ""

    @property
    def sureness(self) -> float | None:
        """The least confidence in any leaf, as `Confident` uses it; None if the strategy reports no confidence."""
        return min(self.confidence.values()) if self.confidence else None

    @property
    def answer_sureness(self) -> float | None:
        """The probability of the whole answer, as `Confident(of="answer")` uses it (see `answer_probability`)."""
        return answer_probability(self.calls[: len(self.attempts)])

    @property
    def value_logprob(self) -> float | None:
        """The mean log-probability of the values in the last answer; None if the model reports none."""
        return self.calls[len(self.attempts) - 1].completion.mean_value_logprob if self.attempts else None


def _usage(attempts: tuple[dict[str, Any], ...]) -> Usage:
    return sum((Usage(**attempt["usage"]) for attempt in attempts), Usage())


def _refused(result: Result[Any], schema: Schema[Any]) -> Json:
    checked = schema.check(result.document)
    return schema.written(checked) if checked.ok else result.document
