"""Long texts in windows: what is merged, what is a conflict, and what of each window is kept."""

import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

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
    Result,
    Sampling,
    Schema,
    Scripted,
    SpecError,
    Task,
    Usage,
    Verify,
    Vote,
    Windowed,
    evaluate,
    extract_many,
    load_strategy,
    spec,
)
from structout.models.base import PartialAnswerError
from structout.result import answer_probability
from structout.testing import check_strategy

LONG = Schema.of(SCHEMA)
TITLES = "Article   Name        Amount\n----------------------------\n"
Reader = Callable[[str], Any]


class Line(BaseModel):
    code: str
    amount: float
    note: str | None = None


class Order(BaseModel):
    number: str
    buyer: str | None = None
    lines: list[Line]


def record(prompt: Prompt) -> str:
    """The record in a prompt."""
    fenced = [m.content for m in prompt.messages if m.role == "user" and m.content.startswith("<record>")]
    return fenced[-1].removeprefix("<record>\n").removesuffix("\n</record>")


def rows(text: str) -> list[dict[str, Any]]:
    return [{"code": code, "amount": float(n)} for code, n in re.findall(r"^(\w\d+) .* ([\d.]+)$", text, re.MULTILINE)]


def plain(text: str) -> dict[str, Any]:
    """What a window says of an order."""
    number = re.search(r"^Order (\w+)$", text, re.MULTILINE)
    return {"number": number and number[1], "lines": rows(text)}


def reader(read: Reader = plain, told: Any = None) -> Scripted:
    def answer(prompt: Prompt) -> Completion:
        found = read(record(prompt))
        text = found if isinstance(found, str) else json.dumps(found)
        return Completion(text, Usage(1, 10, 5), logprobs=told)

    return Scripted(answer)


def order(count: int, code: str = "A{}") -> str:
    body = "".join(f"{code.format(n):<10}bolt   {n}.50\n" for n in range(count))
    return f"Order X7\n\n{TITLES}{body}"


def run(strategy: Any, text: str, model: Scripted, schema: Any = Order, **fields: Any) -> Result[Any]:
    (result,) = strategy.run([Task(text, Schema.of(schema), **fields)], model)
    return result  # type: ignore[no-any-return]


def windowed(window: int = 60, overlap: int = 20, inner: Any = None, **fields: Any) -> Windowed:
    return Windowed(inner or Prompted(), window, overlap, **fields)


def document_of(result: Result[Any]) -> Any:
    return result.document


def bounds(result: Result[Any]) -> list[str]:
    return [record(attempt.prompt) for attempt in result.attempts]


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


def test_equal_rows_are_kept_and_a_row_that_two_windows_show_counts_once() -> None:
    text = f"Order X7\n\n{TITLES}" + "A1        bolt   1.50\n" * 30
    for window, overlap in ((30, 0), (30, 15), (40, 12), (60, 30), (75, 20)):
        result = run(windowed(window, overlap), text, reader())
        assert result.ok, result
        assert len(result.unwrap().lines) == 30


def test_a_row_that_one_window_reads_differently_is_a_conflict() -> None:
    def read(text: str) -> Any:
        found = plain(text)
        if not text.startswith("Order"):
            found["lines"][0]["amount"] += 1
        return found

    result = run(windowed(), order(20), reader(read))
    assert result.status == "rejected"
    assert result.value is None
    first, *_ = result.issues
    assert (first.kind, first.message) == (
        "conflict",
        f"{first.pointer[7:-7]}.5 in window 1, {int(first.pointer[7:-7]) + 1}.5 in window 2",
    )
    assert re.fullmatch(r"/lines/\d+/amount", first.pointer)


def test_a_row_that_one_window_misses_is_a_conflict() -> None:
    def read(text: str) -> Any:
        found = plain(text)
        return found if text.startswith("Order") else found | {"lines": found["lines"][1:]}

    result = run(windowed(), order(12), reader(read))
    assert result.status == "rejected"
    assert "3 items in window 1, 2 items in window 2" in str(result.issues[0])


def test_a_row_that_a_window_makes_up_is_a_conflict_in_the_overlap() -> None:
    def read(text: str) -> Any:
        found = plain(text)
        return found if text.startswith("Order") else found | {"lines": [found["lines"][0], *found["lines"]]}

    assert run(windowed(), order(20), reader(read)).status == "rejected"


def test_rows_in_another_order_are_found_all_the_same() -> None:
    def read(text: str) -> Any:
        found = plain(text)
        return found | {"lines": found["lines"][::-1]}

    result = run(windowed(), order(40), reader(read))
    assert result.ok, result
    assert sorted(line.amount for line in result.unwrap().lines) == [n + 0.5 for n in range(40)]


