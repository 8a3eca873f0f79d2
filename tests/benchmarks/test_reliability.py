import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.reliability.goals import Answers, kept, whole_of
from benchmarks.reliability.labels import DESCRIBED, FAULTS, TOLD, near, reports, told
from benchmarks.reliability.measure import (
    abstention_bound,
    auc,
    brier,
    consistency,
    corrected,
    hallucinated,
    made_up,
    paired,
    right_of_the_first,
)
from benchmarks.reliability.nearest import Nearest
from benchmarks.reliability.recorded import Recorded
from benchmarks.reliability.reward import invented, reward
from benchmarks.reliability.sets import divided, parts
from benchmarks.reliability.ways import BASE, threshold
from structout import Constrained, Prompted, Result, Sampling, Scripted, Task, Verdict, evaluate
from structout.evaluation import judged
from structout.models import Model
from structout.schema import Schema
from tests.bolt import Bolt
from tests.evaluation.test_metrics import RIGHT, bolts


def test_a_run_goes_on_where_it_was_and_asks_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "log" / "answers.jsonl"
    first = Scripted(RIGHT)
    before = evaluate([Prompted()], Recorded("model", lambda: first, file), bolts("a", "b"))
    with file.open("a") as stream:
        stream.write('{"key": "cut o')
    second = Scripted(RIGHT)
    model = Recorded("model", lambda: second, file)
    assert evaluate([Prompted()], model, bolts("a", "b")).rows() == before.rows()
    evaluate([Prompted(), Constrained()], model, bolts("a", "b", "c"))
    assert (first.calls, second.calls) == (2, 4)


def test_answers_of_another_run_are_taken_over_and_counted(tmp_path: Path) -> None:
    evaluate([Constrained()], Scripted(RIGHT), bolts("a", "b"), log=tmp_path / "log.jsonl")
    nobody = Scripted({})
    for _ in range(2):
        model = Recorded("model", lambda: nobody, tmp_path / "answers.jsonl")
        model.take(tmp_path / "log.jsonl")
        report = evaluate([Constrained()], model, bolts("a", "b"))
        assert (nobody.calls, len(model.taken)) == (0, 2)
        assert report.rows()[0].rates["record accuracy"].value == 1


def test_what_is_made_up_is_neither_right_nor_in_the_record() -> None:
    expected: Any = {"name": "brake pad", "brand": "Bosch"}
    assert made_up("BRK PAD BOSCH", expected, {"name": "brake pad", "brand": "bosch"}) == []
    assert made_up("BRK PAD BOSCH", expected, {"name": "brake disc", "brand": None}) == ["/name"]


def test_the_bound_on_abstention_and_the_area_under_the_curve() -> None:
    assert abstention_bound(0.5, 0.2) == pytest.approx(0.375)
    assert auc([(0.9, True), (0.4, False), (0.4, True)]) == 0.75
    assert auc([(0.9, True)]) is None


def test_equal_scores_have_no_order() -> None:
    scores = [(1.0, True), (1.0, False), (0.5, True), (0.2, False)]
    assert right_of_the_first(scores) == right_of_the_first(scores[::-1]) == [0.5, 1, 2, 2]
    assert brier([(0.5, True), (1.0, False)]) == pytest.approx(0.625)


def test_consistency_is_the_share_of_fields_that_all_runs_agree_on() -> None:
    other = RIGHT.replace("6", "7")
    model = Scripted({"same": RIGHT, "torn": [RIGHT, other, RIGHT]})
    outcomes = evaluate(
        [Prompted()], model, bolts("same", "torn"), repeats=3, sampling=Sampling(temperature=1)
    ).outcomes
    assert consistency(outcomes)["value"] == pytest.approx((1 + 1 / 2) / 2)


def test_text_leaves_are_counted_and_those_that_are_made_up() -> None:
    noted = '{"kind": "hex", "size_mm": 6, "note": "zinc"}'
    outcomes = evaluate([Prompted()], Scripted({"in zinc": noted, "plain": noted}), bolts("in zinc", "plain")).outcomes
    assert hallucinated(outcomes) == {"leaves": 4, "made up": 1}


class BySize:
    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        return [Verdict("accept", result.unwrap().size_mm / 10) for result in results]


def test_thresholds_keep_the_share_that_they_are_asked_to() -> None:
    answers = {f"bolt {i}": f'{{"kind": "hex", "size_mm": {i}}}' for i in range(10)}
    lessons = judged(evaluate([Prompted()], Scripted(answers), bolts(*answers)).outcomes, Schema.of(Bolt))
    assert threshold(BySize(), lessons, kept=0.7) == pytest.approx(0.3)


