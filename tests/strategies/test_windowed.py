"""Long texts in windows: how they are asked, and what of each window is kept."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, model_validator

from benchmarks.long.__main__ import perfect
from benchmarks.long.documents import KINDS, SCHEMA, Kind, document, read
from structout import (
    Completion,
    Confident,
    Dataset,
    Grounded,
    Message,
    ModelError,
    On,
    Prompt,
    Prompted,
    Reask,
    Repair,
    Sampling,
    Schema,
    Scripted,
    SpecError,
    Task,
    Usage,
    Verify,
    Windowed,
    evaluate,
    extract_many,
    load_strategy,
    spec,
)
from structout.models.base import PartialAnswerError
from structout.result import answer_probability
from structout.testing import check_strategy
from tests.strategies.long_orders import (
    LONG,
    Line,
    Order,
    bounds,
    order,
    plain,
    reader,
    record,
    rows,
    run,
    windowed,
)


@settings(max_examples=30)
@given(
    st.sampled_from(KINDS),
    st.integers(1, 90),
    st.integers(0, 999),
    st.sampled_from([1, 20, 60, 90, 200, 700, 3000]),
    st.floats(0, 0.5),
)
def test_any_window_gives_the_record_that_a_perfect_reader_reads(
    kind: Kind, lines: int, seed: int, window: int, share: float
) -> None:
    made = document(kind, lines, seed)
    assert read(made.text) == made.truth
    result = run(Windowed(Prompted(), window, int(window * share)), made.text, Scripted(perfect, keep=False), LONG)
    assert result.issues == ()
    assert result.document == made.truth


def test_a_text_that_fits_goes_to_the_inner_strategy_unchanged() -> None:
    text, model = order(3), reader()
    turns = (Message("assistant", "x"), Message("user", "y"))
    alone = run(Prompted(), text, model, turns=turns)
    assert run(windowed(2000), text, model, turns=turns) == alone
    assert [one.key() for one in model.batches[0]] == [one.key() for one in model.batches[1]]


def test_all_windows_of_all_tasks_are_one_batch() -> None:
    model = reader()
    tasks = [Task(order(count), Schema.of(Order)) for count in (3, 40, 2, 30)]
    results = windowed().run(tasks, model)
    assert len(model.batches) == 1
    assert [len(result.unwrap().lines) for result in results] == [3, 40, 2, 30]
    assert [len(result.attempts) > 1 for result in results] == [False, True, False, True]
    assert sum((result.usage for result in results), Usage()).calls == model.calls


def test_spans_and_confidence_are_those_of_the_whole_text() -> None:
    text = order(40)
    result = run(windowed(inner=Verify(Prompted(), Grounded())), text, reader())
    assert result.ok, result
    for n, line in enumerate(result.unwrap().lines):
        assert text[slice(*result.spans[f"/lines/{n}/code"])] == line.code
        assert text[slice(*result.spans[f"/lines/{n}/amount"])] == f"{line.amount:.2f}"
        assert result.confidence[f"/lines/{n}/code"] == 1.0
    assert text[slice(*result.spans["/number"])] == "X7"


def test_edits_of_repair_keep_their_places_in_the_merged_record() -> None:
    def read(text: str) -> Any:
        found = plain(text)
        for line in found["lines"]:
            line["amount"] = str(line["amount"]) if line["code"] == "A25" else line["amount"]
        return found

    result = run(windowed(inner=Repair(Prompted())), order(40), reader(read))
    assert result.status == "repaired"
    assert {edit.where for edit in result.edits} == {"/lines/25/amount"}


def test_usage_adds_up_and_the_attempts_of_all_windows_are_kept() -> None:
    text, model = order(40), reader()
    result = run(windowed(inner=Reask(Prompted())), text, model)
    assert result.usage == Usage(model.calls, 10 * model.calls, 5 * model.calls)
    assert all(any(row in shown for shown in bounds(result)) for row in text.splitlines())


def test_a_bad_window_is_asked_again_alone() -> None:
    asked: list[str] = []

    def read(text: str) -> Any:
        asked.append(text)
        return "oh" if "A25 " in text and asked.count(text) == 1 else plain(text)

    result = run(windowed(60, 0, Reask(Prompted())), order(40), reader(read))
    assert result.ok
    assert len(asked) == len(set(asked)) + 1


@pytest.mark.parametrize(
    ("bad", "reason", "status", "said"),
    [
        ("oh", "stop", "invalid", r"window \d+ \(characters [\d,]+ to [\d,]+\): .*not JSON|window \d+"),
        ('{"number": 7, "lines": []}', "stop", "invalid", r"window \d+ \(characters [\d,]+ to [\d,]+\): /number: "),
        ('{"number": null, "lines": [', "length", "truncated", r"window \d+ \(.*\): the answer was cut off at 512"),
    ],
)
def test_a_window_that_fails_is_named_with_its_place(bad: str, reason: Any, status: str, said: str) -> None:
    def answer(prompt: Prompt) -> Completion:
        text = record(prompt)
        is_bad = "A25 " in text
        return Completion(bad if is_bad else json.dumps(plain(text)), Usage(1, 1, 1), reason if is_bad else "stop")

    text = order(40)
    result = run(windowed(60, 0), text, Scripted(answer))
    assert result.status == status
    assert (result.value, result.document) == (None, None)
    assert re.match(said, result.issues[0].message)
    start, end = (int(one.replace(",", "")) for one in re.findall(r"[\d,]+", result.issues[0].message)[1:3])
    assert "A25 " in text[start:end]


def test_the_merged_record_is_checked_against_the_schema() -> None:
    class Summed(BaseModel):
        count: int
        lines: list[Line] = Field(min_length=2)

        @model_validator(mode="after")
        def _counted(self) -> "Summed":
            if self.count != len(self.lines):
                raise ValueError("the count is wrong")
            return self

    def reads(count: int) -> Scripted:
        return reader(lambda text: {"lines": rows(text)} | ({"count": count} if "Order" in text else {}))

    assert run(windowed(), order(40), reads(40), Summed).ok
    result = run(windowed(), order(40), reads(41), Summed)
    assert result.status == "invalid"
    assert "the count is wrong" in str(result.issues[0])


def test_the_model_that_is_asked_counts_the_tokens() -> None:
    class Counting(Scripted):
        def encode(self, prompt: Prompt) -> list[int]:
            return [0] * len(prompt.messages[-1].content)

    model = Counting(lambda prompt: json.dumps(plain(record(prompt))), name="counting")
    for strategy, given_model in ((Prompted(), model), (Reask(On(model, Prompted())), reader())):
        result = run(windowed(200, 50, strategy), order(20), given_model)
        assert len(result.unwrap().lines) == 20
        assert all(len(text) <= 200 for text in bounds(result))
    assert len(bounds(run(windowed(200, 50), order(20), reader()))) == 1


def test_a_bench_takes_windows_with_keys_of_lists(tmp_path: Path) -> None:
    made = [document("csv", 30, seed) for seed in range(4)]
    lines = [json.dumps({"text": one.text, "expected": one.truth, "split": "test"}) for one in made]
    (tmp_path / "records.jsonl").write_text("\n".join(lines))
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    strategy = Windowed(Prompted(), 90, 20, {"/lines": ("code", "text")})
    report = evaluate([strategy, Windowed(Prompted(), 90, 20)], Scripted(perfect), Dataset.load(tmp_path))
    assert [row.record_accuracy.value for row in report.rows()][1] == 1.0


def test_a_list_at_the_root_and_nested_lists_are_merged() -> None:
    assert len(run(windowed(), order(40), reader(rows), list[Line]).unwrap()) == 40

    class Nested(BaseModel):
        body: Order
        texts: list[str]

    read = {"body": None, "texts": None}
    result = run(windowed(), order(40), reader(lambda text: read | {"body": plain(text), "texts": []}), Nested)
    assert len(result.unwrap().body.lines) == 40


def test_earlier_turns_are_not_shown_to_windows() -> None:
    model = reader()
    run(windowed(), order(40), model, turns=(Message("assistant", "x"), Message("user", "y")))
    assert {prompt.messages[-1].content.startswith("<record>") for prompt in model.batches[0]} == {True}


def test_the_last_window_does_not_speak_for_the_whole_answer() -> None:
    told = (-0.1,)
    one, many = (run(windowed(), order(count), reader(told=told)) for count in (2, 40))
    assert answer_probability(one.attempts) == pytest.approx(0.904, abs=0.001)
    assert answer_probability(many.attempts) is None
    assert "<mark" not in many._repr_html_()
    result = run(Verify(windowed(), Confident(0.5, of="answer")), order(40), reader(told=told))
    assert result.status == "rejected"


def test_values_that_look_wrong_are_noticed_in_every_window() -> None:
    def answer(prompt: Prompt) -> str:
        text = json.dumps(plain(record(prompt)))
        return text.replace("7.5", "7.50000000000000000001", 1)

    result = run(windowed(), order(40), Scripted(answer))
    assert {"lost_digits"} == {notice.kind for notice in result.notices}
    assert "/lines/7/amount" in {notice.pointer for notice in result.notices}


def test_the_strategy_is_written_as_text_and_composes() -> None:
    check_strategy(Windowed(Reask(Repair(Prompted()))))
    check_strategy(Windowed(Repair(Prompted()), 3, 1))
    for text in (
        "Windowed(Prompted())",
        "Windowed(Reask(Prompted()), window=900, overlap=0, key='code')",
        "Windowed(Prompted(), key={'/lines': 'code', '/notes': ('a', 'b')})",
        "Vote(Windowed(Prompted()), n=3)",
    ):
        assert spec(load_strategy(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Windowed(Prompted(), window=0)", "invalid window"),
        ("Windowed(Prompted(), window=10, overlap=6)", "invalid overlap"),
        ("Windowed(Prompted(), overlap=-1)", "invalid overlap"),
        ("Windowed(Prompted(), key='')", "invalid key"),
        ("Windowed(Prompted(), key={'lines': 'code'})", "expected a JSON Pointer"),
        ("Windowed(Prompted(), key=3)", "invalid key"),
        ("Repair(Reask(Windowed(Prompted())))", "several windows"),
    ],
)
def test_impossible_windows_are_refused(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        load_strategy(text)


@pytest.mark.parametrize("key", ["cod", {"/lines": "cod"}, {"/line": "code"}])
def test_an_unknown_key_is_refused(key: Any) -> None:
    with pytest.raises(SpecError, match="unknown key"):
        run(windowed(key=key), "x", reader())


def test_a_schema_without_fields_and_lists_is_refused() -> None:
    with pytest.raises(SpecError, match="neither objects nor lists"):
        run(windowed(), "x", reader(), {"type": "string"})


def test_a_resumed_run_asks_for_no_window_again(tmp_path: Path) -> None:
    texts = [order(40, code) for code in ("A{}", "B{}", "C{}")]
    journal, strategy = tmp_path / "j", windowed()
    first = reader()
    stopped = extract_many(texts[:1], Order, first, strategy, journal=journal)
    (one,) = list(stopped)
    second = reader()
    found = list(extract_many(texts, Order, second, strategy, journal=tmp_path / "k"))
    third = reader()
    again = list(extract_many(texts, Order, third, strategy, journal=tmp_path / "k"))
    assert third.calls == 0
    assert [result.value for result in again] == [result.value for result in found]
    assert again[0].value == one.value
    assert [result.usage.calls for result in again] == [result.usage.calls for result in found]


def test_a_run_that_failed_asks_only_for_the_windows_that_have_no_answer(tmp_path: Path) -> None:
    """The model answers a part of the batch and fails; the same call asks for the rest."""
    asked: list[str] = []

    class Breaking:
        name = "breaking"

        def __init__(self, most: int) -> None:
            self.most = most

        def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
            asked.extend(record(prompt) for prompt in prompts[: self.most])
            made = [Completion(json.dumps(plain(record(prompt))), Usage(1, 1, 1)) for prompt in prompts]
            if len(prompts) > self.most:
                raise PartialAnswerError("the line is dead", [*made[: self.most], *[None] * (len(made) - self.most)])
            return made

    text = order(40)
    with pytest.raises(ModelError, match="the line is dead"):
        list(extract_many([text], Order, Breaking(3), windowed(), journal=tmp_path / "j"))
    assert len(asked) == 3
    (result,) = extract_many([text], Order, Breaking(99), windowed(), journal=tmp_path / "j")
    assert len(result.unwrap().lines) == 40
    assert len(asked) == len(set(asked)) == len(result.attempts)


def test_windows_are_the_same_for_any_neighbours_in_the_batch() -> None:
    model = reader()
    alone = run(windowed(), order(40), model)
    both = windowed().run([Task(order(25), Schema.of(Order)), Task(order(40), Schema.of(Order))], model)
    assert bounds(both[1]) == bounds(alone)
    assert all(one != other for one, other in pairwise(bounds(alone)))
    assert alone.attempts[0].prompt.sampling == Sampling()
