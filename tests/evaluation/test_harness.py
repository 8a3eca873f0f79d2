import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from structout import (
    Completion,
    DataError,
    ModelError,
    Prompt,
    Prompted,
    Reask,
    Repair,
    Scripted,
    SpecError,
    StructoutError,
    certify,
    evaluate,
    recommend,
)
from structout.evaluation import read_log, share
from structout.evaluation.dataset import Dataset
from structout.evaluation.outcome import Outcome
from structout.evaluation.reporting.table import markdown
from structout.evaluation.stats.rates import Rate
from structout.evaluation.stopping import Until
from tests.evaluation.test_metrics import ANSWERS, RIGHT, bolts

STRATEGIES = ["Prompted()", "Repair(Prompted())", "Reask(Repair(Prompted()))"]


def test_the_log_holds_every_attempt_and_scores_the_same_again(tmp_path: Path) -> None:
    report = evaluate(STRATEGIES, Scripted(ANSWERS), bolts(*ANSWERS), repeats=2, log=tmp_path / "logs" / "log.jsonl")
    again = read_log(tmp_path / "logs" / "log.jsonl")
    assert again.rows() == report.rows()
    assert again.about == report.about
    assert len(again.outcomes) == len(STRATEGIES) * len(ANSWERS) * 2
    reasked = next(o for o in again.outcomes if o.strategy == STRATEGIES[2] and o.key == "invalid")
    assert [attempt["text"] for attempt in reasked.attempts] == [ANSWERS["invalid"]] * 2
    assert len(reasked.attempts[1]["messages"]) == 4


def test_prompts_that_are_alike_are_asked_once_and_charged_to_each() -> None:
    model = Scripted(ANSWERS)
    report = evaluate([Prompted(), Repair(Prompted())], model, bolts(*ANSWERS))
    assert model.calls == len(ANSWERS)
    assert [row.cost.calls for row in report.rows()] == [1, 1]


def test_repeats_are_asked_anew() -> None:
    answers = iter([RIGHT, "no", RIGHT])
    model = Scripted(lambda prompt: next(answers))
    report = evaluate([Prompted()], model, bolts("x"), repeats=3)
    assert report["Prompted()"].rates["compliance"].value == pytest.approx(2 / 3)


def test_strategies_may_be_named_and_models_several() -> None:
    models = [Scripted(RIGHT, name="good"), Scripted("no", name="bad")]
    report = evaluate({"plain": Prompted(), "twice": Reask(Prompted())}, models, bolts("x"))
    assert [(row.strategy, row.model, row.rates["yield"].value) for row in report.rows()] == [
        ("plain", "good", 1.0),
        ("twice", "good", 1.0),
        ("plain", "bad", 0.0),
        ("twice", "bad", 0.0),
    ]


def test_an_interrupted_run_keeps_what_it_logged(tmp_path: Path) -> None:
    def answer(prompt: object) -> Completion:
        if model.calls > 70:
            raise KeyboardInterrupt
        return Completion(RIGHT)

    model = Scripted(answer)
    with pytest.raises(KeyboardInterrupt):
        evaluate([Prompted()], model, bolts(*map(str, range(100))), log=tmp_path / "log.jsonl")
    assert len(read_log(tmp_path / "log.jsonl").outcomes) == 64


def test_a_record_with_an_unpaired_surrogate_does_not_break_the_log(tmp_path: Path) -> None:
    evaluate([Prompted()], Scripted(RIGHT), bolts("bad \ud800 text"), log=tmp_path / "log.jsonl")
    assert read_log(tmp_path / "log.jsonl").outcomes[0].text == "bad \ud800 text"


def test_what_is_no_log(tmp_path: Path) -> None:
    for content in ("", "{", '{"a": 1}', '{"structout": "0"}\n{"a": 1}'):
        (tmp_path / "log.jsonl").write_text(content)
        with pytest.raises(DataError):
            read_log(tmp_path / "log.jsonl")
    with pytest.raises(DataError, match="no records"):
        evaluate([Prompted()], Scripted(RIGHT), bolts())
    with pytest.raises(DataError, match="cannot write"):
        evaluate([Prompted()], Scripted(RIGHT), bolts("x"), log=tmp_path)


def test_the_table_for_people_and_for_machines() -> None:
    report = evaluate([Prompted(), Repair(Prompted())], Scripted(ANSWERS), bolts(*ANSWERS))
    assert "| Repair(Prompted()) | 60 % 23–88 |" in markdown(report)
    assert json.loads(json.dumps(report.to_json()))["rows"][1]["rates"]["yield"]["n"] == 5