def test_a_paired_difference_is_taken_record_by_record() -> None:
    texts = ["one", "two", "three", "four"]
    better, worse = dict.fromkeys(texts[:3], RIGHT), dict.fromkeys(texts[:1], RIGHT)
    one, two = (
        evaluate([Prompted()], Scripted({**dict.fromkeys(texts, "no"), **answers}), bolts(*texts)).outcomes
        for answers in (better, worse)
    )
    change = paired(one, two, lambda outcome: outcome.ok)
    assert change["value"] == 0.5
    assert change["p"] == 0.5
    assert change["low"] <= 0.5 <= change["high"]


def test_differences_are_corrected_for_the_number_of_ways() -> None:
    rows = {
        name: {"more right": {"p": p}, "more wrong": {"p": 1.0}} for name, p in [(BASE, 1.0), ("a", 0.01), ("b", 0.04)]
    }
    found = corrected(rows, BASE)
    assert [row["more right"]["p"] for row in found.values()] == [1.0, pytest.approx(0.02), pytest.approx(0.04)]


def test_no_way_is_measured_on_the_records_that_test_the_goals(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"bolt {n}", "expected": json.loads(RIGHT)}) for n in range(900)]
    (tmp_path / "bolts.jsonl").write_text("\n".join(lines))
    (tmp_path / "bolts.schema.json").write_text(json.dumps(Schema.of(Bolt).json_schema))
    measured, whole = divided("bolts", tmp_path), parts("bolts", tmp_path)
    assert measured is not None
    assert whole is not None
    assert {name: len(measured.split(name)) for name in ("train", "dev", "test")} == {
        "train": 300,
        "dev": 200,
        "test": 300,
    }
    assert not {one.key for one in measured} & {one.key for one in whole.test}
    assert divided("screws", tmp_path) is None


def test_what_is_made_up_costs_more_than_what_is_missed() -> None:
    text = "hex bolt, zinc"
    answers = ['{"kind": "hex", "size_mm": 6}', '{"kind": "hex", "size_mm": 6, "note": "gold"}', '{"kind": "hex"}']
    (outcome,) = evaluate([Prompted()], Scripted(RIGHT), bolts(text)).outcomes
    assert [reward(outcome, json.loads(answer)) for answer in answers] == [2, 0, 1]
    assert invented("6.5 mm, 98>", {}, {"size": 6.5, "year": 1998}) == 0
    assert invented("6,5 mm", {"length": 8}, {"size": 7.5, "length": 8}) == 1


def test_the_pieces_of_a_street_are_compared_as_one_text() -> None:
    pieces = ("direction", "street", "type")
    one = {"number": "200", "direction": None, "street": "Park", "type": "Avenue"}
    other = {"number": "200", "street": "Park Avenue"}
    assert whole_of(one, pieces) == whole_of(other, pieces) == {"number": "200", "direction": "Park Avenue"}
    assert whole_of({"street": "Park"}, pieces) != whole_of(other, pieces)
    given = bolts("a", "b")
    outcomes = evaluate([Constrained()], Scripted({"a": RIGHT, "b": RIGHT.replace("6", "7")}), given).outcomes
    assert Answers.of(outcomes, given).right.tolist() == [True, False]
    assert Answers.of(outcomes, given, ("kind", "size_mm")).right.tolist() == [True, False]


def test_a_threshold_keeps_what_is_at_least_as_sure() -> None:
    sure, right = np.array([0.9, 0.8, 0.4]), np.array([True, False, True])
    assert kept(0.8, sure, right, 4).startswith("50% | 1 of 2: 50%")
    assert kept(None, sure, right, 4) == "not certified | –"


def test_the_nearest_labels_of_each_clause_come_first() -> None:
    meanings = {
        "light_out": "a lamp gives no light",
        "mice": "mice or their traces",
        "lock_broken": "a lock does not turn",
    }
    nearest = Nearest([("In flat 3: the bulb is dead", ["light_out"]), ("In flat 9: ", []), ("Hall: ", [])], meanings)
    assert nearest.find("In flat 4: a bulb; the lock turned", 2) == ["light_out", "lock_broken"]
    assert nearest.find("In flat 4: the lock turned; mouse traces", 2) == ["lock_broken", "mice"]


def test_most_right_labels_are_told_with_what_they_mean() -> None:
    assert set(DESCRIBED) == set(FAULTS)
    tested = list(reports(50, seed=2, learn=False))
    nearest = near(list(reports(200, seed=1, learn=True)))
    below = [told(one.text, nearest.find(one.text, TOLD)) for one in tested]
    held = [
        f"\n{label}: {DESCRIBED[label]}" in text
        for one, text in zip(tested, below, strict=True)
        for label in one.phrased
    ]
    assert sum(held) > 0.9 * len(held)
