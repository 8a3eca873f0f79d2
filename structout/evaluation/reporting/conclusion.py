"""The closing paragraph of a report: what was learnt, which strategy to take, and why."""

from collections.abc import Iterable, Iterator, Sequence

from structout.evaluation.amounts import a_record, in_unit, plain, unit_of
from structout.evaluation.folds import described
from structout.evaluation.outcome import Arm
from structout.evaluation.report import Pair, Report, ReportRow
from structout.evaluation.reporting.ranked import ranked
from structout.evaluation.reporting.refused import refused
from structout.evaluation.reporting.ungrounded import ungrounded
from structout.evaluation.stats.rates import CONFIDENCE, Rate

_FREQUENT = 3  # records with a value before its absence is said
_HARDLY_KNOWN = 0.2  # between the ends of an interval


def conclusion(report: Report, place: str | None = None) -> str:
    """The closing paragraph of a report; `place` is where the reader finds the report."""
    folds = report.about.get("folds")
    made = described(len({outcome.key for outcome in report.outcomes}), folds) if isinstance(folds, int) else ""
    rows, pairs, constant = report.rows(), report.pairs(), report.constant
    share = constant.rates["record accuracy"] if constant is not None else None
    named = taken(rows, pairs, share) or (best_of(rows) if rows and report.has_labels else None)
    missed = [] if named is None else [*_missed(report, named), *_found_nowhere(report, named)]
    missed += [told for arm, outcomes in report.plain.items() for told in refused(_called(arm, rows), outcomes)]
    missed.append(ranked((_called(arm, rows), outcomes) for arm, outcomes in report.plain.items()))
    return conclude(rows, pairs, constant=share, missed=missed, made=made, place=place)


def conclude(
    rows: Sequence[ReportRow],
    pairs: Sequence[Pair] = (),
    *,
    constant: Rate | None = None,
    missed: Iterable[str] = (),
    made: str = "",
    place: str | None = None,
) -> str:
    """The paragraph for these rows and pairs. `constant` is the record accuracy of a constant answer, `made` says how
    folds were made, and `place` is where the report is. `missed` says which values the named strategy never found, what
    `Grounded` would refuse, what verifiers refused, and whose confidence ranks well.

    It names one strategy to take: of the strategies that are better than a constant answer, and that these pairs do not
    show to be less accurate than the best, the strategy that accepts the fewest wrong records; of equals, the cheapest.
    The text is plain: it still has to be escaped for its surface.
    """
    told = f"The report is in {place}." if place else ""
    return " ".join(filter(None, [*_learnt(rows, pairs, constant), *missed, made, told]))


def taken(rows: Sequence[ReportRow], pairs: Sequence[Pair], constant: Rate | None = None) -> ReportRow | None:
    """The row of the strategy to take; None without labels, and if no strategy is better than a constant answer."""
    able, unit = _able(rows, pairs, constant), unit_of([row.cost for row in rows])
    return min(able, key=lambda row: (row.wrong_but_valid.value, in_unit(row.cost, unit)), default=None)


def is_open(report: Report) -> bool:
    """Whether more records may tell which strategy to take: several may be as good as the best. A single strategy is
    open if its record accuracy is hardly known.
    """
    if not report.has_labels or not (rows := report.rows()):
        return False
    if len(rows) == 1:
        return rows[0].record_accuracy.high - rows[0].record_accuracy.low > _HARDLY_KNOWN
    share = report.constant.rates["record accuracy"] if report.constant is not None else None
    return len(_able(rows, report.pairs(), share)) > 1


def _able(rows: Sequence[ReportRow], pairs: Sequence[Pair], constant: Rate | None) -> list[ReportRow]:
    """The rows that are better than a constant answer, and not shown to be less accurate than the best."""
    if not rows or "record accuracy" not in rows[0].rates:
        return []
    best, least = best_of(rows), constant.value if constant is not None else 0.0
    return [row for row in rows if row.record_accuracy.value > least and _may_be_as_good(row, best, pairs)]


def best_of(rows: Sequence[ReportRow]) -> ReportRow:
    """The most accurate of several rows with labels; the cheaper one of equals."""
    unit = unit_of([row.cost for row in rows])
    return max(rows, key=lambda row: (row.record_accuracy.value, row.value_accuracy.value, -in_unit(row.cost, unit)))