def test_records_on_which_the_model_fails_are_named_and_alone_asked_again(tmp_path: Path) -> None:
    log, keys = tmp_path / "log.jsonl", [f"r{i}" for i in range(40)]
    down = {"r7", "r35"}

    def answer(prompt: Prompt) -> str:
        if next((key for key in down if f"\n{key}\n" in prompt.messages[-1].content), None):
            raise ModelError("the server is down", hint="start it")
        return RIGHT

    with pytest.raises(ModelError, match=r"failed on 2 of 40 records \(r7, r35\), last: the server is down") as caught:
        evaluate([Prompted(), Repair(Prompted())], Scripted(answer), bolts(*keys), log=log)
    assert str(log) in caught.value.hint
    assert len(read_log(log).outcomes) == 2 * 38
    down.clear()
    model = Scripted(answer)
    report = evaluate([Prompted(), Repair(Prompted())], model, bolts(*keys), log=log)
    assert model.calls == 2
    assert [row.n for row in report.rows()] == [40, 40]


def test_a_model_that_fails_on_all_is_not_asked_for_all() -> None:
    model = Scripted({})
    with pytest.raises(ModelError, match="10 times in a row"):
        evaluate([Prompted()], model, bolts(*map(str, range(200))))
    assert model.calls < 64
    with pytest.raises(ModelError, match="1 of 2 records"):
        evaluate([Prompted()], Scripted({"yes": RIGHT}), bolts("yes", "no"), until=Until(decided=True))
    with pytest.raises(ModelError, match="2 of 2 records"):
        evaluate([Prompted()], Scripted({}), bolts("yes", "no"), until=Until(width=0.1))


def test_one_stands_for_a_list_of_one() -> None:
    report = evaluate("Prompted()", Scripted(RIGHT), bolts("x"), perturbations="case")
    assert [row.strategy for row in report.rows()] == ["Prompted()"]
    assert {arm.perturbation for arm in report.arms} <= {"", "case"}
    assert evaluate(Prompted(), Scripted(RIGHT), bolts("x")).rows() == report.rows()


_ODD: Any = "rows.csv"
_THREE: Any = 3


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: evaluate([Prompted()], Scripted(RIGHT), _ODD), "invalid data set: got 'rows.csv'"),
        (lambda: certify(Prompted(), _ODD, model=Scripted(RIGHT)), "invalid data set: got 'rows.csv'"),
        (lambda: recommend(Prompted(), Scripted(RIGHT), _ODD, "yield>=0.5"), "invalid data set: got 'rows.csv'"),
        (lambda: evaluate([Prompted()], Scripted(RIGHT), bolts("x"), repeats=0), "invalid repeats: got 0"),
        (lambda: evaluate([], Scripted(RIGHT), bolts("x")), "no strategy to measure"),
        (lambda: evaluate([Prompted()], [], bolts("x")), "no model to measure"),
        (lambda: evaluate([Prompted()], [_THREE], bolts("x")), "invalid model"),
        (lambda: evaluate([_THREE], Scripted(RIGHT), bolts("x")), "invalid strategy: got 3"),
        (lambda: evaluate([Prompted()], Scripted(RIGHT), bolts("x"), perturbations="typo"), "perturbation 'typo'"),
        (
            lambda: evaluate([Prompted()], Scripted(RIGHT), bolts("x"), folds=2, until=Until(decided=True)),
            "folds do not go with until.*--until-decided",
        ),
    ],
)
def test_wrong_arguments_are_typed_errors(call: Any, said: str) -> None:
    with pytest.raises(StructoutError, match=said) as caught:
        call()
    assert caught.value.hint


def test_a_metric_that_fails_is_named() -> None:
    def broken(outcomes: Sequence[Outcome]) -> Rate:
        raise KeyError("colour")

    def odd(outcomes: Sequence[Outcome]) -> Any:
        return 0.5

    for metric, said in ((broken, "'mine' failed: KeyError: 'colour'"), (odd, "'mine' returned 0.5")):
        report = replace(evaluate([Prompted()], Scripted(RIGHT), bolts("x")), metrics={"mine": metric})
        with pytest.raises(SpecError, match=f"the metric {said}"):
            report.rows()


def test_a_metric_of_another_type_is_found_before_a_model_is_asked(tmp_path: Path) -> None:
    model = Scripted(RIGHT)
    with pytest.raises(SpecError, match=r"returned 1\.0") as found:
        evaluate(Prompted(), model, bolts("1"), metrics={"own": lambda outcomes: 1.0})  # type: ignore[dict-item]
    assert model.calls == 0
    assert "share(outcomes, holds)" in str(found.value.hint)
    log = tmp_path / "log.jsonl"
    metric = {"own": lambda outcomes: share(outcomes[0].nothing, bool)}
    with pytest.raises(SpecError, match="the metric 'own' failed: AttributeError") as failed:
        evaluate(Prompted(), model, bolts(*map(str, range(100))), metrics=metric, log=log)
    assert model.calls == 32, "the first records alone"
    assert str(log) in str(failed.value.hint)
    assert len(read_log(log).outcomes) == 32


def test_the_title_says_which_records_were_tested() -> None:
    data = Dataset.load("schemas/parts")
    test = data.split("test")
    assert f"{len(test)} records of the test split, scripted" in evaluate(Prompted(), Scripted("{}"), test).title
    assert f"{len(data)} records of all splits" in evaluate(Prompted(), Scripted("{}"), data).title
    assert "8 records in 2 folds" in evaluate(Prompted(), Scripted("{}"), data.head(8), folds=2).title
