import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from structout import (
    BestOf,
    Cascade,
    Completion,
    Constrained,
    Draft,
    Grounded,
    InvalidResultError,
    On,
    Prompted,
    Reask,
    Repair,
    Scripted,
    SpecError,
    Strategy,
    Think,
    Usage,
    Verify,
    Vote,
    load_strategy,
    preview,
    spec,
)
from structout.errors import StructoutWarning
from structout.result import Example, Task
from structout.schema import Schema
from structout.verifiers import Confident
from tests.bolt import Bolt

GOOD, BAD, FENCED = (
    '{"kind": "hex", "size_mm": 6}',
    '{"kind": "hexagon"}',
    '```json\n{"kind": "hex", "size_mm": 6}\n```',
)
SCHEMA = Schema.of(Bolt)


def tasks(*texts: str) -> list[Task[Any]]:
    return [Task(text, SCHEMA) for text in texts]


def cut_off(text: str) -> Completion:
    return Completion(text, Usage(1, 10, 5, 0.5), "length")


def test_each_task_has_one_result_in_its_place() -> None:
    model = Scripted({"one": GOOD, "two": BAD, "three": "nothing", "four": FENCED})
    results = Prompted().run(tasks("one", "two", "three", "four"), model)
    assert [result.status for result in results] == ["valid", "invalid", "invalid", "invalid"]
    assert results[0].unwrap() == Bolt(kind="hex", size_mm=6)
    assert {issue.kind for issue in results[1].issues} == {"enum", "missing"}
    assert len(model.batches) == 1


def test_unwrapping_what_is_not_there_tells_what_was_tried() -> None:
    (result,) = Reask(Prompted(), limit=2).run(tasks("x"), Scripted(BAD))
    with pytest.raises(InvalidResultError, match="hexagon") as caught:
        result.unwrap()
    assert caught.value.result is result
    assert str(caught.value).count("attempt") == 3


def test_repair_names_its_edits_and_asks_nobody() -> None:
    model = Scripted({"one": GOOD, "four": FENCED})
    clean, mended = Repair(Prompted()).run(tasks("one", "four"), model)
    assert (clean.status, clean.edits) == ("valid", ())
    assert mended.status == "repaired"
    assert mended.unwrap() == Bolt(kind="hex", size_mm=6)
    assert {edit.grade for edit in mended.edits} == {"lossless"}
    assert model.calls == 2


def test_a_decimal_sign_settles_what_repair_would_not_guess() -> None:
    model = Scripted('{"kind": "hex", "size_mm": "1,200"}')
    (unsure,) = Repair(Prompted()).run(tasks("x"), model)
    assert "ambiguous" in {issue.kind for issue in unsure.issues}
    (thousands,) = Repair(Prompted(), decimal=".").run(tasks("x"), model)
    assert thousands.unwrap() == Bolt(kind="hex", size_mm=1200)


def test_only_the_failed_are_asked_again_as_one_smaller_batch() -> None:
    model = Scripted({"first": GOOD, "second": [BAD, GOOD], "third": [BAD, BAD, GOOD]})
    results = Reask(Prompted(), limit=2).run(tasks("first", "second", "third"), model)
    assert [result.status for result in results] == ["valid"] * 3
    assert [len(batch) for batch in model.batches] == [3, 2, 1]
    assert [len(result.attempts) for result in results] == [1, 2, 3]


def test_a_re_ask_shows_the_last_answer_and_its_issues_only() -> None:
    model = Scripted({"three": [BAD, "{}", GOOD]})
    Reask(Prompted(), limit=2).run(tasks("three"), model)
    second, third = model.batches[1][0].messages, model.batches[2][0].messages
    assert [message.role for message in second] == ["system", "user", "assistant", "user"]
    assert second[2].content == BAD
    assert "hexagon" in second[3].content
    assert third[2].content == "{}"
    assert len(third) == len(second)


