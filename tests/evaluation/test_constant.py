"""The constant answer: the labels of other records alone decide it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from structout import Dataset, Prompted, Scripted, evaluate
from structout.evaluation import read_log
from structout.evaluation.constant import Constant, typical
from structout.evaluation.dataset import Record
from structout.schema import Schema
from tests.bolt import Bolt
from tests.evaluation.test_metrics import RIGHT

Labels = list[tuple[str, float]]


def bolts(labels: Labels, split: Any = "test") -> Dataset:
    documents: list[Any] = [{"kind": kind, "size_mm": size, "note": None} for kind, size in labels]
    records = tuple(Record(f"{split} {i}", f"{split} bolt {i}", one, one, split) for i, one in enumerate(documents))
    return Dataset("bolts", Schema.of(Bolt), records)


def constant(data: Dataset, **how: Any) -> Constant:
    found = evaluate([Prompted()], Scripted(RIGHT), data, **how).constant
    assert found is not None
    return found


def test_it_answers_the_most_frequent_label() -> None:
    found = constant(bolts([("hex", 6.0)] * 16 + [("flange", 8.0)] * 4))
    assert {name: rate.value for name, rate in found.rates.items()} == {
        "value accuracy": 0.8,
        "record accuracy": 0.8,
        "wrong-but-valid": 0.2,
    }
    assert [found.right[f"test {i}"] for i in (0, 19)] == [1, 0]


@given(some.integers(2, 40), some.sampled_from([None, 2]))
def test_labels_that_are_all_different_are_never_right(n: int, folds: int | None) -> None:
    """The tested label itself would be the most frequent, and always right."""
    found = constant(bolts([("hex", float(i)) for i in range(n)]), folds=folds)
    assert found.rates["record accuracy"].value == 0
    assert found.rates["value accuracy"].value == 0.5, "the kind is always the same"


def test_train_records_count_and_their_copies_among_the_tested_do_not() -> None:
    train = bolts([("flange", 1.0)] * 30, "train")
    assert constant(bolts([("hex", 6.0), ("flange", 1.0)]), examples=train).rates["record accuracy"].value == 0.5
    whole = Dataset("bolts", train.schema, (*train.records, *bolts([("hex", 6.0)]).records))
    assert constant(whole, examples=whole).rates["record accuracy"].value == 30 / 31


def test_each_field_has_its_own_most_frequent_value() -> None:
    labels: list[Any] = [{"a": 1, "b": {"c": 1}}, {"a": 1, "b": {"c": 2}}, {"a": 2, "b": {"c": 2}}]
    assert typical(labels) == {"a": 1, "b": {"c": 2}}
    assert typical([{"a": 1}, {"a": 1}, {}]) == {"a": 1}
    assert typical([{"a": 1}, {}, {}]) == {"a": None}
    assert typical([[1], [1, 2], [1, 2]]) == [1, 2]
    assert typical([]) is None


def test_it_is_kept_with_each_outcome(tmp_path: Any) -> None:
    report = evaluate([Prompted()], Scripted(RIGHT), bolts([("hex", 6.0)] * 9), log=tmp_path / "log.jsonl")
    assert report.constant is not None
    assert read_log(tmp_path / "log.jsonl").constant == report.constant
    assert report.to_json()["constant"]["record accuracy"]["value"] == 1


def test_one_record_alone_has_none() -> None:
    assert evaluate([Prompted()], Scripted(RIGHT), bolts([("hex", 6.0)])).constant is None
