"""Metrics: plain functions from outcomes to a `Rate`."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Protocol

import numpy as np

from structout.completion import Usage
from structout.document import Json, parse_json
from structout.evaluation.outcome import Outcome
from structout.evaluation.scoring.score import score
from structout.evaluation.stats.rates import Rate, clustered, wilson
from structout.prices import Price
from structout.verifiers.finding import SearchedText, searched


class Metric(Protocol):
    """A plain function from outcomes to a `Rate`; `evaluate(metrics=...)` takes any such function.

    The function gets the outcomes of one strategy with one model. `share` makes a rate with a sound interval.

        from structout.evaluation import share

        def short_answers(outcomes):
            return share(outcomes, lambda outcome: len(outcome.answer) < 40)

        report = evaluate([Prompted()], Scripted("{}"), data, metrics={"short": short_answers})
        assert report["Prompted"].rates["short"].value == 1
    """

    def __call__(self, outcomes: Sequence[Outcome], /) -> Rate: ...


def parse_rate(outcomes: Sequence[Outcome]) -> Rate:
    """The share of last answers that were one JSON document as produced."""
    return share(outcomes, lambda o: bool(o.attempts) and parse_json(o.answer)[1] is None)


def compliance_rate(outcomes: Sequence[Outcome]) -> Rate:
    """The share of last answers that complied strictly with the schema as produced."""
    return share(outcomes, complies)


def yield_rate(outcomes: Sequence[Outcome]) -> Rate:
    """The share of outcomes with an accepted document, repaired documents included."""
    return share(outcomes, lambda o: o.ok)


def record_accuracy(outcomes: Sequence[Outcome]) -> Rate:
    """The share of outcomes with an accepted document that is right in every leaf."""
    return share(outcomes, lambda o: o.right)


def wrong_but_valid(outcomes: Sequence[Outcome]) -> Rate:
    """The share of outcomes with an accepted document that is wrong: the errors that a program cannot see."""
    return share(outcomes, is_wrong)


def wrong_of_accepted(outcomes: Sequence[Outcome]) -> Rate:
    """The share of accepted documents that are wrong. Nothing is known of a strategy that accepts none."""
    return share([o for o in outcomes if o.ok], is_wrong)


def value_accuracy(outcomes: Sequence[Outcome]) -> Rate:
    """The share of leaves that are right, over all records; without an accepted document, no leaf is right.

    The interval treats the leaves of a record as dependent.
    """
    return of_records(outcomes, lambda o: (o.score.right, o.score.leaves))


def hallucinated(outcomes: Sequence[Outcome]) -> Rate:
    """The share of accepted leaves that are neither right nor found in the text; enums and booleans are left out."""

    def count(outcome: Outcome) -> tuple[int, int]:
        found = [
            leaf
            for leaf in outcome.score.found
            if outcome.ok and leaf.verdict != "missing" and leaf.field not in outcome.comparison.closed
        ]
        text = searched(outcome.text)
        return sum(leaf.verdict != "right" and not is_found(leaf.answer, text) for leaf in found), len(found)

    return of_records(outcomes, count)


def is_found(value: Json, text: SearchedText) -> bool:
    """Whether a text contains a value: literally, in another spelling, or as an equal number or date."""
    return isinstance(value, str | int | float) and text.find(value).span is not None


def false_accept_rate(outcomes: Sequence[Outcome]) -> Rate:
    """The share of wrong documents that were accepted, among the documents that a verifier could accept."""
    return share([o for o in outcomes if _could_pass(o) and not _made_right(o)], lambda o: o.ok)


def false_reject_rate(outcomes: Sequence[Outcome]) -> Rate:
    """The share of right documents that a verifier rejected."""
    return share([o for o in outcomes if _could_pass(o) and _made_right(o)], lambda o: not o.ok)


def pass_power(outcomes: Sequence[Outcome], k: int) -> Rate:
    """The probability that `k` answers to one record are all right: pass^k (tau-bench, arXiv 2406.12045).

    The estimate is the mean over records of C(c, k) / C(n, k), for a record with n answers of which c are right.
    Records that were asked fewer than `k` times are left out.
    """
    asked, right = Counter(o.key for o in outcomes), Counter(o.key for o in outcomes if o.right)
    shares = [comb(right[key], k) / comb(n, k) for key, n in asked.items() if n >= k]
    return wilson(sum(shares) / len(shares) if shares else 0.0, len(shares))


def agreement(outcomes: Sequence[Outcome]) -> Rate:
    """How often two answers to one record are the same document; two missing documents are the same."""
    answers: dict[str, list[object]] = {}
    for outcome in outcomes:
        answers.setdefault(outcome.key, []).append(outcome.document)
    shares = []
    for documents in answers.values():
        pairs = list(combinations(documents, 2))
        if pairs:
            shares.append(sum(one == other for one, other in pairs) / len(pairs))
    return wilson(sum(shares) / len(shares) if shares else 0.0, len(shares))


# By name; `LABEL_FREE` names the metrics that need no labels.
RATES: Mapping[str, Metric] = {
    "parse": parse_rate,
    "compliance": compliance_rate,
    "yield": yield_rate,
    "value accuracy": value_accuracy,
    "record accuracy": record_accuracy,
    "wrong-but-valid": wrong_but_valid,
}
LABEL_FREE = ("parse", "compliance", "yield")


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost per record, and per right record (None if no record is right).

    `checks` is the part of `calls` that verifiers made. `p50` and `p95` are percentiles of the seconds per record.
    `price` is None if the price of a model that was asked is unknown. If `estimated` of the tokens per record are
    estimated at the most, `tokens` and `price` are upper bounds.
    """

    calls: float
    tokens: float
    seconds: float
    tokens_per_correct: float | None
    seconds_per_correct: float | None
    checks: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    price: float | None = None
    price_per_correct: float | None = None
    estimated: float = 0.0


