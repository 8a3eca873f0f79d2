"""Suspect labels: who must agree, on what, and what the rates without the suspects are."""

import json
from pathlib import Path
from typing import Any

import pytest

from structout import Dataset, Report, Scripted, evaluate
from structout.completion import Prompt
from structout.errors import DataError, SpecError
from structout.evaluation import read_log, suspects
from structout.evaluation.dataset import Record
from structout.evaluation.reporting import suspected
from structout.evaluation.reporting.page import page
from structout.evaluation.suspects import independent, without
from structout.schema import Schema

CAR = Schema.of({
    "title": "Car",
    "type": "object",
    "properties": {
        "make": {"type": ["string", "null"]},
        "model": {"type": "string"},
        "kind": {"enum": ["car", "van"]},
    },
    "required": ["model", "kind"],
    "additionalProperties": False,
})  # fmt: skip
TEXT = "a Volvo Amazon of 1962, in Falun red"
RIGHT: dict[str, Any] = {"make": "Volvo", "model": "Amazon", "kind": "car"}


def cars(*labels: Any, text: str = TEXT) -> Dataset:
    """A data set of one text with several labels, and two more records with right labels, which show what is copied."""
    sure = [Record(f"sure {n}", f"Volvo Amazon {n}", RIGHT, RIGHT, "test") for n in range(2)]
    return Dataset("cars", CAR, (*(Record(f"{n}", text, one, one, "test") for n, one in enumerate(labels)), *sure))


def model(name: str, **said: Any) -> Scripted:
    """A model that answers right but for some values."""
    return Scripted(json.dumps(RIGHT | said), name=name)


def measured(label: Any, *models: Scripted, strategies: Any = "Prompted()") -> Report:
    return evaluate(strategies, models, cars(RIGHT | label))


def test_a_label_is_suspect_where_two_models_agree_on_a_value_of_the_text() -> None:
    report = measured({"make": "Saab"}, model("a"), model("b"))
    (one,) = suspects(report)
    assert (one.key, one.pointer, one.label, one.answer) == ("0", "/make", "Saab", "Volvo")
    assert (one.independent, one.others, one.is_clear, one.label_span) == (2, 0, True, None)
    assert TEXT[slice(*one.span)] == "Volvo"
    assert [arm.model for arm in one.arms] == ["a", "b"]
    assert "2 of the 2 strategies are independent" in suspected.told(report, [one])


def test_one_model_is_not_enough_whatever_repeats_its_question() -> None:
    same = ["Prompted()", "Repair(Prompted())", "Constrained()", "Vote(Prompted(temperature=0.7), n=3)"]
    report = evaluate(same, model("a"), cars(RIGHT | {"make": "Saab"}), repeats=2)
    assert independent(report) == 1
    assert suspects(report) == []
    assert "two different prompts" in suspected.told(report, [])


def test_an_option_makes_no_other_model() -> None:
    report = measured({"make": "Saab"}, model("openai:a"), model("openai:a#logprobs"))
    assert independent(report) == 1


def test_another_prompt_to_the_same_model_is_independent() -> None:
    ways = ["Prompted()", "Prompted(instructions='Read with care.')"]
    (one,) = suspects(measured({"make": "Saab"}, model("a"), strategies=ways))
    assert one.independent == 2


def test_a_cascade_repeats_the_answer_of_its_last_step() -> None:
    def answer(prompt: Prompt) -> str:
        return json.dumps(RIGHT) if "with care" in prompt.messages[0].content else "no idea"

    careful = "Prompted(instructions='Read with care.')"
    report = evaluate(
        ["Prompted()", careful, f"Cascade(Prompted(), {careful})"], Scripted(answer), cars(RIGHT | {"make": "Saab"})
    )
    assert independent(report) == 1
    assert suspects(report) == []


def test_a_value_that_stands_nowhere_in_the_text_makes_no_label_suspect() -> None:
    assert suspects(measured({}, model("a", make="Saab"), model("b", make="Saab"))) == []