def _learnt(rows: Sequence[ReportRow], pairs: Sequence[Pair], constant: Rate | None) -> Iterator[str]:
    if not rows:
        yield "Nothing was measured."
    elif "record accuracy" not in rows[0].rates:
        yield from _without_labels(rows)
    elif not best_of(rows).record_accuracy.value:
        yield from _all_wrong(rows)
        yield from _of_constant(constant)
    elif (one := taken(rows, pairs, constant)) is not None:
        yield from _choice(rows, pairs, one, _able(rows, pairs, constant))
        yield from _of_constant(constant)
        yield _of_wrong(one, _name(one, rows))
    else:
        yield _most(rows)
        yield from _warned(rows)
        yield "Take none of them: no strategy gets more records right than a constant answer, which reads no text."
        yield from _of_constant(constant)


def _of_constant(constant: Rate | None) -> Iterator[str]:
    if constant is not None and constant.value:
        yield f"Always the most frequent label of the other records would be right in {_percent(constant)}."


def _missed(report: Report, row: ReportRow) -> list[str]:
    """A sentence for each frequent value of a closed field that was never found; for the two most frequent of them."""
    none = [
        (rate.n, f"{_name(row, report.rows())} got {one.name} right in none of {rate.n} records where it is {value}.")
        for one in report.fields(Arm(row.strategy, row.model, row.setting))
        for value, rate in one.values.items()
        if rate.n >= _FREQUENT and not rate.value
    ]
    return [told for _, told in sorted(none, key=lambda one: -one[0])[:2]]


def _found_nowhere(report: Report, row: ReportRow) -> list[str]:
    """What `Grounded` would keep out of a row's accepted records, as a sentence, if anything."""
    told = ungrounded(_name(row, report.rows()), row.strategy, report.plain[Arm(row.strategy, row.model, row.setting)])
    return [told] if told else []


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


def _most(rows: Sequence[ReportRow]) -> str:
    """Which strategy got the most right, or how many got as many."""
    best = best_of(rows)
    got = f"{_percent(best.record_accuracy)} of {best.n} records wholly right, and {_percent(best.value_accuracy)}"
    if len(rows) == 1:
        return f"{_name(best, rows)} got {got} of the values."
    alike = [row for row in rows if row.record_accuracy.value == best.record_accuracy.value]
    if len(alike) > 1:
        many = f"{len(alike)} of {len(rows)} strategies got the most records right, each as many"
        return f"{many}. {_name(best, rows)} got {got} of the values."
    return f"Of {len(rows)} strategies, {_name(best, rows)} got the most right: {got} of the values."


def _choice(
    rows: Sequence[ReportRow], pairs: Sequence[Pair], one: ReportRow, able: Sequence[ReportRow]
) -> Iterator[str]:
    unit = unit_of([row.cost for row in rows])
    cheapest = min(rows, key=lambda row: in_unit(row.cost, unit))
    name, cost = _name(one, rows), a_record(in_unit(one.cost, unit), unit)
    yield _most(rows)
    yield from _warned(rows)
    if len(rows) == 1:
        yield f"It costs {cost}. No other strategy was measured: compare it with another one (--strategy)."
    elif len(able) > 1:
        yield from _tie(rows, pairs, one, able)
    elif one is cheapest:
        yield f"Take {name}: it is the most accurate strategy and the cheapest ({cost})."
    else:
        more = 100 * (one.record_accuracy.value - cheapest.record_accuracy.value)
        times = in_unit(one.cost, unit) / in_unit(cheapest.cost, unit) if in_unit(cheapest.cost, unit) else 0.0
        factor = f"{plain(times)} times as much as" if times and plain(times) != "1" else "more than"
        yield f"Take {name} if right records are worth their price: it costs {cost}, {factor} the cheapest,"
        yield f"{_name(cheapest, rows)}, and gets {more:.0f} more of 100 records right."


