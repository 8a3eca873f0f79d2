"""The closing paragraph: each situation has its own words, and no words that the numbers do not carry."""

from typing import Any

import pytest

from structout import Dataset, Prompted, Repair, Scripted, Verify, evaluate
from structout.completion import Completion, Prompt, Usage
from structout.evaluation.dataset import Record
from structout.evaluation.metrics import Cost
from structout.evaluation.outcome import Arm
from structout.evaluation.report import Pair, ReportRow
from structout.evaluation.reporting.conclusion import conclude, conclusion, taken
from structout.evaluation.reporting.one_record import one_record, typical
from structout.evaluation.reporting.page import page
from structout.evaluation.stats.pairs import difference
from structout.evaluation.stats.rates import wilson
from structout.schema import Schema
from structout.verifiers import Confident, Grounded, Rule
from tests.bolt import Bolt
from tests.evaluation.test_metrics import RIGHT, bolts

N = 24


def row(name: str, right: int, seconds: float, *, wrong: int | None = None, values: float | None = None) -> ReportRow:
    """A strategy that got `right` of 24 records right, and accepted `wrong` others."""
    wrong = N - right if wrong is None else wrong
    shares = {
        "compliance": 1.0,
        "value accuracy": right / N if values is None else values,
        "record accuracy": right / N,
        "wrong-but-valid": wrong / N,
    }
    rates = {metric: wilson(share, N) for metric, share in shares.items()}
    return ReportRow(name, "m", N, rates, Cost(1, 100, seconds, None, None))


def pair(one: ReportRow, other: ReportRow, p: float, p_wrong: float = 1.0) -> Pair:
    apart = difference([1, 0], [0, 0])
    return Pair(Arm(one.strategy, "m"), Arm(other.strategy, "m"), apart, p, apart, p_wrong)


def test_all_wrong() -> None:
    a, b = row("A", 0, 0.4, values=0.2), row("B", 0, 0.9, values=0.6)
    assert taken([a, b], []) is None
    said = conclude([a, b])
    assert "None of the 2 strategies got one of 24 records wholly right (at most 14 % with 95 % confidence)." in said
    assert "B got the most values right: 60 %" in said
    assert (
        "A complied in 100 % of the records, and 100 % of the records were accepted although a value is wrong" in said
    )
    assert "Take none of them where records must be right" in said
    assert "A got 0 of 24 records wholly right" in conclude([a])


def test_a_tie_goes_to_the_fewest_wrong_records() -> None:
    a, b = row("A", 16, 0.4, wrong=6), row("B", 16, 0.9, wrong=2)
    said = conclude([a, b], [pair(a, b, 1.0, 0.02)])
    assert "2 of 2 strategies got the most records right, each as many. A got 67 %" in said
    assert "It is a tie: on 24 records, 2 strategies are not shown to differ in right records." in said
    assert (
        "Take B of these: it accepts the fewest wrong records (8 % (2 to 26) of all). It costs 0.9 s a record." in said
    )
    assert "The cheapest of them, A, costs 0.4 s a record and accepts 25 % (12 to 45) wrong: this difference is" in said
    assert "this difference is shown (p = 0.02)" in said
    assert "this difference may be chance (p = 0.3)" in conclude([a, b], [pair(a, b, 1.0, 0.3)])


def test_a_tie_of_equals_goes_to_the_cheapest() -> None:
    a, b, c = row("A", 15, 0.4), row("B", 15, 0.9), row("C", 14, 0.2)
    assert "Take A of these: it is the cheapest; all accept as many wrong (38 %" in conclude([b, a], [pair(a, b, 1)])
    three = conclude([b, a, c], [pair(a, b, 1), pair(a, c, 1), pair(b, c, 1)])
    assert "No pair is shown to differ after the correction for 3 pairs" in three
    assert "No pair" not in conclude([b, a, c], [pair(a, b, 1), pair(a, c, 0.01), pair(b, c, 1)])
    assert "Take A of these: it is the cheapest of the 2 that accept the fewest wrong records" in three


def test_no_strategy_is_taken_that_is_no_better_than_a_constant_answer() -> None:
    a, b, always = row("A", 18, 0.4), row("B", 12, 0.9), wilson(0.8, N)
    assert taken([a, b], [], always) is None
    said = conclude([a, b], constant=always)
    assert "Take none of them: no strategy gets more records right than a constant answer" in said
    assert "Always the most frequent label of the other records would be right in 80 % (60 to 91)." in said
    assert taken([a, b], [], wilson(0.5, N)) is a
    assert "would be right in 50 %" in conclude([a, b], constant=wilson(0.5, N))


def test_values_that_are_never_found_are_named() -> None:
    report = evaluate([Prompted()], Scripted('{"kind": "flange", "size_mm": 6}'), bolts("a", "b", "c", "d"))
    assert 'Prompted() got /kind right in none of 4 records where it is "hex".' in conclusion(report)


def test_a_strategy_without_a_right_record_ties_with_none() -> None:
    """Three right records of 24 are not shown to be more than zero, but zero is not a choice."""
    a, b = row("A", 0, 0.4, values=0.1), row("B", 3, 0.9, values=0.6)
    assert taken([a, b], [pair(a, b, 0.25)]) is b


def test_the_cheapest_is_the_best() -> None:
    a, b = row("A", 20, 0.4, wrong=0), row("B", 12, 0.9)
    said = conclude([b, a], [pair(b, a, 0.01)], place="out.html")
    assert "Take A: it is the most accurate strategy and the cheapest (0.4 s a record)." in said
    assert "tie" not in said
    assert "It is a tie: on 24 records" in conclude([b, a], [pair(b, a, 0.2)])
    assert "accepted no wrong record; up to 14 % wrong records are still possible." in said
    assert said.endswith("The report is in out.html.")