def test_no_label_is_suspect_whose_value_a_strategy_gives() -> None:
    assert suspects(measured({"make": "Saab"}, model("a"), model("b"), model("c", make="Saab"))) == []


def test_a_clear_label_is_suspect_although_another_strategy_disagrees() -> None:
    (one,) = suspects(measured({"make": "Saab"}, model("a"), model("b"), model("c", make="Falun")))
    assert (one.independent, one.others) == (2, 1)


@pytest.mark.parametrize("label", ["Falun", "Volvo Amazon", None])
def test_a_label_without_a_value_or_with_one_of_the_text_needs_all_answers(label: str | None) -> None:
    (one,) = suspects(measured({"make": label}, model("a"), model("b")))
    assert (one.answer, one.is_clear) == ("Volvo", False)
    assert suspects(measured({"make": label}, model("a"), model("b"), model("c", make="1962"))) == []


def test_derived_fields_are_left_out() -> None:
    def label(n: int) -> dict[str, Any]:
        return RIGHT | {"make": f"Maker {n}", "kind": "van"}

    assert suspects(evaluate("Prompted()", [model("a"), model("b")], cars(*map(label, range(3))))) == []


def test_the_surest_come_first() -> None:
    labels = [RIGHT | {"make": "Falun"}, RIGHT | {"make": "Saab"}]
    found = suspects(evaluate("Prompted()", [model("a"), model("b")], cars(*labels)))
    assert [(one.key, one.is_clear) for one in found] == [("1", True), ("0", False)]


def test_more_strategies_can_be_asked_for() -> None:
    report = measured({"make": "Saab"}, model("a"), model("b"))
    assert suspects(report, least=3) == []
    with pytest.raises(SpecError, match="least"):
        suspects(report, least=1)


def test_records_without_labels_have_no_suspects() -> None:
    bare = Dataset("cars", CAR, (Record("0", TEXT, None, None, "test", has_label=False),))
    with pytest.raises(DataError, match="no labels"):
        suspects(evaluate("Prompted()", model("a"), bare))


def test_a_log_has_the_same_suspects(tmp_path: Path) -> None:
    models = [model("a"), model("b")]
    report = evaluate("Prompted()", models, cars(RIGHT | {"make": "Saab"}), log=tmp_path / "log.jsonl")
    assert suspects(read_log(tmp_path / "log.jsonl")) == suspects(report) != []


def test_the_rates_without_suspects_stand_beside_the_others() -> None:
    report = measured({"make": "Saab"}, model("a"), model("b"))
    found = suspects(report)
    for row, rates in zip(report.rows(), without(report, found).values(), strict=True):
        assert (row.value_accuracy.value, rates.value_accuracy.value) == (8 / 9, 1)
        assert (row.record_accuracy.n, rates.record_accuracy.n) == (3, 2)
        assert (row.wrong_but_valid.value, rates.wrong_but_valid.value) == (1 / 3, 0)
    assert without(report, [])[next(iter(report.plain))].record_accuracy == report.rows()[0].record_accuracy


def test_no_text_escapes_from_the_page_or_the_tables() -> None:
    evil = "<img src=x>\x1b[31m"
    label = RIGHT | {"make": evil}
    report = evaluate("Prompted()", [model("a"), model("b")], cars(label, text=f"{TEXT} {evil[:-5]}|</script>"))
    found = suspects(report)
    assert found
    drawn = page(report, found).partition('<section id="suspects">')[2].partition("</section>")[0]
    assert "Volvo" in drawn
    for shown in (drawn, suspected.markdown(report, found)):
        assert "<img" not in shown
        assert "</script" not in shown
        assert "\x1b" not in shown
    assert '<section id="suspects">' not in page(report)


def test_a_long_list_says_how_many_more_there_are() -> None:
    labels = [RIGHT | {"make": "Falun"} for _ in range(21)]
    report = evaluate("Prompted()", [model("a"), model("b")], cars(*labels))
    found = suspects(report)
    assert len(found) == 21
    assert "1 more" in suspected.markdown(report, found)
    assert len(suspected.as_json(report, found)["found"]) == 21
