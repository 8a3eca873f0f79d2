"""Numeric features of a result that cost no model call."""

from collections.abc import Sequence
from math import log
from typing import Any

from structout.document import leaves
from structout.models.base import Model
from structout.result import Result, Task
from structout.verifiers.base import Verdict
from structout.verifiers.grounded import Grounded
from structout.words import plain_words

NAMES = (
    "value_mean", "value_least", "value_total", "token_mean", "token_least", "token_total",
    "leaf_least", "leaf_second", "leaf_mean",
    "grounded_share", "grounded_least", "covered",
    "words", "leaves", "steered", "repaired",
)  # fmt: skip
_FLOOR = 1e-6  # smaller probabilities count as this one


def features(
    tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], grounded: Grounded, model: Model
) -> list[tuple[float, ...]]:
    """A row of numbers for each result, in the order of `NAMES`.

    The features are log-probabilities (of the tokens that carry values, of all tokens, of whole leaves), the share of
    the document found in the record and of the record found in the document, and sizes. An unknown feature is 0.
    """
    verdicts = grounded.check(tasks, results, model)
    return [_row(*item) for item in zip(tasks, results, verdicts, strict=True)]


def _row(task: Task[Any], result: Result[Any], verdict: Verdict) -> tuple[float, ...]:
    completion = result.attempts[-1].completion if result.attempts else None
    tokens = [max(one, log(_FLOOR)) for one in (completion.logprobs if completion else None) or ()]
    flags = (completion.values if completion else None) or ()
    values = [one for one, is_value in zip(tokens, flags, strict=False) if is_value]
    sure = sorted(log(max(one, _FLOOR)) for one in result.confidence.values())
    found, document = list(verdict.confidence.values()), leaves(result.document)
    said = set(plain_words(task.text))
    written = {word for value in document.values() for word in plain_words(str(value))}
    return (
        _mean(values), min(values, default=0.0), sum(values), _mean(tokens), min(tokens, default=0.0), sum(tokens),
        sure[0] if sure else 0.0, sure[1] if len(sure) > 1 else 0.0, _mean(sure),
        _mean(found) if found else 1.0, min(found, default=1.0), len(said & written) / max(len(said), 1),
        log(1 + len(said)), log(1 + len(document)), float(bool(completion and completion.steered)),
        float(result.status == "repaired"),
    )  # fmt: skip


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0
