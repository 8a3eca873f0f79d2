"""The measures of this comparison, each a plain function of outcomes."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import groupby
from math import comb
from typing import Any

from structout.document import Json, leaves
from structout.evaluation import metrics
from structout.evaluation.outcome import Outcome
from structout.evaluation.stats.pairs import holm
from structout.evaluation.stats.rates import wilson

Row = dict[str, Any]
_DRAWS = 2000


def right(outcome: Outcome) -> bool:
    return outcome.right


def wrong(outcome: Outcome) -> bool:
    return outcome.ok and not right(outcome)


def row(outcomes: Sequence[Outcome], base: Sequence[Outcome]) -> Row:
    """All that is said of one strategy: rates with 95 % intervals, costs, and differences to `base`, paired."""
    accepted = [one for one in outcomes if one.ok]
    rates = {
        "compliance": metrics.compliance_rate(outcomes),
        "yield": metrics.yield_rate(outcomes),
        "value accuracy": metrics.value_accuracy(outcomes),
        "record accuracy": metrics.record_accuracy(outcomes),
        "wrong-but-valid": metrics.wrong_but_valid(outcomes),
        "wrong of accepted": wilson(sum(map(wrong, accepted)) / max(len(accepted), 1), len(accepted)),
        "false accept": metrics.false_accept_rate(outcomes),
        "false reject": metrics.false_reject_rate(outcomes),
    }
    return {
        "n": len(outcomes),
        **{name: asdict(rate) for name, rate in rates.items()},
        "hallucinated": hallucinated(outcomes),
        "cost": asdict(metrics.cost(outcomes)),
        "more right": paired(outcomes, base, right),
        "more wrong": paired(outcomes, base, wrong),
    }


def corrected(rows: dict[str, Row], base: str) -> dict[str, Row]:
    """The rows with each p corrected for the number of ways that are compared with `base` (Holm 1979)."""
    for measure in ("more right", "more wrong"):
        compared = [found[measure] for name, found in rows.items() if name != base]
        for one, p in zip(compared, holm([one["p"] for one in compared]), strict=True):
            one["p"] = p
    return rows


def hallucinated(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Text leaves of accepted documents, and those that are made up: not the right ones, and nowhere in the record.

    Judged by letters alone, without case and the width of spaces, and not as `Grounded` looks for them.
    """
    counts: Counter[str] = Counter()
    for one in outcomes:
        if one.ok:
            counts["leaves"] += sum(isinstance(value, str) for value in leaves(one.document).values())
            counts["made up"] += len(made_up(one.text, one.expected, one.document))
    return {name: counts[name] for name in ("leaves", "made up")}


def made_up(text: str, expected: Json, document: Json) -> list[str]:
    """Where a document holds text that is neither the right one there nor in the record."""
    gold, said = leaves(expected), _flat(text)
    return [
        place
        for place, value in leaves(document).items()
        if isinstance(value, str) and gold.get(place) != value and _flat(value) not in said
    ]


def _flat(text: str) -> str:
    return " ".join(text.casefold().split())


def paired(outcomes: Sequence[Outcome], base: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> dict[str, float]:
    """The difference of two shares over the same records, with a bootstrap interval and McNemar's exact p."""
    other = {one.key: holds(one) for one in base}
    changes = [int(holds(one)) - int(other[one.key]) for one in outcomes]
    draw = random.Random(0)
    means = sorted(sum(draw.choices(changes, k=len(changes))) / len(changes) for _ in range(_DRAWS))
    up, down = changes.count(1), changes.count(-1)
    tail = sum(comb(up + down, k) for k in range(min(up, down) + 1)) / 2 ** (up + down)
    return {
        "value": sum(changes) / len(changes),
        "low": means[int(0.025 * _DRAWS)],
        "high": means[int(0.975 * _DRAWS)],
        "p": min(1.0, 2 * tail),
    }


def consistency(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The share of fields that are the same in all runs of a record (total agreement, arXiv 2408.04667), by record.

    The fields are those that any run filled in; a run without an accepted document agrees on none.
    """
    runs: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        runs[one.key].append(one)
    shares = []
    for group in runs.values():
        filled = [leaves(one.document) for one in group]
        places = {place for one in filled for place in one}
        same = sum(all(place in one and one[place] == filled[0].get(place) for one in filled) for place in places)
        shares.append(same / len(places) if places else float(all(one.ok for one in group)))
    return asdict(wilson(sum(shares) / len(shares), len(shares)))


def brier(scores: Sequence[tuple[float, bool]]) -> float:
    """The mean squared error of probabilities (Brier 1950): 0.25 for always saying a half."""
    return sum((p - is_right) ** 2 for p, is_right in scores) / len(scores)


def auc(scores: Sequence[tuple[float, bool]]) -> float | None:
    """How often a right result scores above a wrong one, ties counting half; None without both."""
    good = [p for p, is_right in scores if is_right]
    bad = [p for p, is_right in scores if not is_right]
    if not good or not bad:
        return None
    return sum((g > b) + (g == b) / 2 for g in good for b in bad) / (len(good) * len(bad))


def right_of_the_first(scores: Sequence[tuple[float, bool]]) -> list[float]:
    """How many of the k best scores are right, for each k; among equal scores, which have no order, on average."""
    found: list[float] = []
    before = 0
    for _, group in groupby(sorted(scores, reverse=True), key=lambda item: item[0]):
        tied = [is_right for _, is_right in group]
        found += [before + sum(tied) * k / len(tied) for k in range(1, len(tied) + 1)]
        before += sum(tied)
    return found


def abstention_bound(before: float, after: float) -> float:
    """The share that must be abstained on, at least, to bring a share of wrong ones down (arXiv 2606.29054)."""
    return max(0.0, (before - after) / (1 - after)) if after < 1 else 0.0
