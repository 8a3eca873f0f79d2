"""Lists that the token limit cut off, and what comes of them."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from structout import (
    Completion,
    Constrained,
    Continued,
    Message,
    Model,
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
    Windowed,
    load_strategy,
    spec,
)
from structout.result import GO_ON, answer_probability, in_parts
from structout.strategies.cut_off import known
from structout.testing import check_strategy


class Line(BaseModel):
    code: str
    amount: float


class Order(BaseModel):
    number: str
    lines: list[Line]
    total: float | None = None


class Taxed(BaseModel):
    number: str
    lines: list[Line]
    taxes: list[str]
    total: float


def lines(count: int, same: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Lines of which those at the places `same` are equal to the line before."""
    made: list[dict[str, Any]] = []
    for n in range(count):
        made.append(made[-1] if n in same else {"code": f'A{n}"]}}', "amount": n + 0.5})
    return made


class Server:
    """A model that reads perfectly and writes `most` characters at a time. It goes on as it is asked."""

    name = "server"

    def __init__(self, truth: Any, most: int) -> None:
        self.truth, self.most, self.prompts = truth, most, list[Prompt]()

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        self.prompts += prompts
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> Completion:
        text = json.dumps(self._asked(prompt))
        reason: Any = "length" if len(text) > self.most else "stop"
        return Completion(text[: self.most], Usage(1, 10, 5), reason, logprobs=(-0.1,))

    def _asked(self, prompt: Prompt) -> Any:
        if prompt.messages[-1].content != GO_ON:
            return self.truth
        shown = json.loads(prompt.messages[-2].content)
        if isinstance(shown, list):
            return _from(self.truth, shown)
        (place,) = shown
        keys = list(self.truth)
        later = keys[keys.index(place) + 1 :]
        rest = {place: _from(self.truth[place], shown[place]), **{key: self.truth[key] for key in later}}
        return {**{key: [] if isinstance(self.truth[key], list) else None for key in keys}, **rest}


def _from(items: list[Any], shown: list[Any]) -> list[Any]:
    """The items from the first place where the shown items stand."""
    first = next(n for n in range(len(items)) if items[n : n + len(shown)] == shown)
    return items[first:]


def run(strategy: Any, model: Any, schema: Any = Order, text: str = "a record") -> Result[Any]:
    (result,) = strategy.run([Task(text, Schema.of(schema))], model)
    return result  # type: ignore[no-any-return]


@given(
    count=st.integers(1, 30),
    same=st.sets(st.integers(1, 29)),
    most=st.integers(150, 900),
    total=st.none() | st.just(7.5),
)
@settings(deadline=None, max_examples=200)
def test_a_server_gives_every_item_once(count: int, same: set[int], most: int, total: float | None) -> None:
    truth = {"number": "X7", "lines": lines(count, sorted(same)), "total": total}
    # Equal lines in a run are all shown, so an answer must be longer than the run.
    longest = max(len(run[0]) for run in re.finditer(r"(?:1)*", "".join("01"[n in same] for n in range(count))))
    model = Server(truth, max(most, 60 * (longest + 3)))
    result = run(Continued(Prompted(), limit=60), model)
    assert result.document == truth
    assert result.status == "valid"
    assert len(result.attempts) == len(model.prompts)


@given(count=st.integers(0, 25), taxes=st.integers(0, 25), most=st.integers(120, 500))
@settings(deadline=None, max_examples=100)
def test_a_second_list_is_continued_after_the_first(count: int, taxes: int, most: int) -> None:
    truth = {"number": "X", "lines": lines(count), "taxes": [f"tax {n}" for n in range(taxes)], "total": 1.5}
    result = run(Continued(Prompted(), limit=60), Server(truth, most), Taxed)
    assert result.document == truth


def test_a_list_is_continued_that_is_the_whole_document() -> None:
    truth = lines(40, [7, 8, 20])
    assert run(Continued(Prompted(), limit=60), Server(truth, 200), list[Line]).document == truth


def test_a_prompt_for_the_rest_shows_the_last_items_alone() -> None:
    model = Server({"number": "X7", "lines": lines(30, [4, 9]), "total": 2.0}, 300)
    result = run(Continued(Prompted()), model)
    asked = model.prompts[1:]
    assert result.ok
    assert len(asked) > 3
    assert all(len(prompt.messages[-2].content) < 130 for prompt in asked)
    assert all(prompt.messages[-3] == model.prompts[0].messages[-1] for prompt in asked)


def test_what_an_answer_wrote_of_an_item_before_it_was_cut_off_is_dropped() -> None:
    def answer(prompt: Prompt) -> Completion:
        if prompt.messages[-1].content == GO_ON:
            return Completion('{"number": null, "lines": [{"code": "A", "amount": 1}, {"code": "B", "amount": 25}]}')
        return Completion(
            '{"number": "X", "lines": [{"code": "A", "amount": 1}, {"code": "B", "amount": 2', finish_reason="length"
        )

    result = run(Continued(Prompted()), Scripted(answer))
    assert result.value == Order(number="X", lines=[Line(code="A", amount=1), Line(code="B", amount=25)])