def test_the_more_accurate_costs_more() -> None:
    a, b = row("A", 6, 0.4), row("B", 18, 1.2)
    said = conclude([a, b], [pair(a, b, 0.001)])
    assert (
        "Take B if right records are worth their price: it costs 1.2 s a record, 3 times as much as the cheapest, A"
        in said
    )
    assert "the cheapest, A, and gets 50 more of 100 records right." in said
    assert "B accepted 25 % (12 to 45) of all records although they are wrong: structout certify" in said


def test_a_single_strategy_is_compared_with_none() -> None:
    said = conclude([row("A", 20, 0.4)])
    assert said.startswith("A got 83 % (64 to 93) of 24 records wholly right")
    assert "It costs 0.4 s a record. No other strategy was measured" in said


def test_nothing_measured() -> None:
    assert conclude([]) == "Nothing was measured."


def test_prices_are_compared_if_all_are_known() -> None:
    def priced(one: ReportRow, price: float) -> ReportRow:
        return ReportRow(one.strategy, "m", N, one.rates, Cost(1, 100, one.cost.seconds, None, None, price=price))

    slow, fast = priced(row("slow", 15, 9.0), 0.0012), priced(row("fast", 15, 0.1), 0.2)
    assert "Take slow" in conclude([slow, fast], [pair(slow, fast, 1.0)])
    assert "$0.0012 a record" in conclude([slow, fast], [pair(slow, fast, 1.0)])
    assert "Take fast" in conclude([slow, row("fast", 15, 0.1)], [pair(slow, fast, 1.0)])


def test_no_labels() -> None:
    records = tuple(Record(str(n), f"bolt {n}", None, None, "test", has_label=False) for n in range(4))
    report = evaluate([Prompted(), Repair(Prompted())], Scripted(RIGHT), Dataset("bolts", Schema.of(Bolt), records))
    said = conclusion(report)
    assert said.startswith("The 4 records have no labels: nothing here says whether the values are right.")
    assert "Take" not in said
    assert {name for one in report.rows() for name in one.rates} == {"parse", "compliance", "yield"}
    assert (report.pairs(), typical(report)) == ([], None)


def test_the_page_begins_with_it_and_escapes_it() -> None:
    report = evaluate({"<b>A</b>": Prompted()}, Scripted(RIGHT), bolts("a", "b"))
    text = page(report)
    assert "<b>A</b>" not in text.partition("<script")[0]
    assert "&lt;b&gt;A&lt;/b&gt; got 100 %" in text
    assert text.index("got 100 %") < text.index('id="headline"')


def test_folds_are_described() -> None:
    report = evaluate(Prompted(), Scripted(RIGHT), bolts(*map(str, range(9))), folds=3)
    assert "The 9 labelled records were divided by chance into 3 folds. Each record was tested once" in conclusion(
        report
    )


@pytest.mark.parametrize("verified", [False, True])
def test_a_typical_record_is_shown_before_and_after(verified: bool) -> None:
    from rich.console import Console

    answers = {
        "good": RIGHT,
        "fair\x1b[31m": '{"kind": "flange", "size_mm": 6}',
        "poor": '{"kind": "flange", "size_mm": 7, "note": "x"}',
    }

    def answer(prompt: Prompt) -> Completion:
        asked = prompt.messages[-1].content
        return Completion(next(text for name, text in answers.items() if name[:4] in asked), Usage(1, 9, 9))

    strategy: Any = Verify(Prompted(), Rule(lambda value: False)) if verified else Prompted()
    report = evaluate([strategy], Scripted(answer), bolts(*answers))
    console = Console(width=100)
    with console.capture() as captured:
        console.print(one_record(report))
    shown = captured.get()
    assert "\x1b[31m" not in shown
    if verified:
        assert "missing" in shown
        return
    assert "One record, before:\n  fair" in shown
    assert (
        '"flange"   wrong   "hex"' in " ".join(shown.split("  ")).replace(" ", "  ").replace("  ", "   ")
        or "wrong" in shown
    )
    assert "1 of 2 values are right. Half of the records are at least as good." in shown


def test_a_verifier_that_refuses_nearly_all_says_why() -> None:
    data = bolts(*(f"hex bolt {n}" for n in range(8)))
    answer = '{"kind": "hex", "size_mm": 6, "note": "bolt"}'
    said = conclusion(evaluate(Verify(Prompted(), Grounded()), Scripted(answer), data))
    assert "Grounded refused 7 of the 8 records" not in said
    assert "Verify(Prompted(), Grounded()): Grounded refused 8 of the 8 records" not in said, "6 stands in one of them"
    few = bolts(*(f"hex bolt {n}0" for n in range(1, 6)))
    said = conclusion(evaluate(Verify(Prompted(), Grounded()), Scripted(answer), few))
    assert "Verify(Prompted(), Grounded()): Grounded refused 5 of the 5 records that it could accept" in said
    assert "found no value of /size_mm (5) in the text" in said
    found = conclusion(evaluate(Verify(Prompted(), Grounded(("/note",))), Scripted(answer), few))
    assert "refused" not in found
    unsure = conclusion(evaluate(Verify(Prompted(), Confident()), Scripted(answer), few))
    assert "Confident refused 5 of the 5 records that it could accept, since their answers have no confidence" in unsure
    assert "#logprobs" in unsure