def test_what_was_cut_off_is_truncated_and_not_asked_again() -> None:
    model = Scripted(lambda prompt: cut_off('{"kind": "he'))
    (result,) = Reask(Repair(Prompted()), limit=3).run(tasks("x"), model)
    assert (result.status, result.value, model.calls) == ("truncated", None, 1)
    assert result.issues[0].kind == "truncated"


def test_a_cut_off_number_is_not_taken_for_whole() -> None:
    number = Task("x", Schema.of(int))
    (result,) = Prompted().run([number], Scripted(lambda prompt: cut_off("12")))
    assert result.status == "truncated"
    (whole,) = Prompted().run(tasks("x"), Scripted(lambda prompt: cut_off(GOOD)))
    assert whole.status == "valid"


def test_a_cascade_goes_on_with_what_failed_on_another_model() -> None:
    small, big = Scripted({"one": GOOD, "two": BAD, "three": BAD}), Scripted({"two": GOOD, "three": BAD}, name="big")
    cascade = Cascade(Repair(Prompted()), On(big, Constrained()))
    results = cascade.run(tasks("one", "two", "three"), small)
    assert [result.status for result in results] == ["valid", "valid", "invalid"]
    assert [len(batch) for batch in big.batches] == [2]
    assert [attempt.model for attempt in results[1].attempts] == ["scripted", "big"]
    assert all(prompt.constraint == SCHEMA for prompt in big.batches[0])


def test_a_model_that_is_named_is_loaded_once(tmp_path: Path) -> None:
    file = tmp_path / "big.json"
    file.write_text(json.dumps({"one": [BAD, GOOD]}))
    way = On(f"scripted:{file}", Prompted())
    runs = [way.run(tasks("one"), Scripted(BAD)) for _ in range(2)]
    assert [result.status for (result,) in runs] == ["invalid", "valid"]  # the second is the same model's next answer


def test_no_cost_is_lost() -> None:
    strategies: list[Strategy] = [
        Prompted(),
        Repair(Prompted()),
        Reask(Repair(Prompted()), limit=3),
        Cascade(Prompted(), Reask(Constrained()), Prompted(examples=1)),
    ]
    for strategy in strategies:
        spent: list[Usage] = []

        def answer(prompt: Any, spent: list[Usage] = spent) -> Completion:
            usage = Usage(1, len(prompt.messages), 7, 0.25)
            spent.append(usage)
            return Completion([BAD, GOOD, FENCED, "no"][len(spent) % 4], usage)

        shown = (Example("M8", {"kind": "hex", "size_mm": 8}),)
        results = strategy.run([Task(text, SCHEMA, shown) for text in "abcdefgh"], Scripted(answer))
        assert sum((result.usage for result in results), Usage()) == sum(spent, Usage())


def test_a_prompt_that_the_model_cannot_take_is_a_result() -> None:
    refusal = Completion("", finish_reason="refused", refusal="the prompt has 9,000 tokens")
    (result,) = Reask(Repair(Prompted())).run(tasks("x"), Scripted(lambda prompt: refusal))
    assert result.status == "invalid"
    assert [(issue.kind, issue.message) for issue in result.issues] == [("unanswered", "the prompt has 9,000 tokens")]
    assert len(result.attempts) == 1


def test_examples_and_sampling_reach_the_prompt() -> None:
    shown = tuple(Example(f"example {i}", {"kind": "hex", "size_mm": i}) for i in range(5))
    model = Scripted(GOOD)
    Prompted(examples=2, temperature=0.5, max_tokens=33).run([Task("x", SCHEMA, shown, sample=4)], model)
    prompt = model.batches[0][0]
    assert len(prompt.messages) == 6
    assert (prompt.sampling.temperature, prompt.sampling.max_tokens, prompt.sample) == (0.5, 33, 4)


def test_the_label_of_the_record_itself_is_never_shown() -> None:
    shown = tuple(Example(f"{i} mm bolt", {"kind": "hex", "size_mm": i}) for i in range(3))
    for choose in ("fixed", "similar"):
        model = Scripted(GOOD)
        Prompted(examples=2, choose=choose).run([Task("1 MM  bolt", SCHEMA, shown)], model)
        said = [message.content for message in model.batches[0][0].messages]
        assert len(said) == 6
        assert not any("1 mm bolt" in text for text in said)


