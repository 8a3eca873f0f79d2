"""Errors by kind and by field: why each leaf of each record is not right."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from structout.document import Json
from structout.evaluation.outcome import Outcome
from structout.evaluation.scoring.comparison import Comparison
from structout.evaluation.scoring.score import Leaf, score
from structout.evaluation.stats.rates import Rate, clustered
from structout.surfaces import json_text

Error = Literal[
    "missing",  # in the expected document, but not in the answer
    "invented",  # in the answer, but not in the expected document
    "wrong value",
    "wrong type",
    "out of enum",
    "lost",  # right, but in a document that could not be accepted
    "truncated",  # the token limit cut the answer off
    "not JSON",
    "refused",  # the model could not take the prompt, or a verifier refused the document
]
MOST_VALUES = 30  # of a closed field
ERRORS: tuple[Error, ...] = Error.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Field:
    """One field over many records.

    `precision` is the share of answered leaves that are right, `recall` the share of expected leaves that are right;
    `errors` counts the leaves that are not right by kind of error. In a closed field (an enum or a boolean), `values`
    is the recall of each expected value by its JSON, the most frequent first, for at most `MOST_VALUES` values.
    """

    name: str
    precision: Rate
    recall: Rate
    right: int
    errors: dict[Error, int]
    values: dict[str, Rate] = field(default_factory=dict)

    @property
    def failed(self) -> float:
        """The share of the field's leaves that are not right."""
        wrong = sum(self.errors.values())
        return wrong / (wrong + self.right) if wrong + self.right else 0.0


def fields(outcomes: Sequence[Outcome]) -> list[Field]:
    """All fields that were expected or answered, in order of first appearance."""
    right: Counter[str] = Counter()
    errors: dict[str, Counter[Error]] = {}
    hits: dict[str, Counter[str]] = {}
    answered: dict[str, Counter[str]] = {}
    expected: dict[str, Counter[str]] = {}
    values: dict[str, dict[str, list[tuple[str, bool]]]] = {}
    for outcome in outcomes:
        for leaf, error in judged(outcome):
            name = leaf.field or "(document)"
            for counts in (hits, answered, expected, errors):
                counts.setdefault(name, Counter())
            right[name] += error is None
            hits[name][outcome.key] += error is None
            answered[name][outcome.key] += outcome.ok and error != "missing"
            expected[name][outcome.key] += error != "invented"
            if error is not None:
                errors[name][error] += 1
            if leaf.field in outcome.comparison.closed and error != "invented":
                by_value = values.setdefault(name, {})
                by_value.setdefault(json_text(leaf.expected), []).append((outcome.key, error is None))
    return [
        Field(
            name,
            _rate(hits[name], answered[name]),
            _rate(hits[name], expected[name]),
            right[name],
            dict(errors[name]),
            _recalls(values.get(name, {})),
        )
        for name in errors
    ]


def taxonomy(outcomes: Sequence[Outcome]) -> dict[Error, int]:
    """The number of leaves with each kind of error."""
    found = Counter(error for outcome in outcomes for _, error in judged(outcome) if error is not None)
    return {error: found[error] for error in ERRORS if found[error]}


def judged(outcome: Outcome) -> Iterator[tuple[Leaf, Error | None]]:
    """The leaves of a record with their errors, None for a right leaf.

    Without an accepted document, every leaf has an error: the one of the answer as a whole, or else the leaf's own.
    """
    if outcome.ok:
        for leaf in outcome.score.found:
            yield leaf, None if leaf.verdict == "right" else leaf.verdict
        return
    whole = whole_error(outcome)
    for leaf in refused_leaves(outcome, None if whole else outcome.refused):
        yield leaf, whole or _of_issue(leaf, outcome) or ("lost" if leaf.verdict == "right" else leaf.verdict)


def refused_leaves(outcome: Outcome, document: Json) -> Sequence[Leaf]:
    """The leaves of a document that was not accepted, beside the expected leaves: items of sets keep their places."""
    ordered = Comparison({k: v for k, v in outcome.comparison.places.items() if v.by != "set"})
    return score(outcome.expected, document, ordered).found


def whole_error(outcome: Outcome) -> Error | None:
    """The error of the answer as a whole, None if its leaves can be judged one by one."""
    kinds = {issue["kind"] for issue in outcome.issues}
    if outcome.status == "rejected" or "unanswered" in kinds or not outcome.attempts:
        return "refused"
    if outcome.status == "truncated":
        return "truncated"
    return "not JSON" if outcome.refused is None or "not_json" in kinds else None


def _of_issue(leaf: Leaf, outcome: Outcome) -> Error | None:
    for issue in outcome.issues:
        if issue["kind"] in ("type", "enum") and f"{leaf.pointer}/".startswith(f"{issue['pointer']}/"):
            return "wrong type" if issue["kind"] == "type" else "out of enum"
    return None


def _recalls(values: Mapping[str, Sequence[tuple[str, bool]]]) -> dict[str, Rate]:
    """The recall of each value, from the keys of the records that expect it and whether they got it."""
    often = sorted(values, key=lambda value: -len(values[value]))[:MOST_VALUES]
    return {
        value: _rate(Counter(key for key, hit in values[value] if hit), Counter(key for key, _ in values[value]))
        for value in often
    }


def _rate(hits: Counter[str], sizes: Counter[str]) -> Rate:
    keys = [key for key, size in sizes.items() if size]
    return clustered([hits[key] for key in keys], [sizes[key] for key in keys])