def test_a_model_that_begins_again_is_understood() -> None:
    truth = {"number": "X", "lines": lines(6), "total": 3.0}

    def answer(prompt: Prompt) -> Completion:
        if prompt.messages[-1].content == GO_ON:
            return Completion(json.dumps(truth))
        return Completion(json.dumps(truth)[:120], finish_reason="length")

    assert run(Continued(Prompted()), Scripted(answer)).document == truth


@pytest.mark.parametrize(
    ("again", "reason"),
    [
        ('{"number": null, "lines": [{"code": "Z", "amount": 9}]}', "does not begin with the last items"),
        ('{"number": null, "lines": []}', "does not begin with the last items"),
    ],
)
def test_an_answer_that_does_not_go_on_as_asked_makes_the_result_truncated(again: str, reason: str) -> None:
    def answer(prompt: Prompt) -> Completion:
        if prompt.messages[-1].content == GO_ON:
            return Completion(again)
        return Completion('{"number": "X", "lines": [{"code": "A", "amount": 1}, {"co', finish_reason="length")

    result = run(Continued(Prompted()), Scripted(answer))
    assert result.status == "truncated"
    assert result.value is None
    assert [str(issue) for issue in result.issues] == [f"/lines: the list has 1 items so far: the next answer {reason}"]
    assert result.document == {"number": "X", "lines": [{"code": "A", "amount": 1}]}
    assert len(result.attempts) == 2


def test_an_invalid_answer_makes_the_result_invalid() -> None:
    def answer(prompt: Prompt) -> Completion:
        if prompt.messages[-1].content == GO_ON:
            return Completion('{"lines": null}')
        return Completion('{"number": "X", "lines": [{"code": "A", "amount": 1}, {"co', finish_reason="length")

    result = run(Continued(Prompted()), Scripted(answer))
    assert result.status == "invalid"
    assert len(result.attempts) == 2
    assert all(issue.message.startswith("answer 2: ") for issue in result.issues)


def test_a_list_that_does_not_end_is_truncated_at_its_place() -> None:
    model = Server({"number": "X", "lines": lines(400), "total": 1.0}, 300)
    result = run(Continued(Prompted(), limit=3), model)
    assert result.status == "truncated"
    assert len(result.attempts) == 4
    (issue,) = result.issues
    assert issue.pointer == "/lines"
    assert issue.message.endswith("so far: it was cut off 4 times")
    document: Any = result.document
    assert document["lines"] == lines(400)[: len(document["lines"])]
    assert len(document["lines"]) > 20


def test_an_item_that_is_longer_than_an_answer_makes_the_result_truncated() -> None:
    truth = {"number": "X", "lines": [*lines(3), {"code": "long" * 100, "amount": 1.0}, *lines(2)], "total": 1.0}
    result = run(Continued(Prompted()), Server(truth, 200))
    assert result.status == "truncated"
    assert result.issues[0].message == "the list has 3 items so far: an item alone was cut off"
    assert len(result.attempts) < 4


def test_two_answers_that_contradict_each_other_make_the_result_rejected() -> None:
    def answer(prompt: Prompt) -> Completion:
        if prompt.messages[-1].content == GO_ON:
            return Completion('{"number": "Y", "lines": [{"code": "A", "amount": 1}]}')
        return Completion('{"number": "X", "lines": [{"code": "A", "amount": 1}, {"co', finish_reason="length")

    result = run(Continued(Prompted()), Scripted(answer))
    assert result.status == "rejected"
    assert [str(issue) for issue in result.issues] == ['/number: "X" in answer 1, "Y" in answer 2']


def test_a_list_that_was_complete_takes_no_more_items() -> None:
    def answer(prompt: Prompt) -> Completion:
        if prompt.messages[-1].content == GO_ON:
            return Completion(
                '{"number": null, "lines": [{"code": "B", "amount": 1}], "taxes": ["a", "b"], "total": 1}'
            )
        return Completion('{"lines": [{"code": "A", "amount": 1}], "taxes": ["a", "', finish_reason="length")

    result = run(Continued(Prompted()), Scripted(answer), Taxed)
    assert result.status == "truncated"


def test_an_answer_that_ends_in_time_is_left_alone() -> None:
    model = Server({"number": "X", "lines": lines(3), "total": 1.0}, 10_000)
    result = run(Continued(Prompted()), model)
    assert result == run(Prompted(), model)


def test_an_answer_without_a_complete_item_stays_truncated() -> None:
    cut = Scripted(lambda _: Completion('{"number": "X', finish_reason="length"))
    assert run(Continued(Prompted()), cut) == run(Prompted(), cut)


def test_an_answer_in_parts_has_no_probability_of_its_own() -> None:
    result = run(Continued(Prompted()), Server({"number": "X", "lines": lines(9), "total": 1.0}, 300))
    assert in_parts(result.attempts)
    assert answer_probability(result.attempts) is None