def cost(outcomes: Sequence[Outcome], prices: Mapping[str, Price] | None = None) -> Cost:
    """Calls, tokens (read and written), seconds and price, per record and per right record; every attempt counts."""
    total = sum((o.usage for o in outcomes), Usage())
    tokens, n = total.input_tokens + total.output_tokens, max(len(outcomes), 1)
    correct = sum(o.right for o in outcomes)
    asked = [(attempt["model"], attempt["usage"]) for o in outcomes for attempt in (*o.attempts, *o.checks)]
    known = prices is not None and all(model in prices for model, _ in asked)
    price = sum(prices[model].of(Usage(**usage)) for model, usage in asked) if prices is not None and known else None
    p50, p95 = np.quantile([o.usage.seconds for o in outcomes] or [0.0], [0.5, 0.95])
    return Cost(
        calls=total.calls / n,
        tokens=tokens / n,
        seconds=total.seconds / n,
        tokens_per_correct=tokens / correct if correct else None,
        seconds_per_correct=total.seconds / correct if correct else None,
        checks=sum(o.verification.calls for o in outcomes) / n,
        p50=float(p50),
        p95=float(p95),
        price=None if price is None else price / n,
        price_per_correct=None if price is None or not correct else price / correct,
        estimated=total.estimated_tokens / n,
    )


def is_wrong(outcome: Outcome) -> bool:
    """Whether the document was accepted and is wrong in a leaf."""
    return outcome.ok and not outcome.right


def complies(outcome: Outcome) -> bool:
    """Whether the last answer complied strictly with the schema as produced."""
    as_produced = all(edit["kind"] == "steered" for edit in outcome.edits)  # a rejected document may be a repaired one
    return outcome.status == "valid" or (outcome.status == "rejected" and as_produced)


def share(outcomes: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> Rate:
    """The share of outcomes for which `holds` is true.

    The interval treats repeats of a record as dependent, and is wider if folds differ by more than chance.
    """
    return of_records(outcomes, lambda o: (int(holds(o)), 1))


def _could_pass(outcome: Outcome) -> bool:
    return outcome.ok or outcome.status == "rejected"


def _made_right(outcome: Outcome) -> bool:
    """Whether the document, accepted or rejected, is right."""
    made = outcome.document if outcome.ok else outcome.refused
    return score(outcome.expected, made, outcome.comparison).all_right


def of_records(outcomes: Sequence[Outcome], count: Callable[[Outcome], tuple[int, int]]) -> Rate:
    """The rate of what `count` counts in each outcome: the hits, and of how many. Those of one record are dependent."""
    hits: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    folds: dict[str, int] = {}
    for outcome in outcomes:
        hit, size = count(outcome)
        hits[outcome.key] += hit
        sizes[outcome.key] += size
        folds[outcome.key] = outcome.fold or 0
    return clustered([hits[key] for key in sizes], list(sizes.values()), list(folds.values()))