def test_fewer_examples_than_were_asked_for_are_noticed() -> None:
    shown = tuple(Example(f"example {i}", {"kind": "hex", "size_mm": i}) for i in range(2))
    for way in (Prompted(examples=3), Constrained(examples=3, choose="similar")):
        with pytest.warns(StructoutWarning, match=rf"{type(way).__name__}\(examples=3\) got only 2 .*--examples"):
            Repair(way).run([Task("x", SCHEMA, shown)], Scripted(GOOD))
    with pytest.warns(StructoutWarning, match="got only 0"):
        preview("x", SCHEMA, On("plain", Constrained(examples=3)))
    Prompted(examples=2).run([Task("x", SCHEMA, shown)], Scripted(GOOD))


EXPRESSIONS = [
    "Prompted()",
    "Constrained(examples=3, temperature=0.7)",
    "Prompted(show='json_schema', format='yaml')",
    "Reask(Repair(Prompted(examples=2), policy='lossy'), limit=2)",
    "Repair(Prompted(), decimal=',')",
    "Cascade(Repair(Prompted()), On('scripted:big.json', Constrained()))",
    "Constrained(examples=4, choose='similar')",
    "Verify(Constrained(), Grounded(fields=('/name', '/items/*'), threshold=0.8), on_reject='reask')",
    "Verify(Prompted(), AllOf(Grounded(), AnyOf(Confident(threshold=0.3), Judge(model='big'))), unsure='accept')",
    "Verify(Vote(Constrained(), n=3, level='record'), Agreement(n=3))",
    "BestOf(Constrained(), n=3, by=RoundTrip(by='model'))",
    "BestOf(Draft(Constrained(), first=Prompted(examples=2)), by='first_valid')",
    "Think(Verify(Constrained(), Rule('rules.py:adds_up')), max_tokens=40)",
    "Verify(Constrained(), Learned('head.json', threshold=0.7, grounded=Grounded(fields=('/name',))))",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_strategies_are_written_and_read_back(text: str) -> None:
    strategy = load_strategy(text)
    assert spec(strategy) == text
    assert load_strategy(spec(strategy)) == strategy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Prompted(",
        "Promted()",
        "Prompted(example=3)",
        "Prompted(examples=-1)",
        "Prompted(examples=2, choose='best')",
        "Prompted(examples=True)",
        "Constrained(examples=2.5)",
        "Constrained(quote='no')",
        "Constrained(**{'examples': 3})",
        "Cascade(*(Prompted(), Constrained()))",
        "Cascade(Constrained(), 3)",
        "Reask(3)",
        "Reask(Grounded())",
        "On(3, Prompted())",
        "Draft(Constrained(), first='Prompted()')",
        "Verify(Prompted(), AllOf(Grounded(), 'Confident()'))",
        "Verify(Prompted(), Rule(3))",
        "Grounded()",
        "Verify(Prompted(), Prompted())",
        "Vote(Prompted(), n=0)",
        "Think(Prompted(), max_tokens=0)",
        "Prompted(show='xml')",
        "Constrained(temperature=-1)",
        "Repair(Prompted(), policy='wild')",
        "Repair(Prompted(), decimal=';')",
        "__import__('os').system('true')",
        "Repair(Prompted(examples=1 + 1))",
        "3",
        "Cascade()",
        "Reask(Prompted(), limit=-1)",
        "(" * 5000,
    ],
)
def test_what_is_no_strategy_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_strategy(text)
    assert caught.value.hint


def test_a_part_that_is_wrong_is_named_with_what_it_takes() -> None:
    with pytest.raises(SpecError, match=r"invalid stages: got \(.*, 3\), expected tuple\[Strategy, ...\]"):
        load_strategy("Reask(Cascade(Constrained(), 3))")
    with pytest.raises(SpecError, match=r"invalid quote: got 1, expected True or False"):
        load_strategy("Constrained(quote=1)")
    assert load_strategy("Constrained(temperature=1)") == Constrained(temperature=1)


