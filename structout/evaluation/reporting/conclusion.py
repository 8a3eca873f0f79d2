"""The closing paragraph of a report: what was learnt, which strategy to take, and why."""

from collections.abc import Iterator, Sequence

from structout.evaluation.amounts import Minimise, a_record, plain
from structout.evaluation.folds import described
from structout.evaluation.report import Pair, Report, ReportRow
from structout.evaluation.stats.rates import CONFIDENCE, Rate


def conclusion(report: Report, place: str | None = None) -> str:
    """The closing paragraph of a report; `place` is where the reader finds the report."""
    folds = report.about.get("folds")
    made = described(len({outcome.key for outcome in report.outcomes}), folds) if isinstance(folds, int) else ""
    return conclude(report.rows(), report.pairs(), made=made, place=place)


def conclude(rows: Sequence[ReportRow], pairs: Sequence[Pair] = (), *, made: str = "", place: str | None = None) -> str:
    """The paragraph for these rows and pairs. `made` says how folds were made; `place` is where the report is.

    It names one strategy to take: the cheapest strategy that these pairs do not show to be less accurate than the best.
    The text is plain: it still has to be escaped for its surface.
    """
    return " ".join(filter(None, [*_learnt(rows, pairs), made, f"The report is in {place}." if place else ""]))


def taken(rows: Sequence[ReportRow], pairs: Sequence[Pair]) -> ReportRow | None:
    """The row of the strategy to take; None without labels, and if no strategy got a record right."""
    if not rows or "record accuracy" not in rows[0].rates:
        return None
    best = best_of(rows)
    if not best.record_accuracy.value:
        return None
    return min((row for row in rows if _may_be_as_good(row, best, pairs)), key=lambda row: _cost(row, _unit(rows)))


def best_of(rows: Sequence[ReportRow]) -> ReportRow:
    """The most accurate of several rows with labels; the cheaper one of equals."""
    unit = _unit(rows)
    return max(rows, key=lambda row: (row.record_accuracy.value, row.value_accuracy.value, -_cost(row, unit)))


def _learnt(rows: Sequence[ReportRow], pairs: Sequence[Pair]) -> Iterator[str]:
    if not rows:
        yield "Nothing was measured."
    elif "record accuracy" not in rows[0].rates:
        yield from _without_labels(rows)
    elif (one := taken(rows, pairs)) is None:
        yield from _all_wrong(rows)
    else:
        yield from _choice(rows, pairs, one)


def _without_labels(rows: Sequence[ReportRow]) -> Iterator[str]:
    best = max(rows, key=lambda row: row.compliance.value)
    yield f"The {best.n} records have no labels: nothing here says whether the values are right."
    yield f"{_name(best, rows)} complied with the schema in {_percent(best.compliance)} of the records."
    yield "A document may comply and be wrong, so label records (structout label) and measure again before you choose."


def _all_wrong(rows: Sequence[ReportRow]) -> Iterator[str]:
    best = best_of(rows)
    most = f"at most {100 * best.record_accuracy.high:.0f} % with {100 * CONFIDENCE:.0f} % confidence"
    values = f"{_percent(best.value_accuracy)} of the values"
    if len(rows) == 1:
        yield f"{_name(best, rows)} got 0 of {best.n} records wholly right ({most}), and {values}."
    else:
        yield f"None of the {len(rows)} strategies got one of {best.n} records wholly right ({most})."
        yield f"{_name(best, rows)} got the most values right: {values}."
    yield from _warned(rows)
    yield (
        "Take none of them where records must be right: try a larger model, fine-tune one (structout finetune), "
        "or have a verifier keep wrong records out."
    )