def test_a_scalar_is_taken_from_the_windows_that_say_it() -> None:
    result = run(windowed(), order(30), reader())
    assert result.unwrap().number == "X7"
    assert result.unwrap().buyer is None


def test_windows_that_say_different_scalars_contradict_one_another() -> None:
    result = run(windowed(), order(30), reader(lambda text: plain(text) | {"number": "X7" if "X7" in text else "X8"}))
    assert result.status == "rejected"
    (issue,) = result.issues
    assert str(issue).startswith('/number: "X7" in window 1, "X8" in windows 2, 3')


def test_a_scalar_that_no_window_says_is_missing() -> None:
    result = run(windowed(), order(30), reader(lambda text: {"number": None, "lines": rows(text)}))
    assert result.status == "invalid"
    assert [(issue.kind, issue.key) for issue in result.issues] == [("missing", "number")]


@pytest.mark.parametrize(("low", "status"), [(0.3, "valid"), (0.6, "rejected")])
def test_confidence_decides_only_where_it_is_clear(low: float, status: str) -> None:
    """A vote of nine to one against a vote of less than a half."""

    def answer(prompt: Prompt) -> str:
        text = record(prompt)
        if "X7" in text:
            return json.dumps(plain(text))
        said = "X8" if prompt.sample < low * 10 else f"Y{prompt.sample}"
        return json.dumps(plain(text) | {"number": said})

    result = run(windowed(1000, 100, Vote(Prompted(), n=10, level="record")), order(200), Scripted(answer))
    assert result.status == status
    assert not result.ok or result.unwrap().number == "X7"


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


def test_items_with_the_same_key_are_one_item_wherever_they_stand() -> None:
    text = order(30) + "\n" + "".join(f"A{n} is blue.\n" for n in range(30))

    def read(text: str) -> Any:
        notes = [{"code": code, "note": "blue"} for code in re.findall(r"^(\w+) is blue", text, re.MULTILINE)]
        return plain(text) | {"lines": [*rows(text), *notes]}

    schema = {
        "type": "object",
        "properties": {
            "number": {"type": "string"},
            "lines": {"items": {"properties": {"code": {"type": "string"}, "amount": {}, "note": {}}}, "type": "array"},
        },
    }
    for key in ("code", ("code",), {"/lines": "code"}):
        result = run(windowed(key=key), text, reader(read), schema)
        assert document_of(result)["lines"] == [{"code": f"A{n}", "amount": n + 0.5, "note": "blue"} for n in range(30)]
    result = run(
        windowed(key="code"),
        text,
        reader(lambda text: plain(text) | {"lines": [{"code": "A", "amount": len(text)}]}),
        schema,
    )
    assert result.status == "rejected"


def test_a_list_of_different_items_holds_equal_items_once() -> None:
    schema = {"type": "object", "properties": {"kinds": {"type": "array", "uniqueItems": True}}, "required": ["kinds"]}
    result = run(windowed(), order(40), reader(lambda text: {"kinds": ["bolt"]}), schema)
    assert result.document == {"kinds": ["bolt"]}


def test_items_that_stand_nowhere_are_merged_with_those_of_the_window_before() -> None:
    schema = {"type": "object", "properties": {"topics": {"type": "array"}}, "required": ["topics"]}
    result = run(windowed(), order(40), reader(lambda text: {"topics": ["hardware"]}), schema)
    assert result.document == {"topics": ["hardware"]}
    result = run(windowed(60, 0), order(40), reader(lambda text: {"topics": ["hardware"]}), schema)
    assert len(document_of(result)["topics"]) == len(result.attempts)


def test_a_key_that_may_be_null_is_null_where_no_window_says_more() -> None:
    properties: dict[str, Any] = {"a": {"type": ["string", "null"]}, "b": {"type": ["string", "null"]}, "lines": {}}
    schema = {"type": "object", "properties": properties, "required": ["a", "lines"]}
    said = [{"lines": []}, {"lines": [], "a": None}, {"lines": [], "b": None}]
    found = [run(windowed(60, 0), order(20), reader(lambda text, one=one: one), schema).document for one in said]  # type: ignore[misc]
    assert found == [{"a": None, "lines": []}, {"a": None, "lines": []}, {"a": None, "b": None, "lines": []}]


def test_alternatives_do_not_lend_one_another_their_keys() -> None:
    class Sale(BaseModel):
        model_config = ConfigDict(extra="forbid")
        kind: Literal["sale"]
        discount: float | None

    class Return(BaseModel):
        model_config = ConfigDict(extra="forbid")
        kind: Literal["return"]
        reason: str | None

    class Either(BaseModel):
        case: Sale | Return
        lines: list[Line]

    read = {"case": {"kind": "return", "reason": "broken"}}
    result = run(windowed(), order(30), reader(lambda text: {**read, "lines": rows(text)}), Either)
    assert result.unwrap().case == Return(kind="return", reason="broken")


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