def test_a_repair_mends_each_part() -> None:
    def answer(prompt: Prompt) -> Completion:
        if prompt.messages[-1].content == GO_ON:
            return Completion(
                "```json\n{'number': null, 'lines': [{'code': 'A', 'amount': 1}, {'code': 'B', 'amount': '2'}]}\n```"
            )
        return Completion('{"number": "X", "lines": [{"code": "A", "amount": 1}, {"co', finish_reason="length")

    result = run(Continued(Repair(Prompted())), Scripted(answer))
    assert result.status == "repaired"
    assert result.value == Order(number="X", lines=[Line(code="A", amount=1), Line(code="B", amount=2)])


def test_a_re_ask_shows_the_whole_answer() -> None:
    calls: list[Prompt] = []

    def answer(prompt: Prompt) -> Completion:
        calls.append(prompt)
        if prompt.messages[-1].content == GO_ON:
            return Completion('{"number": null, "lines": [{"code": "A", "amount": 1}, {"code": "B", "amount": 2}]}')
        if len(prompt.messages) > 2:
            return Completion('{"number": "X", "lines": []}')
        return Completion('{"number": null, "lines": [{"code": "A", "amount": 1}, {"co', finish_reason="length")

    result = run(Reask(Continued(Prompted())), Scripted(answer))
    assert result.ok
    shown = json.loads(calls[-1].messages[-2].content)
    assert [line["code"] for line in shown["lines"]] == ["A", "B"]


def test_windows_are_continued_one_by_one() -> None:
    text = "Order X\n\nArticle   Amount\n-----------------\n" + "".join(f"B{n:<9}{n}.50\n" for n in range(90))

    class Reader(Server):
        def _answer(self, prompt: Prompt) -> Completion:
            record = next(one.content for one in prompt.messages if one.content.startswith("<record>"))
            found = [
                {"code": f"B{n}", "amount": n + 0.5} for n in map(int, re.findall(r"^B(\d+)", record, re.MULTILINE))
            ]
            self.truth = {"number": "X" if "Order X" in record else None, "lines": found, "total": None}
            return super()._answer(prompt)

    model = Reader(None, 500)
    result = run(Windowed(Continued(Prompted()), window=150, overlap=40), model, text=text)
    assert result.document == {"number": "X", "lines": [{"code": f"B{n}", "amount": n + 0.5} for n in range(90)]} | (
        {"total": None} if "total" in (result.document or {}) else {}  # type: ignore[operator]
    )
    assert any(prompt.messages[-1].content == GO_ON for prompt in model.prompts)


def test_it_is_a_strategy_like_any_other() -> None:
    check_strategy(Continued(Repair(Prompted())))
    for text in (
        "Continued(Prompted())",
        "Windowed(Continued(Repair(Constrained())), window=500)",
        "Reask(Continued(Prompted(), limit=3))",
    ):
        assert spec(load_strategy(text)) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Continued(Prompted(), limit=0)", "invalid limit"),
        ("Continued(Reask(Prompted()))", "Reask"),
        ("Continued(Windowed(Prompted()))", "Windowed"),
        ("Repair(Continued(Prompted()))", "several parts"),
    ],
)
def test_a_wrong_use_is_refused(text: str, problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        load_strategy(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.data(),
)
@settings(deadline=None)
def test_what_is_known_of_the_beginning_of_a_document_is_in_the_document(document: Any, data: Any) -> None:
    text = json.dumps(document)
    found = known(text[: data.draw(st.integers(0, len(text)))])
    if found is not None:
        whole, path = document, found.path
        said: Any = found.document
        for key in path:
            assert {name: said[name] for name in list(said)[:-1]} == {name: whole[name] for name in list(said)[:-1]}
            said, whole = said[key], whole[key]
        assert said == whole[: len(said)]


def test_a_local_model_goes_on_as_if_the_limit_were_longer(embedded: Model) -> None:
    asked = Message("user", "Count: 10, 11, 12")
    (first,) = embedded.complete([Prompt((asked,), Sampling(max_tokens=8))])
    (second,) = embedded.complete([Prompt((asked, Message("assistant", first.text)), Sampling(max_tokens=8))])
    (whole,) = embedded.complete([Prompt((asked,), Sampling(max_tokens=16))])
    assert first.finish_reason == "length"
    assert second.text == whole.text
    assert second.logprobs == pytest.approx(whole.logprobs, abs=0.01)
    assert first.usage.output_tokens + second.usage.output_tokens == whole.usage.output_tokens
    assert second.usage.input_tokens == first.usage.input_tokens + first.usage.output_tokens


def test_a_local_model_drops_what_the_limit_forced_and_ends_the_list_itself(embedded: Model) -> None:
    items = {"type": "integer", "minimum": 10, "maximum": 99}
    schema = Schema.of({"type": "array", "items": items, "minItems": 3, "maxItems": 12})
    task = Task("10, 11, 12, 13, 14, 15, 16", schema, sampling=Sampling(max_tokens=24))
    (short,) = Constrained().run([task], embedded)
    (whole,) = Continued(Constrained()).run([task], embedded)
    assert short.ok
    assert short.edits
    assert whole.status == "valid"
    assert not whole.edits
    assert len(whole.document) > len(short.document)  # type: ignore[arg-type]
    assert whole.document[: len(short.document)] == short.document  # type: ignore[index, arg-type]
