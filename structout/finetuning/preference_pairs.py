"""Preference pairs from a log: for one record, an answer that is right and an answer that is not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from structout.completion import Message
from structout.evaluation.outcome import Outcome
from structout.evaluation.scoring.score import score
from structout.finetuning.demonstrations import demonstrate
from structout.prompts import Show, compose
from structout.result import Example, Task
from structout.schema import Schema

_MOST = 2  # pairs of one record, so that hard records do not dominate


@dataclass(frozen=True, slots=True)
class Preference:
    """Two answers to one prompt, the better one first."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str


def preferences(
    outcomes: Iterable[Outcome],
    schema: Schema[Any],
    show: Show = "brief",
    *,
    labels: Sequence[Example] = (),
) -> list[Preference]:
    """Pairs from a log of `evaluate`: answers that comply and are right against answers that are invalid or wrong.

    A record gives at most two pairs. It gives none without a wrong answer, nor without a right one; its label in
    `labels` serves as the right answer if no model gave one. If a model learned another order of keys, give `schema`
    in this order (`reordered`).
    """
    known = {example.text: example for example in labels}
    right: dict[str, str] = {}
    wrong: dict[str, dict[str, None]] = {}  # in the order of the log
    for outcome in outcomes:
        for attempt in _to_this_prompt(outcome):
            said = attempt["text"]
            checked = schema.check_text(said)
            if checked.ok and score(outcome.expected, schema.written(checked), outcome.comparison).all_right:
                right.setdefault(outcome.text, said)
            elif said:
                wrong.setdefault(outcome.text, {}).setdefault(said)
    pairs = []
    for text, answers in wrong.items():
        chosen = right.get(text)
        if chosen is None and text in known:
            chosen = demonstrate([known[text]], schema, show)[0].response
        if chosen is not None:
            prompt = compose(Task(text, schema), show=show)
            pairs += [Preference(prompt, chosen, rejected) for rejected in list(answers)[:_MOST]]
    return pairs


def _to_this_prompt(outcome: Outcome) -> Sequence[dict[str, Any]]:
    """The attempts that were asked for JSON, without free drafts and other formats."""
    if "format=" in outcome.strategy:
        return ()
    free = "Draft(" in outcome.strategy or "Think(" in outcome.strategy
    return outcome.attempts[-1:] if free else outcome.attempts