def _tie(rows: Sequence[ReportRow], pairs: Sequence[Pair], one: ReportRow, able: Sequence[ReportRow]) -> Iterator[str]:
    """The choice among strategies whose record accuracy is not shown to differ."""
    unit, wrong = unit_of([row.cost for row in rows]), one.wrong_but_valid
    yield f"It is a tie: on {one.n} records, {len(able)} strategies are not shown to differ in right records."
    if len(pairs) > 1 and all(pair.p > 1 - CONFIDENCE for pair in pairs):
        yield f"No pair is shown to differ after the correction for {len(pairs)} pairs; fewer strategies need less."
    alike = [row for row in able if row.wrong_but_valid.value == wrong.value]
    why = "it accepts the fewest wrong records" if len(alike) == 1 else "it is the cheapest; all accept as many wrong"
    if 1 < len(alike) < len(able):
        why = f"it is the cheapest of the {len(alike)} that accept the fewest wrong records"
    cost = a_record(in_unit(one.cost, unit), unit)
    yield f"Take {_name(one, rows)} of these: {why} ({_percent(wrong)} of all). It costs {cost}."
    cheap = min(able, key=lambda row: in_unit(row.cost, unit))
    if in_unit(cheap.cost, unit) < in_unit(one.cost, unit):
        both = {(one.label, one.model), (cheap.label, cheap.model)}
        p = next((pair.p_wrong for pair in pairs if {(a.label, a.model) for a in (pair.one, pair.other)} == both), 1.0)
        shown = "this difference is shown" if p <= 1 - CONFIDENCE else "this difference may be chance"
        corrected = f", corrected for {len(pairs)} pairs" if len(pairs) > 1 else ""
        yield (
            f"The cheapest of them, {_name(cheap, rows)}, costs {a_record(in_unit(cheap.cost, unit), unit)} and "
            f"accepts {_percent(cheap.wrong_but_valid)} wrong: {shown} (p = {p:.2g}{corrected})."
        )


def _warned(rows: Sequence[ReportRow]) -> Iterator[str]:
    """A sentence that compliance hides wrong records, if it does."""
    worst = max(rows, key=lambda row: (row.wrong_but_valid.value, row.compliance.value))
    if worst.wrong_but_valid.value and worst.compliance.value > worst.record_accuracy.value:
        wrong = f"{100 * worst.wrong_but_valid.value:.0f} %"
        yield (
            f"Compliance does not tell: {_name(worst, rows)} complied in {100 * worst.compliance.value:.0f} % "
            f"of the records, and {wrong} of the records were accepted although a value is wrong."
        )


def _of_wrong(row: ReportRow, name: str) -> str:
    wrong = row.wrong_but_valid
    if not wrong.value:
        return f"{name} accepted no wrong record; up to {100 * wrong.high:.0f} % wrong records are still possible."
    return (
        f"{name} accepted {_percent(wrong)} of all records although they are wrong: structout certify finds the "
        "confidence that keeps such records out, if there is one."
    )


def _may_be_as_good(row: ReportRow, best: ReportRow, pairs: Sequence[Pair]) -> bool:
    """Whether the records do not show a row to be less accurate than the best one. A row without a right record is less
    accurate, and so is a row with clearly fewer right values, unless it refused wrong records, whose right values are
    lost.
    """
    if row is best:
        return True
    shown = any(_is_shown(pair, row) and _is_shown(pair, best) for pair in pairs)
    few = row.value_accuracy.high < best.value_accuracy.low and row.wrong_but_valid.value >= best.wrong_but_valid.value
    return not shown and row.record_accuracy.value > 0 and not few


def _is_shown(pair: Pair, row: ReportRow) -> bool:
    """Whether a pair shows a difference between a row and another one."""
    arms = [(arm.label, arm.model) for arm in (pair.one, pair.other)]
    return (row.label, row.model) in arms and pair.p <= 1 - CONFIDENCE


def _name(row: ReportRow, rows: Sequence[ReportRow]) -> str:
    return _called(Arm(row.strategy, row.model, row.setting), rows)


def _called(arm: Arm, rows: Sequence[ReportRow]) -> str:
    """The label of an arm, with its model if the rows have several."""
    return f"{arm.label} on {arm.model}" if len({one.model for one in rows}) > 1 else arm.label


def _percent(rate: Rate) -> str:
    return "–" if not rate.n else f"{100 * rate.value:.0f} % ({100 * rate.low:.0f} to {100 * rate.high:.0f})"
