"""What is measured: plain functions of outcomes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from structout.completion import Usage
from structout.document import parse_json
from structout.evaluation.compare import Score, score
from structout.evaluation.outcome import Outcome
from structout.evaluation.statistics import Rate, wilson


def parse_rate(outcomes: Sequence[Outcome]) -> Rate:
    """How often the last answer, as produced, was one JSON document."""
    return _share(outcomes, lambda o: bool(o.attempts) and parse_json(o.answer)[1] is None)


def compliance_rate(outcomes: Sequence[Outcome]) -> Rate:
    """How often the last answer, as produced, complied with the schema strictly."""
    return _share(outcomes, lambda o: o.status in ("valid", "rejected"))


def yield_rate(outcomes: Sequence[Outcome]) -> Rate:
    """How often a document was accepted, repaired ones included."""
    return _share(outcomes, lambda o: o.ok)


def record_accuracy(outcomes: Sequence[Outcome]) -> Rate:
    """How often the accepted document was right in every leaf; what was not accepted is not right."""
    return _share(outcomes, lambda o: o.ok and _score(o).all_right)


def wrong_but_valid(outcomes: Sequence[Outcome]) -> Rate:
    """How often a document was accepted and is wrong: the errors that a program does not see."""
    return _share(outcomes, lambda o: o.ok and not _score(o).all_right)


def false_accept_rate(outcomes: Sequence[Outcome]) -> Rate:
    """Of the wrong documents that could have been accepted, the share that a verifier let pass."""
    wrong = [o for o in outcomes if _could_pass(o) and not _made_right(o)]
    return _share(wrong, lambda o: o.ok)


def false_reject_rate(outcomes: Sequence[Outcome]) -> Rate:
    """Of the right documents, the share that a verifier refused."""
    right = [o for o in outcomes if _could_pass(o) and _made_right(o)]
    return _share(right, lambda o: not o.ok)


def value_accuracy(outcomes: Sequence[Outcome]) -> Rate:
    """The share of leaves that are right, over all records; without an accepted document none is.

    The interval takes each record as one observation, since the leaves of a record are right or wrong together.
    """
    scores = [_score(o) for o in outcomes]
    total = sum(s.leaves for s in scores)
    return wilson(sum(s.right for s in scores) / total if total else 0.0, len(scores) if total else 0)


@dataclass(frozen=True, slots=True)
class Cost:
    """What an average record costs, and what a right one does (None if none was right).

    `checks` are those of the calls that verifiers made.
    """

    calls: float
    tokens: float
    seconds: float
    tokens_per_correct: float | None
    seconds_per_correct: float | None
    checks: float = 0.0


def cost(outcomes: Sequence[Outcome]) -> Cost:
    """Calls, tokens (read and written) and seconds per record and per record that is right; every attempt counts."""
    total = sum((o.usage for o in outcomes), Usage())
    tokens, n = total.input_tokens + total.output_tokens, max(len(outcomes), 1)
    correct = sum(o.ok and _score(o).all_right for o in outcomes)
    return Cost(
        total.calls / n,
        tokens / n,
        total.seconds / n,
        tokens / correct if correct else None,
        total.seconds / correct if correct else None,
        sum(o.verification.calls for o in outcomes) / n,
    )


def _score(outcome: Outcome) -> Score:
    return score(outcome.expected, outcome.document)


def _could_pass(outcome: Outcome) -> bool:
    return outcome.ok or outcome.status == "rejected"


def _made_right(outcome: Outcome) -> bool:
    """Whether the document that was made, accepted or refused, is right."""
    return score(outcome.expected, outcome.document if outcome.ok else outcome.refused).all_right


def _share(outcomes: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> Rate:
    return wilson(sum(map(holds, outcomes)) / len(outcomes) if outcomes else 0.0, len(outcomes))
