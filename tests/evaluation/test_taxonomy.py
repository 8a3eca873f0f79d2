from typing import Any

import pytest

from structout import Completion, Dataset, Prompted, Repair, Scripted, Usage, evaluate
from structout.evaluation import metrics, taxonomy
from structout.evaluation.dataset import Record
from structout.evaluation.outcome import Outcome
from structout.evaluation.reporting.table import markdown
from structout.prices import Price
from structout.schema import Schema
from tests.bolt import Bolt

ANSWERS = {
    "a right": '{"kind": "hex", "size_mm": 6}',
    "b wrong": '{"kind": "flange", "size_mm": 6}',
    "c invented": '{"kind": "hex", "size_mm": 6, "note": "zinc"}',
    "d type": '{"kind": "hex", "size_mm": "6"}',
    "e enum": '{"kind": "carriage", "size_mm": 6}',
    "f missing": '{"kind": "hex"}',
    "g prose": "I cannot say.",
    "h long": '{"kind": "hex", "si',
    "i refused": "",
}


def answer(prompt: Any) -> Completion:
    key = next(key for key in ANSWERS if key in prompt.messages[-1].content)
    reasons: Any = {"h long": "length", "i refused": "refused"}
    return Completion(ANSWERS[key], Usage(1, 90, 10, 2.0), reasons.get(key, "stop"), refusal="too long")


def bolts(*texts: str) -> Dataset:
    expected: Any = {"kind": "hex", "size_mm": 6.0, "note": None}
    return Dataset(
        "bolts", Schema.of(Bolt), tuple(Record(text[:1], text, expected, expected, "test") for text in texts)
    )


@pytest.fixture(scope="module")
def outcomes() -> tuple[Outcome, ...]:
    return evaluate([Prompted()], Scripted(answer), bolts(*ANSWERS)).outcomes


def test_each_leaf_that_is_not_right_has_a_reason(outcomes: tuple[Outcome, ...]) -> None:
    reasons = {o.key: {leaf.field: error for leaf, error in taxonomy.judged(o) if error} for o in outcomes}
    assert reasons == {
        "a": {},
        "b": {"/kind": "wrong value"},
        "c": {"/note": "invented"},
        "d": {"/kind": "lost", "/size_mm": "wrong type"},
        "e": {"/kind": "out of enum", "/size_mm": "lost"},
        "f": {"/kind": "lost", "/size_mm": "missing"},
        "g": {"/kind": "not JSON", "/size_mm": "not JSON"},
        "h": {"/kind": "truncated", "/size_mm": "truncated"},
        "i": {"/kind": "refused", "/size_mm": "refused"},
    }
    assert taxonomy.taxonomy(outcomes)["lost"] == 3


def test_precision_is_of_what_was_answered_and_recall_of_what_was_expected(outcomes: tuple[Outcome, ...]) -> None:
    found = {one.name: one for one in taxonomy.fields(outcomes)}
    assert found["/kind"].precision.value == pytest.approx(2 / 3)
    assert found["/kind"].recall.value == pytest.approx(2 / 9)
    assert found["/note"].precision.value == 0
    assert found["/note"].recall.n == 0
    assert found["/size_mm"].right == 3
    assert found["/size_mm"].failed == pytest.approx(6 / 9)


def test_hallucinated_leaves_are_neither_right_nor_in_the_text() -> None:
    texts = {
        "zinc plated": '{"kind": "hex", "size_mm": 6, "note": "zinc"}',  # invented, but it stands there
        "made up": '{"kind": "flange", "size_mm": 7, "note": "steel"}',  # two of them; a kind is chosen from a list
        "no answer": "no",
    }
    done = evaluate([Prompted()], Scripted(texts), bolts(*texts)).outcomes
    rate = metrics.hallucinated(done)
    assert (rate.value, rate.n) == (2 / 4, 2)


def test_repeats_agree_or_not_and_all_of_them_are_right_or_not() -> None:
    given = iter(["a right", "a right", "b wrong", "b wrong", "b wrong", "b wrong"])
    model = Scripted(lambda prompt: ANSWERS[next(given)])
    (row,) = evaluate([Prompted()], model, bolts("x", "y"), repeats=3).rows()
    one = row.more["agreement"]
    assert one.value == pytest.approx(1 / 3)
    assert one.n == 2
    assert row.more["pass^3"].value == 0
    done = evaluate([Prompted()], Scripted(ANSWERS["a right"]), bolts("x"), repeats=4).outcomes
    assert metrics.pass_power(done, 2).value == 1
    assert metrics.pass_power(done, 5).n == 0


def test_prices_are_known_or_unknown_but_never_nothing() -> None:
    model = Scripted(answer, name="cloud")
    priced = evaluate([Prompted()], model, bolts("a right", "b wrong"), prices={"cloud": Price(1.0, 10.0, 1.8)})
    assert priced["Prompted"].cost.price == pytest.approx((90 + 100) / 1e6 + 1.8 * 2 / 3600)
    assert priced["Prompted"].cost.price_per_correct == pytest.approx(2 * ((90 + 100) / 1e6 + 1.8 * 2 / 3600))
    assert (priced["Prompted"].cost.p50, priced["Prompted"].cost.p95) == (2.0, 2.0)
    assert "price / correct" in markdown(priced)
    assert evaluate([Prompted()], model, bolts("a right"), prices={"other": Price(1)})["Prompted"].cost.price is None


def test_a_metric_of_your_own_is_a_plain_function() -> None:
    mine = {"is hex": lambda outcomes: metrics.share(outcomes, lambda o: '"hex"' in o.answer)}
    report = evaluate([Prompted(), Repair(Prompted())], Scripted(answer), bolts(*ANSWERS), metrics=mine)
    assert report["Repair"].rates["is hex"].value == pytest.approx(5 / 9)
    assert "| is hex |" in markdown(report)