def _choice(rows: Sequence[ReportRow], pairs: Sequence[Pair], one: ReportRow) -> Iterator[str]:
    best, unit = best_of(rows), _unit(rows)
    cheapest = min(rows, key=lambda row: _cost(row, unit))
    name, cost = _name(one, rows), a_record(_cost(one, unit), unit)
    got = f"{_percent(best.record_accuracy)} of {best.n} records wholly right, and {_percent(best.value_accuracy)}"
    if len(rows) == 1:
        yield f"{name} got {got} of the values."
        yield from _warned(rows)
        yield f"It costs {cost}. No other strategy was measured: compare it with another one (--strategy)."
        return
    yield f"Of {len(rows)} strategies, {_name(best, rows)} got the most right: {got} of the values."
    yield from _warned(rows)
    if one is best and best is cheapest:
        yield f"Take {name}: it is the most accurate strategy and the cheapest ({cost})."
        if pairs and not any(_is_shown(pair, best) for pair in pairs):
            yield f"On {best.n} records, its lead in whole records may still be chance."
    elif one is best:
        more = 100 * (one.record_accuracy.value - cheapest.record_accuracy.value)
        times = _cost(one, unit) / _cost(cheapest, unit) if _cost(cheapest, unit) else 0.0
        factor = f", {plain(times)} times as much as the cheapest" if times else ""
        yield f"Take {name} if right records are worth their price: it costs {cost}{factor},"
        yield f"{_name(cheapest, rows)}, and gets {more:.0f} more of 100 records right."
    else:
        yield f"Take {name} ({cost}): it is the cheapest strategy that may be as accurate."
        yield f"On {best.n} records, its {_percent(one.record_accuracy)} are not shown to be less than the most."
    yield _of_wrong(one)


def _warned(rows: Sequence[ReportRow]) -> Iterator[str]:
    """A sentence that compliance hides wrong records, if it does."""
    worst = max(rows, key=lambda row: (row.wrong_but_valid.value, row.compliance.value))
    if worst.wrong_but_valid.value and worst.compliance.value > worst.record_accuracy.value:
        wrong = f"{100 * worst.wrong_but_valid.value:.0f} %"
        yield (
            f"Compliance does not tell: {_name(worst, rows)} complied in {100 * worst.compliance.value:.0f} % "
            f"of the records, and {wrong} of the records were accepted although a value is wrong."
        )


def _of_wrong(row: ReportRow) -> str:
    wrong = row.wrong_but_valid
    if not wrong.value:
        return f"It accepted no wrong record; up to {100 * wrong.high:.0f} % wrong records are still possible."
    return (
        f"Of its records, {_percent(wrong)} are accepted although wrong: structout certify finds the confidence that "
        "keeps such records out, if there is one."
    )


def _may_be_as_good(row: ReportRow, best: ReportRow, pairs: Sequence[Pair]) -> bool:
    """Whether the records do not show a row to be less accurate than the best one. A row without a right record, or
    with clearly fewer right values, is less accurate.
    """
    if row is best:
        return True
    shown = any(_is_shown(pair, row) and _is_shown(pair, best) for pair in pairs)
    return not shown and row.record_accuracy.value > 0 and row.value_accuracy.high >= best.value_accuracy.low


def _is_shown(pair: Pair, row: ReportRow) -> bool:
    """Whether a pair shows a difference between a row and another one."""
    arms = [(arm.label, arm.model) for arm in (pair.one, pair.other)]
    return (row.label, row.model) in arms and pair.p <= 1 - CONFIDENCE


def _unit(rows: Sequence[ReportRow]) -> Minimise:
    """The price if it is known for all rows, otherwise seconds."""
    return "price" if all(row.cost.price is not None for row in rows) else "seconds"


def _cost(row: ReportRow, unit: Minimise) -> float:
    return (row.cost.price or 0.0) if unit == "price" else row.cost.seconds


def _name(row: ReportRow, rows: Sequence[ReportRow]) -> str:
    return f"{row.label} on {row.model}" if len({one.model for one in rows}) > 1 else row.label


def _percent(rate: Rate) -> str:
    return f"{100 * rate.value:.0f} % ({100 * rate.low:.0f} to {100 * rate.high:.0f})"
