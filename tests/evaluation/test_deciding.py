"""Recommendation, certification and regression: what is said holds as often as it is said to."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from structout import (
    Completion,
    Confident,
    DataError,
    Dataset,
    Price,
    Prompted,
    Sampling,
    Scripted,
    SpecError,
    Vote,
    certify,
    evaluate,
    load_model,
    load_strategy,
    recommend,
    source,
)
from structout.completion import Prompt, Usage
from structout.evaluation.dataset import Record, Split
from structout.evaluation.recommendation import cheapest_shown, measured_with
from structout.evaluation.regression import changes
from structout.evaluation.stats.rates import p_value
from structout.evaluation.stats.thresholds import Evidence, Separation, Sure, threshold
from structout.evaluation.targets import Target
from structout.schema import Schema
from structout.shift import Reference
from tests.bolt import Bolt
from tests.evaluation.test_metrics import RIGHT

EXPERIMENTS = 2000


def dataset(train: int, dev: int, test: int) -> Dataset:
    """Bolts of all sizes, so that no constant answer is right."""
    counts: dict[Split, int] = {"train": train, "dev": dev, "test": test}
    records = []
    for split, n in counts.items():
        for i in range(n):
            expected: Any = {"kind": "hex", "size_mm": float(i), "note": None}
            records.append(Record(f"{split}{i}", f"{split} {i}.", expected, expected, split))
    return Dataset("bolts", Schema.of(Bolt), tuple(records))


def right(prompt: Prompt) -> str:
    """The right answer to a bolt of `dataset`."""
    (size,) = re.findall(r"(?:train|dev|test) (\d+)\.", prompt.messages[-1].content)
    return json.dumps({"kind": "hex", "size_mm": int(size)})


def wrong(prompt: Prompt) -> str:
    """An answer to a bolt of `dataset` with a wrong kind, and half of the values right."""
    return right(prompt).replace("hex", "flange")


def ends_in(prompt: Prompt, *digits: str) -> bool:
    return any(f"{digit}.\n" in prompt.messages[-1].content for digit in digits)


def answer(prompt: Prompt) -> Completion:
    """Right when held to the schema; without, wrong for every tenth record and cheaper."""
    held = prompt.constraint is not None
    is_right = held or not ends_in(prompt, "0")
    return Completion(right(prompt) if is_right else wrong(prompt), Usage(1, 100, 10, 2.0 if held else 1.0))


def unsure(prompt: Prompt) -> Completion:
    """Wrong for every fifth record, and then less sure."""
    is_right = not ends_in(prompt, "0", "5")
    sure = -0.01 if is_right else -2.0
    text = right(prompt) if is_right else wrong(prompt)
    ends = tuple(range(1, len(text) + 1))
    return Completion(text, logprobs=(sure,) * len(text), values=(True,) * len(text), ends=ends)


def test_the_cheapest_that_is_shown_is_recommended(tmp_path: Path) -> None:
    ways = ["Prompted()", "Constrained()"]
    found = recommend(
        ways, Scripted(answer, name="m"), dataset(4, 40, 100), ["record_accuracy>=0.95", "compliance>=0.9"]
    )
    assert found.chosen is not None
    assert found.chosen.arm.strategy == "Constrained()"
    assert [(one.arm.strategy, one.shown) for one in found.candidates] == [
        ("Prompted()", False),
        ("Constrained()", True),
    ]
    (tmp_path / "choice.strategy").write_text(found.written())
    assert "record_accuracy >= 0.95 and compliance >= 0.9: shown" in found.written()
    built: Any = load_strategy(str(tmp_path / "choice.strategy"))
    assert (built.model.name, type(built.inner).__name__) == ("m", "Constrained")
    cheap = recommend(ways, Scripted(answer), dataset(4, 40, 100), ["record_accuracy>=0.8"])
    assert cheap.chosen is not None
    assert cheap.chosen.arm.strategy == "Prompted()"


def test_what_is_written_loads_the_model_that_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_files_may", True)  # the models are code
    (tmp_path / "mine.py").write_text(
        "from tests.evaluation.test_deciding import Scripted, answer, unsure\n"
        "good = Scripted(answer, name='m')\nsure = Scripted(unsure, name='m')\n"
    )
    place = f"py:{tmp_path / 'mine.py'}"
    chosen = recommend(
        ["Constrained()"],
        f"{place}:good",
        dataset(4, 40, 60),
        ["record_accuracy>=0.9"],
        sampling=Sampling(max_tokens=99),
        minimise="price",
        prices={f"{place}:good": Price(3, 15)},
    )
    priced = evaluate("Constrained()", f"{place}:good", dataset(0, 0, 4), prices={f"{place}:good": Price(3, 15)})
    assert chosen.candidates[0].cost == pytest.approx((3 * 100 + 15 * 10) / 1e6)
    assert priced.rows()[0].cost.price == pytest.approx((3 * 100 + 15 * 10) / 1e6)
    found = certify("Prompted()", dataset(4, 60, 200), model=f"{place}:sure", sampling=Sampling(max_tokens=99))
    for written, name in ((chosen.written("my bolts"), "good"), (found.written("my bolts"), "sure")):
        (tmp_path / "a.strategy").write_text(written)
        way: Any = load_strategy(str(tmp_path / "a.strategy"))
        on = way if name == "good" else way.inner
        assert load_model(on.model.name).name == "m"
        assert on.model.name == f"{place}:{name}"
        assert "# Measured with --max-tokens 99.\n" in written, "it shows no examples"
    assert (
        measured_with("my bolts", 9, "Prompted(examples=1)")
        == "# Measured with --examples 'my bolts' --max-tokens 9.\n"
    )
    with pytest.raises(SpecError, match="got two models with the name m"):
        recommend(["Constrained()"], [f"{place}:good", f"{place}:sure"], dataset(4, 40, 60), ["record_accuracy>=0.9"])


def test_none_can_be_shown_with_too_few_records() -> None:
    found = recommend(["Constrained()"], Scripted(answer), dataset(4, 10, 20), ["record_accuracy>=0.995"])
    assert found.chosen is None
    assert found.candidates[0].needed == 598
    with pytest.raises(DataError, match="no strategy met the targets"):
        found.written()
    hopeless = recommend(["Prompted()"], Scripted(answer), dataset(0, 10, 40), ["record_accuracy>=0.95"])
    assert (hopeless.chosen, hopeless.candidates[0].needed) == (None, None)


def test_records_are_shared_out_on_demand() -> None:
    whole = dataset(50, 0, 0)
    with pytest.raises(DataError, match="0 dev and 0 test"):
        recommend(["Constrained()"], Scripted(answer), whole, ["record_accuracy>=0.9"])
    model = Scripted(answer)
    ways = ["Constrained()", "Prompted(examples=2)"]
    found = recommend(ways, model, whole, ["record_accuracy>=0.9"], share_out=True)
    assert (found.ordering, found.deciding) == (12, 36)
    shown = {m.content for batch in model.batches for p in batch for m in p.messages[1:-1] if m.role == "user"}
    asked = {p.messages[-1].content for batch in model.batches for p in batch}
    assert len(shown) == 2
    assert not shown & asked


def test_compliance_alone_recommends_nothing_where_labels_exist(tmp_path: Path) -> None:
    data, always_wrong = dataset(4, 40, 100), Scripted(wrong, name="m")
    with pytest.raises(SpecError, match=r"no target says that values are right: got compliance >= 0\.9") as refused:
        recommend(["Prompted()"], always_wrong, data, ["compliance>=0.9"])
    assert "--compliance-only" in str(refused.value)
    assert always_wrong.batches == []
    found = recommend(["Prompted()"], always_wrong, data, ["compliance>=0.9"], compliance_only=True)
    assert found.chosen is not None
    assert found.chosen.rates["wrong_but_valid"].value == 1, "what labels say stands beside the verdict"
    both = recommend(["Prompted()"], always_wrong, data, ["compliance>=0.9", "record_accuracy>=0.5"])
    assert both.chosen is None
    for name in ("value_accuracy>=0.6", "wrong_but_valid<=0.3"):
        assert recommend(["Constrained()"], Scripted(answer), data, [name]).chosen is not None


def test_values_of_a_record_count_as_dependent() -> None:
    """Half of the values of each record are right: 100 records of 2 values are less than 200 observations."""
    halves = evaluate(["Prompted()"], Scripted(wrong), dataset(0, 0, 100)).outcomes
    alike = evaluate(["Prompted()"], Scripted(answer), dataset(0, 0, 100)).outcomes
    assert Target.of("value_accuracy>=0.4").p(halves) <= 0.05
    target = Target.of("value_accuracy>=0.9")
    assert target.p(alike) <= 0.05
    needed = Target.of("value_accuracy>=0.94").needed(alike)
    assert needed is not None
    assert needed > 100


def test_without_labels_nothing_is_said_of_the_values(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": f"bolt {i}."}) + "\n" for i in range(80)))
    data = Dataset.load(tmp_path / "rows.jsonl", Bolt, needs_labels=False)
    found = recommend(["Prompted()"], Scripted(RIGHT, name="m"), data, ["compliance>=0.9"])
    assert found.chosen is not None
    assert list(found.chosen.rates) == ["compliance"]
    assert (found.ordering, found.deciding) == (20, 60)
    assert "nothing here says whether the values are right" in found.written()
    with pytest.raises(SpecError, match="has no labels, and record_accuracy needs them"):
        recommend(["Prompted()"], Scripted(right), data, ["record_accuracy>=0.9"])
    with pytest.raises(DataError, match="text or expected is missing"):
        Dataset.load(tmp_path / "rows.jsonl", Bolt)


def test_it_says_how_labelled_rows_became_test_rows(tmp_path: Path) -> None:
    rows = [{"text": f"test {i}.", "expected": {"kind": "hex", "size_mm": i}} for i in range(50)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = Dataset.load(tmp_path / "rows.jsonl", Bolt)
    said = recommend(["Prompted()"], Scripted(right), data, ["record_accuracy>=0.5"]).sharing
    assert said == (
        "The 50 labelled records became 25 to show as examples (train), 13 to order the strategies (dev) and 12 to "
        "test them (test): the rows name no split, so their place in the file decided: half train, a quarter dev, a "
        "quarter test."
    )
    short = recommend(["Prompted()"], Scripted(right), data, ["record_accuracy>=0.9"])
    assert (short.chosen, short.sharing) == (None, f"{said} With --folds 5, all 50 count.")
    missed = recommend(["Prompted()"], Scripted(wrong), data, ["record_accuracy>=0.9"])
    assert (missed.chosen, missed.sharing) == (None, said), "more records would not help"
    assert (
        "the rows name their split"
        in recommend(["Prompted()"], Scripted(right), dataset(25, 13, 12), ["record_accuracy>=0.5"]).sharing
    )
    folded = recommend(["Prompted()"], Scripted(right), data, ["record_accuracy>=0.9"], folds=5)
    assert folded.chosen is not None
    assert (folded.ordering, folded.deciding, folded.chosen.n) == (0, 50, 50)
    assert folded.sharing.startswith("The 50 labelled records were divided by chance into 5 folds.")


def test_with_folds_all_candidates_share_the_level() -> None:
    """0.9 ** 33 is 0.03: enough for a strategy alone, and too little for one of four."""
    ways = [f"Prompted(examples={n})" for n in range(4)]
    alone = recommend(ways[:1], Scripted(right), dataset(33, 0, 0), ["record_accuracy>=0.9"], folds=3)
    of_four = recommend(ways, Scripted(right), dataset(33, 0, 0), ["record_accuracy>=0.9"], folds=3)
    assert (alone.chosen is not None, of_four.chosen) == (True, None)
    assert alone.candidates[0].needed == 29
    assert of_four.candidates[0].needed == 42
    with pytest.raises(SpecError, match="both share_out and folds"):
        recommend(
            ways, Scripted(right), dataset(33, 0, 0), ["yield>=0.9"], folds=3, share_out=True, compliance_only=True
        )


def test_a_strategy_that_is_no_better_than_a_constant_answer_is_not_recommended() -> None:
    """Every fifth bolt is a flange, and the model never sees one."""
    labels: list[Any] = [{"kind": "flange" if i % 5 == 0 else "hex", "size_mm": 6.0, "note": None} for i in range(60)]
    records = tuple(Record(str(i), f"bolt {i}.", one, one, "test") for i, one in enumerate(labels))
    data = Dataset("bolts", Schema.of(Bolt), records)
    found = recommend(["Prompted()"], Scripted(RIGHT, name="m"), data, ["record_accuracy>=0.6"], folds=5)
    (only,) = found.candidates
    assert (only.shown, only.beats_constant, found.chosen) == (True, False, None)
    assert only.constant["record_accuracy"].value == only.rates["record_accuracy"].value == 0.8
    with pytest.raises(DataError, match="no strategy that met the targets is better than a constant answer"):
        found.written()


@pytest.mark.parametrize("written", ["compliance>0.9", "accuracy>=0.9", "compliance>=90", "compliance>=1.5", ""])
def test_an_invalid_target_is_refused(written: str) -> None:
    with pytest.raises(SpecError, match="invalid target: got"):
        Target.of(written)


def test_targets_at_most() -> None:
    target = Target.of("wrong-but-valid <= 0.05")
    assert str(target) == "wrong_but_valid <= 0.05"
    outcomes = evaluate([Prompted()], Scripted(right), dataset(0, 0, 60)).outcomes
    assert target.p(outcomes) == pytest.approx(0.95**60)
    assert recommend(["Prompted()"], Scripted(right), dataset(0, 9, 60), [target]).chosen is not None


def test_the_choice_is_wrong_no_more_often_than_a_single_test() -> None:
    """Five strategies of which the two cheapest just miss the target, so that many chances to be wrong are there."""
    draw = np.random.default_rng(3)
    truths, target = [0.85, 0.899, 0.93, 0.96, 0.98], 0.9
    chosen, wrong = 0, 0
    for _ in range(EXPERIMENTS):
        promises = [1 - p_value(int(draw.binomial(40, truth)), 40, target) for truth in truths]
        hits = [int(draw.binomial(150, truth)) for truth in truths]
        shown = [p_value(hit, 150, target) <= 0.05 for hit in hits]
        place = cheapest_shown(promises, shown.__getitem__)
        chosen += place is not None
        wrong += place is not None and truths[place] < target
    assert wrong / EXPERIMENTS <= 0.055
    assert chosen / EXPERIMENTS >= 0.5


@pytest.mark.parametrize(("power", "often"), [(1, 0.1), (2, 0.6)])
def test_a_certified_threshold_is_wrong_no_more_often_than_it_says(power: int, often: float) -> None:
    """Confidence u in [0, 1], wrong with (1 - u) ^ power / 2: above t the error is (1 - t) ^ power / 2 (power + 1)."""
    draw = np.random.default_rng(5)
    found = []
    for _ in range(EXPERIMENTS):
        sure = draw.random(260)
        wrong = draw.random(260) < (1 - sure) ** power / 2
        proposed, judged = (Sure(sure[part].tolist(), wrong[part].tolist()) for part in (slice(60), slice(60, None)))
        found.append(threshold(proposed, judged, max_error=0.1))
    shown = [one for one in found if one is not None]
    assert sum((1 - one) ** power / (2 * (power + 1)) > 0.1 for one in shown) / EXPERIMENTS <= 0.055
    assert len(shown) / EXPERIMENTS >= often


def test_records_of_a_supplier_that_are_wrong_together_count_as_fewer() -> None:
    """Of 40 suppliers, 21 % have every record wrong, and 20 % may be: as single records, they often show it."""
    draw = np.random.default_rng(7)
    suppliers = np.repeat(np.arange(40), 10).astype(str).tolist()
    broken: dict[bool, int] = {False: 0, True: 0}
    for _ in range(EXPERIMENTS):
        halves = [(draw.random(400).tolist(), np.repeat(draw.random(40) < 0.21, 10).tolist()) for _ in range(2)]
        for has_groups in broken:
            groups = suppliers if has_groups else ()
            proposed, judged = (Sure(sure, wrong, groups) for sure, wrong in halves)
            broken[has_groups] += threshold(proposed, judged, max_error=0.2) is not None
    assert broken[False] / EXPERIMENTS > 0.1
    assert broken[True] / EXPERIMENTS <= 0.055


def test_certify_says_what_it_costs_to_be_sure(tmp_path: Path) -> None:
    found = certify(Prompted(), dataset(0, 60, 200), 0.05, model=Scripted(unsure, name="m"))
    assert found.threshold is not None
    assert (found.accepted, found.errors, found.n) == (162, 2, 200)
    assert found.coverage.value == 0.81
    assert found.base_error.value == 0.2
    assert found.bound == pytest.approx((0.2 - 0.05) / 0.95)
    assert found.worst < 0.05
    (tmp_path / "sure.strategy").write_text(found.written())
    built: Any = load_strategy(str(tmp_path / "sure.strategy"))
    assert built.verifier == Confident(found.threshold, of="answer")
    asked = evaluate(Prompted(), Scripted(unsure, name="m"), dataset(0, 60, 200)).outcomes
    assert found.reference == Reference(tuple(one.answer_sureness or 0 for one in asked), "answer")
    by_logprob = certify(
        Prompted(), dataset(0, 60, 200), 0.05, model=Scripted(unsure), confidence=lambda o: o.value_logprob
    )
    assert by_logprob.threshold == pytest.approx(-0.01)
    with pytest.raises(DataError, match="cannot apply a confidence of your own"):
        by_logprob.written()
    voted = certify(Vote(Prompted(temperature=0.5), n=2), dataset(0, 60, 200), 0.3, model=Scripted(unsure, name="m"))
    assert voted.of == voted.reference.of == "values"  # of several samples, no answer is the answer
    silent = certify(Prompted(), dataset(0, 60, 200), 0.05, model=Scripted(right, name="m"))
    assert (silent.threshold, silent.is_met, silent.accepted, silent.confidences) == (None, True, 200, ())
    assert "Confident" not in silent.written(), "a model that does not tell how sure it is"
    none = certify(Prompted(), dataset(0, 60, 200), 0.001, model=Scripted(right))
    assert (none.threshold, none.is_met, none.bound) == (None, False, 0.0)
    with pytest.raises(DataError, match="no threshold"):
        none.written()


def test_evidence_says_what_more_labels_would_do() -> None:
    sure, wrong = [0.9] * 80 + [0.5] * 20, [False] * 80 + [True] * 20
    told = Evidence.of(Sure(sure, wrong), 200, 0.02)
    assert (told.records, told.accepted, told.wrong) == (200, 100, 20)
    assert told.separation is not None
    assert (told.separation.area, told.separation.is_shown) == (1.0, True)
    assert told.needed == 373, "149 sure answers show 2 %, and 80 of 200 records gave a sure answer"
    mixed = Evidence.of(Sure([0.9, 0.5] * 50, [False] * 80 + [True] * 20), 200, 0.02)
    assert mixed.separation == Separation(0.5, 0.5)
    assert mixed.needed is None, "no threshold is better than another one, but by chance"
    assert Evidence.of(Sure([], []), 50, 0.05) == Evidence(50, 0, 0, None, None)
    assert Separation.of(Sure([0.5] * 4, [True, False] * 2)) == Separation(0.5, 1.0)


def test_separation_is_shown_by_chance_in_one_of_twenty_cases() -> None:
    draw = np.random.default_rng(3)
    shown = 0
    for _ in range(EXPERIMENTS):
        sure, wrong = draw.integers(0, 8, 60) / 8, draw.random(60) < 0.2
        found = Separation.of(Sure(sure.tolist(), wrong.tolist()))
        shown += found is not None and found.is_shown
    assert shown / EXPERIMENTS == pytest.approx(0.05, abs=0.02)


def test_certify_counts_the_strategies_that_were_tried_on_the_records_that_judge(tmp_path: Path) -> None:
    log, whole, model = tmp_path / "log.jsonl", dataset(0, 60, 200), Scripted(unsure, name="m")
    evaluate(["Prompted()", "Reask(Prompted())"], model, whole.split("dev"), examples=whole, log=log)
    tried = [certify(one, whole, model=model, log=log) for one in ("Prompted()", "Repair(Prompted())", "Prompted()")]
    assert [one.tried for one in tried] == [1, 2, 2]
    promised, rest = tried[1].written().split("\n", 1)
    assert "with 95 % confidence, but 2 strategies were tried on these records" in promised
    assert "tried" not in rest
    evaluate(["Prompted()", "Constrained()"], model, whole.split("test"), examples=whole, log=log)
    assert certify("Prompted()", whole, model=model, log=log).tried == 3, "those of a bench count too"
    assert certify("Prompted()", whole, model=model, log=log, folds=2).tried == 4, "and here those of the dev records"
    other = dataclasses.replace(whole, records=tuple(dataclasses.replace(one, text=f"a {one.text}") for one in whole))
    assert certify("Constrained()", other, model=model, log=log).tried == 1, "other records"
    evaluate("Verify(Prompted(), Confident(0.5, of='answer'))", model, whole.split("test"), log=log)
    assert certify("Prompted()", whole, model=model, log=log).tried == 3, "a strategy with its threshold is no other"
    assert certify("Prompted()", whole, model=model, log=tmp_path / "b.jsonl").tried == 3, "a log of another file"
    assert certify("Constrained()", whole, model=model).tried == 1, "no log"


def test_certify_uses_all_records_with_folds() -> None:
    """A quarter of 260 records proposes, and 195 judge: four fifths of them are right, and sure."""
    found = certify("Prompted()", dataset(130, 65, 65), 0.05, model=Scripted(unsure, name="m"), folds=4)
    assert (found.n, found.errors) == (195, 0)
    assert found.threshold is not None
    assert found.accepted == pytest.approx(0.8 * 195, abs=12)


def test_a_regression_is_shown_or_it_is_none() -> None:
    def broken(keys: set[str]) -> Scripted:
        return Scripted(
            lambda p: wrong(p) if any(f"test {k}." in p.messages[-1].content for k in keys) else right(p), name="m"
        )

    before = evaluate(["Prompted()"], broken({"0"}), dataset(0, 0, 60))
    after = evaluate(["Prompted()"], broken(set(map(str, range(1, 12)))), dataset(0, 0, 60))
    compliance, accuracy = changes(before, after)
    assert (compliance.difference.value, compliance.is_regression) == (0, False)
    assert accuracy.is_regression
    assert set(accuracy.lost) == {f"test{i}" for i in range(1, 12)}
    assert accuracy.won == ("test0",)
    few = changes(before, evaluate(["Prompted()"], broken({"1", "2"}), dataset(0, 0, 60)))
    assert not any(one.is_regression for one in few)
    with pytest.raises(DataError, match="nothing in common"):
        changes(before, evaluate(["Repair(Prompted())"], broken(set()), dataset(0, 0, 60)))
    relabelled = dataset(0, 1, 0)
    with pytest.raises(DataError, match="nothing in common"):
        changes(before, evaluate(["Prompted()"], broken(set()), relabelled))


def test_what_was_recommended_is_written_for_machines() -> None:
    from dataclasses import asdict

    found = recommend(
        ["Constrained()"], Scripted(answer), dataset(4, 10, 20), ["record_accuracy>=0.8"], minimise="tokens"
    )
    assert json.loads(json.dumps(asdict(found)))["candidates"][0]["cost"] == 110
    with pytest.raises(SpecError, match="the price of"):
        recommend(["Constrained()"], Scripted(answer), dataset(4, 10, 20), ["record_accuracy>=0.8"], minimise="price")
