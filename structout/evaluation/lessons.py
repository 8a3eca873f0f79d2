"""Lessons from a log: results compared with their labels, for a verifier to learn from."""

from collections.abc import Sequence
from typing import Any

from structout.evaluation.outcome import Outcome
from structout.evaluation.scoring.score import score
from structout.result import Result, Task
from structout.schema import Schema
from structout.verifiers import Judged


def judged(outcomes: Sequence[Outcome], schema: Schema[Any]) -> list[Judged]:
    """Results that were accepted or rejected by a verifier, each with whether it is right; others are skipped.

    Results without a label are skipped too.
    """
    known = [one for one in outcomes if one.has_label]
    made = [(one, one.document if one.ok else one.refused) for one in known if one.ok or one.status == "rejected"]
    lessons = []
    for outcome, document in made:
        checked = schema.check(document)
        result: Result[Any] = Result(
            "repaired" if any(edit["kind"] != "steered" for edit in outcome.edits) else "valid",
            checked.value,
            document if outcome.written is None else outcome.written,
            attempts=outcome.calls[: len(outcome.attempts)],
            confidence=outcome.confidence,
        )
        lessons.append(
            Judged(Task(outcome.text, schema), result, score(outcome.expected, document, outcome.comparison).all_right)
        )
    return lessons
