from typing import Any

from hypothesis import given

from structout import Completion, Dataset, Judge, Prompted, Repair, Rule, Scripted, Usage, Verify, evaluate
from structout.document import leaves
from structout.evaluation import metrics
from structout.evaluation.dataset import Record
from structout.evaluation.reporting.table import markdown
from structout.evaluation.scoring.score import score
from structout.schema import Schema
from tests.bolt import Bolt
from tests.test_document import documents

RIGHT = '{"kind": "hex", "size_mm": 6}'
ANSWERS = {
    "right": RIGHT,
    "wrong": '{"kind": "flange", "size_mm": 6}',
    "fenced": f"```json\n{RIGHT}\n```",
    "invalid": '{"kind": "hex"}',
    "prose": "I cannot say.",
}


def bolts(*texts: str) -> Dataset:
    expected: Any = {"kind": "hex", "size_mm": 6.0, "note": None}
    records = tuple(Record(text, text, expected, expected, "test") for text in texts)
    return Dataset("bolts", Schema.of(Bolt), records)


def test_each_rate_counts_what_it_says() -> None:
    report = evaluate([Prompted(), Repair(Prompted())], Scripted(ANSWERS), bolts(*ANSWERS))
    prompted, repaired = (report[name].rates for name in ("Prompted()", "Repair(Prompted())"))
    assert {name: rate.value for name, rate in prompted.items()} == {
        "parse": 3 / 5,
        "compliance": 2 / 5,
        "yield": 2 / 5,
        "value accuracy": 3 / 10,
        "record accuracy": 1 / 5,
        "wrong-but-valid": 1 / 5,
    }
    assert repaired["compliance"].value == 2 / 5
    refused = evaluate([Verify(Repair(Prompted()), Rule(lambda value: False))], Scripted(ANSWERS), bolts(*ANSWERS))
    (rates,) = (row.rates for row in refused.rows())
    assert (rates["compliance"].value, rates["yield"].value) == (2 / 5, 0)  # what took edits does not comply
    assert repaired["yield"].value == 3 / 5
    assert repaired["record accuracy"].value == 2 / 5


def test_cost_is_per_record_and_per_right_record() -> None:
    def answer(prompt: Any) -> Completion:
        right = "right" in prompt.messages[-1].content
        return Completion(RIGHT if right else "no", Usage(1, 90, 10, 2.0))

    (row,) = evaluate([Prompted()], Scripted(answer), bolts("right", "a", "b", "c")).rows()
    assert (row.cost.calls, row.cost.tokens, row.cost.seconds) == (1, 100, 2.0)
    assert (row.cost.tokens_per_correct, row.cost.seconds_per_correct) == (400, 8.0)
    (none,) = evaluate([Prompted()], Scripted("no"), bolts("a")).rows()
    assert none.cost.seconds_per_correct is None


def test_missing_wrong_and_invented_leaves_all_count() -> None:
    gold: Any = {"a": 1, "b": [{"c": "x"}, {"c": "y"}], "d": None}
    assert score(gold, gold).all_right
    assert score(gold, {"a": 1.0, "b": [{"c": "x"}, {"c": "y"}]}).all_right
    assert (score(gold, None).right, score(gold, None).leaves) == (0, 3)
    assert score(gold, {**gold, "d": "made up"}).leaves == 4
    assert score(gold, {"a": 2, "b": [{"c": "x"}]}).right == 1
    assert not score({"a": 1}, {"a": True}).all_right


@given(documents, documents)
def test_scores_are_symmetric_and_bounded(one: Any, other: Any) -> None:
    assert score(one, one).all_right
    assert score(one, other) == score(other, one)
    assert 0 <= score(one, other).right <= score(one, other).leaves == len(leaves(one) | leaves(other))


def test_what_verifiers_let_pass_and_refuse_in_error() -> None:
    answers = {
        "right": RIGHT,
        "refused": RIGHT,
        "wrong": '{"kind": "flange", "size_mm": 6}',
        "caught": '{"kind": "flange", "size_mm": 7}',
        "broken": "no",
    }
    asked = iter(["yes", "no", "yes", "no"])

    def answer(prompt: Any) -> str:
        said = prompt.messages[-1].content
        return next(asked) if prompt.constraint else next(text for key, text in answers.items() if key in said)

    (row,) = (report := evaluate([Verify(Prompted(), Judge())], Scripted(answer), bolts(*answers))).rows()
    assert metrics.false_accept_rate(report.outcomes).value == 0.5
    assert metrics.false_reject_rate(report.outcomes).value == 0.5
    assert (row.rates["yield"].value, row.rates["wrong-but-valid"].value) == (0.4, 0.2)
    assert (row.cost.calls, row.cost.checks) == (1.8, 0.8)
    assert "| 1.00 + 0.80 |" in markdown(report)