@pytest.mark.parametrize(
    ("make", "given", "said"),
    [
        (Vote, ["Constrained()"], "Vote: invalid inner: got 'Constrained()', expected Strategy"),
        (Vote, [Prompted], "Vote: invalid inner: got"),
        (BestOf, ["Constrained()"], "BestOf: invalid inner: got"),
        (BestOf, [Prompted(), 5, "logprob"], "BestOf: invalid by: got 'logprob', expected 'mean_logprob' or"),
        (Repair, ["Constrained()"], "Repair: invalid inner: got"),
        (Reask, ["Constrained()"], "Reask: invalid inner: got"),
        (Cascade, ["Constrained()"], "Cascade: invalid stages: got"),
        (Verify, ["Constrained()", Grounded()], "Verify: invalid inner: got"),
        (Verify, [Prompted(), "Grounded()"], "Verify: invalid verifier: got 'Grounded()', expected Verifier"),
        (Draft, ["Constrained()"], "Draft: invalid inner: got"),
        (Think, ["Constrained()"], "Think: invalid inner: got"),
        (On, ["embedded", "Constrained()"], "On: invalid inner: got"),
        (On, [object(), Prompted()], "On: invalid model: got"),
        (Prompted, ["a"], "Prompted: invalid examples: got 'a', expected a whole number"),
        (load_strategy, ["Prompted(examples='a')"], "Prompted: invalid examples: got 'a', expected a whole number"),
        (load_strategy, ["Prompted(exmples=3)"], "Prompted(exmples=3)' (did you mean examples? known: examples, show"),
        (load_strategy, ["Constraned()"], "unknown strategy Constraned (did you mean Constrained? known"),
    ],
)
def test_what_a_strategy_cannot_hold_is_refused_when_it_is_made(make: Any, given: list[Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        make(*given)
    assert said in str(caught.value)
    assert caught.value.hint


def test_numbers_of_numpy_are_numbers() -> None:
    assert Prompted(examples=np.int64(3), temperature=np.float32(0.5)).examples == 3  # type: ignore[arg-type]


def test_names_alone_are_strategies_too() -> None:
    assert load_strategy("Constrained") == Constrained()


def test_a_user_strategy_composes_with_ours() -> None:
    class Twice:
        def run(self, tasks: Sequence[Task[Any]], model: Any) -> list[Any]:
            return Prompted().run(tasks, model)

    (result,) = Repair(Twice()).run(tasks("x"), Scripted(FENCED))
    assert result.ok


def test_a_list_stands_for_a_tuple_in_an_expression() -> None:
    way = load_strategy("Verify(Prompted(), Grounded(fields=['/a', '/b']))")
    assert way == Verify(Prompted(), Grounded(fields=("/a", "/b")))
    assert load_strategy("Verify(Prompted(), Grounded(['/a']))") == Verify(Prompted(), Grounded(("/a",)))
    pairs = load_strategy("Verify(Prompted(), Confident(0.5, [['/a', 0.9]]))")
    assert pairs == Verify(Prompted(), Confident(0.5, (("/a", 0.9),)))
    with pytest.raises(SpecError, match="invalid fields"):
        load_strategy("Verify(Prompted(), Confident(fields=[1]))")


@pytest.mark.parametrize(
    ("called", "shown"),
    [
        ("Grounded.fit(data)", r"Grounded\(fields=\('/quantity'"),
        ("Learned.fit(judged)", r"Learned\('head.json'\)"),
        ("Rule.of(1)", r"write the part itself: Rule\(...\)"),
        ("'a'.upper()", "call upper in Python"),
    ],
)
def test_a_method_in_an_expression_gets_a_hint_that_shows_what_to_write(called: str, shown: str) -> None:
    with pytest.raises(SpecError) as refused:
        load_strategy(f"Verify(Prompted(), {called})")
    assert "it calls " in refused.value.message
    assert re.search(shown, refused.value.hint or "")
