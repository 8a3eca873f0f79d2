"""Folds: each record is tested once, by parts that have not seen its label."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from structout import (
    Completion,
    Constrained,
    DataError,
    Dataset,
    Prompted,
    Scripted,
    SpecError,
    StructoutWarning,
    Verify,
    evaluate,
)
from structout.completion import Prompt, Usage
from structout.evaluation import read_log
from structout.evaluation.dataset import Record
from structout.evaluation.folds import folds_of
from structout.evaluation.stats.rates import clustered
from structout.schema import Schema
from structout.strategies import BestOf
from structout.verifiers import Learned
from tests.bolt import Bolt
from tests.evaluation.test_metrics import RIGHT, bolts

WRONG = '{"kind": "flange", "size_mm": 6}'


def sized(count: int) -> Dataset:
    """Bolts whose label is a size of their own, so that a label in a prompt shows where it is from."""
    records = (
        Record(
            str(n), f"bolt {n}.", {"kind": "hex", "size_mm": 1000.0 + n, "note": None}, {"size_mm": 1000 + n}, "test"
        )
        for n in range(count)
    )
    return Dataset("bolts", Schema.of(Bolt), tuple(records))


def test_each_record_is_tested_once_and_never_beside_its_own_label(tmp_path: Any) -> None:
    def answer(prompt: Prompt) -> str:
        asked = prompt.messages[-1].content
        (size,) = (n for n in range(23) if f"bolt {n}.\n" in asked)
        assert not any(f"{1000 + size}" in message.content for message in prompt.messages)
        shown = [message for message in prompt.messages if message.role == "assistant"]
        assert len(shown) == 2
        return RIGHT

    report = evaluate([Prompted(examples=2)], Scripted(answer), sized(23), folds=5, log=tmp_path / "log.jsonl")
    assert sorted(int(one.key) for one in report.outcomes) == list(range(23))
    sizes = [sum(one.fold == number for one in report.outcomes) for number in range(1, 6)]
    assert (sum(sizes), max(sizes) - min(sizes)) == (23, 1)
    again = read_log(tmp_path / "log.jsonl")
    assert (again.about["folds"], again.rows()) == (5, report.rows())


def test_records_of_the_same_words_share_a_fold() -> None:
    whole = bolts("hex M6", "Hex  m6", "hex M6.", *map(str, range(9)))
    alike = [fold for fold in folds_of(whole, 4) if any("6" in r.text and "ex" in r.text for r in fold.records)]
    assert len(alike) == 1
    with pytest.raises(DataError, match="holds 1 different records, too few for 2 folds"):
        folds_of(bolts("hex M6", "Hex m6"), 2)
    with pytest.raises(SpecError, match="invalid folds: got 1"):
        folds_of(whole, 1)


def test_the_order_of_the_records_changes_no_fold_and_no_example() -> None:
    whole = sized(23)
    turned = replace(whole, records=whole.records[::-1])
    assert folds_of(whole, 5) == folds_of(turned, 5)


def unsure(prompt: Prompt) -> Completion:
    """Wrong for every third bolt, and then less sure."""
    size = next(n for n in range(90) if f"bolt {n}.\n" in prompt.messages[-1].content)
    sure, text = (-2.0, WRONG) if size % 3 == 0 else (-0.01, RIGHT)
    ends = tuple(range(1, len(text) + 1))
    return Completion(text, Usage(1, 9, 9), logprobs=(sure,) * len(text), values=(True,) * len(text), ends=ends)


def test_a_verifier_is_fitted_on_the_other_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bolts(*(f"bolt {n}." for n in range(90)))
    taught: list[set[str]] = []
    fit = Learned.fit.__func__  # type: ignore[attr-defined]

    def noted(cls: Any, judged: Any, /, **settings: Any) -> Learned:
        taught.append({one.task.text for one in judged})
        return fit(cls, judged, **settings)  # type: ignore[no-any-return]

    monkeypatch.setattr(Learned, "fit", classmethod(noted))
    stranger = Verify(Constrained(), Learned("fitted-to-who-knows-what.json"))
    report = evaluate([stranger], Scripted(unsure), data, folds=3)
    (row,) = report.rows()
    assert (row.record_accuracy.value, row.wrong_but_valid.value) == (60 / 90, 0)
    for number, seen in enumerate(taught, 1):
        tested = {one.text for one in report.outcomes if one.fold == number}
        assert (len(seen), seen & tested) == (60, set())
    with pytest.raises(SpecError, match="folds can fit Learned within Verify only"):
        evaluate([BestOf(Constrained(), 2, Learned("a.json"))], Scripted(unsure), data, folds=3)


class Tuned(Scripted):
    """A model that says that it was fine-tuned for another schema, whose prompt strategies ignore."""

    tuning = type("Tuning", (), {"show": "typescript", "fingerprint": "", "schema": "", "training": {}})()


def test_a_fine_tuned_model_is_refused_or_told() -> None:
    data = bolts(*map(str, range(8)))
    with pytest.raises(SpecError, match="m was fine-tuned, perhaps on records that the folds test"):
        evaluate([Prompted()], Tuned(RIGHT, name="m"), data, folds=2)
    train = replace(data, records=tuple(replace(record, split="train") for record in data))
    told = "m was fine-tuned, perhaps on train records that it is tested on"
    with pytest.warns(StructoutWarning, match=told), pytest.warns(StructoutWarning, match="fine-tune it again"):
        evaluate([Prompted()], Tuned(RIGHT, name="m"), train)


@pytest.mark.parametrize(("spread", "most"), [(0.0, 0.09), (0.25, 0.2)])
def test_intervals_widen_where_folds_differ(spread: float, most: float) -> None:
    """The share of intervals that miss the truth: with folds that differ, records alone would miss far more often."""
    draw = np.random.default_rng(7)
    folds = np.repeat(np.arange(10), 20)
    missed = naive = 0
    for _ in range(400):
        truths = 0.5 + spread * draw.choice([-1.0, 1.0], 10)
        hits = (draw.random(200) < truths[folds]).astype(float).tolist()
        rate, alone = clustered(hits, [1.0] * 200, folds.tolist()), clustered(hits, [1.0] * 200)
        missed += not rate.low <= 0.5 <= rate.high
        naive += not alone.low <= 0.5 <= alone.high
        assert rate.low <= alone.low
        assert alone.high <= rate.high
    assert missed / 400 <= most
    assert missed < naive or not spread


def test_without_folds_or_differences_nothing_changes() -> None:
    assert clustered([1, 1, 0, 0], [1, 1, 1, 1]) == clustered([1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0])
    assert clustered([1, 1, 1, 1], [1, 1, 1, 1]) == clustered([1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 2, 2])
