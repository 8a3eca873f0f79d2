"""Items that a first answer lacks, and what asking again adds."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.long.documents import KINDS, SCHEMA, document, read
from structout import (
    Completion,
    Missed,
    Prompt,
    Prompted,
    Result,
    Schema,
    Scripted,
    SpecError,
    Task,
    Usage,
    Windowed,
    load_strategy,
    spec,
)
from structout.result import MISSED
from structout.testing import check_strategy
from tests.strategies.long_orders import record, run

LONG = Schema.of(SCHEMA)


class Forgetful:
    """A model that reads perfectly but leaves lines out: in pass `n` those at the places `lacks[n]`.

    Asked for what is missing, it says all lines again, as weak models do, unless it `obeys`.
    """

    name = "forgetful"

    def __init__(self, lacks: Sequence[set[int]], *, obeys: bool = True) -> None:
        self.lacks, self.obeys, self.prompts = lacks, obeys, list[Prompt]()

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return [Completion(json.dumps(self._answer(prompt)), Usage(1, 10, 5)) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> Any:
        asked = sum(one.messages[-1].content == MISSED for one in self.prompts) + (
            prompt.messages[-1].content == MISSED
        )
        self.prompts.append(prompt)
        truth = read(record(prompt))
        lacks = self.lacks[asked] if asked < len(self.lacks) else set()
        found = [line for n, line in enumerate(truth["lines"]) if n not in lacks]
        if asked and self.obeys:
            for line in json.loads(prompt.messages[-2].content)["lines"]:
                if line in found:
                    found.remove(line)
        return {**truth, "lines": found}


@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 20),
    first=st.sets(st.integers(0, 19), max_size=19),  # the schema takes no order without a line
    second=st.sets(st.integers(0, 19)),
    obeys=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_what_was_missed_is_added_at_its_place_and_nothing_is_doubled(
    kind: Any, seed: int, first: set[int], second: set[int], obeys: bool
) -> None:
    made = document(kind, 20, seed)
    # The reader that obeys takes a row for the equal row that it was shown, and then leaves out both.
    assume(not second or len(set(map(json.dumps, made.truth["lines"]))) == len(made.truth["lines"]))
    model = Forgetful([first, second if obeys else set()], obeys=obeys)
    result = run(Missed(Prompted(), passes=3), made.text, model, LONG)  # type: ignore[arg-type]
    forgotten = first if obeys and not first - second else set()  # by a pass that adds nothing
    lines = [line for n, line in enumerate(made.truth["lines"]) if n not in forgotten]
    assert result.document == {**made.truth, "lines": lines}
    assert result.status == "valid"
    assert len(result.attempts) == len(model.prompts) <= 4


def test_a_pass_that_adds_nothing_is_the_last() -> None:
    made = document("order", 12)
    model = Forgetful([{3}, set()])
    result = run(Missed(Prompted(), passes=9), made.text, model, LONG)  # type: ignore[arg-type]
    assert len(result.attempts) == 3
    assert json.loads(model.prompts[2].messages[-2].content) == made.truth


def test_what_stands_nowhere_or_in_a_row_that_is_known_is_not_added() -> None:
    text = "Order 7\n\nA1    bolt    12.50\nA2    nut    3.00\nPage 5\n"
    known = {"number": "7", "lines": [{"code": "A1", "amount": 12.0}]}
    again = [
        {"code": "A1", "amount": 12.5},  # another reading of a row that is known
        {"code": "A2", "amount": 3.0},
        {"code": "A2", "amount": 3.0},
        {"code": "Z9", "amount": 5.0},  # made up
    ]

    def answer(prompt: Prompt) -> Completion:
        is_asked = prompt.messages[-1].content == MISSED
        return Completion(json.dumps({"number": None, "lines": again} if is_asked else known))

    result = run(Missed(Prompted()), text, Scripted(answer))
    assert result.unwrap().model_dump()["lines"] == [
        {"code": "A1", "amount": 12.0, "note": None},
        {"code": "A2", "amount": 3.0, "note": None},
    ]


def test_several_items_of_one_sentence_are_told_apart_by_their_words() -> None:
    text = "Please send bolts, nuts and washers, all in brass."

    def answer(prompt: Prompt) -> Completion:
        is_asked = prompt.messages[-1].content == MISSED
        return Completion('["nuts", "bolts", "washers"]' if is_asked else '["bolts"]')

    result = run(Missed(Prompted()), text, Scripted(answer), list[str])
    assert result.value == ["bolts", "nuts", "washers"]


def test_a_pass_with_an_answer_that_cannot_be_used_adds_nothing() -> None:
    def answer(prompt: Prompt) -> Completion:
        return Completion("no" if prompt.messages[-1].content == MISSED else '["bolts"]')

    result: Result[Any] = run(Missed(Prompted()), "bolts and nuts", Scripted(answer), list[str])
    assert result.value == ["bolts"]
    assert len(result.attempts) == 2
    assert result.text == '["bolts"]'


def test_a_schema_with_a_maximum_is_kept() -> None:
    schema = Schema.of({"type": "array", "items": {"type": "string"}, "maxItems": 1})

    def answer(prompt: Prompt) -> Completion:
        return Completion('["nuts"]' if prompt.messages[-1].content == MISSED else '["bolts"]')

    (result,) = Missed(Prompted()).run([Task("bolts and nuts", schema)], Scripted(answer))
    assert result.value == ["bolts"]


def test_windows_are_asked_for_what_each_of_them_lacks() -> None:
    made = document("statement", 60)
    model = Scripted(_first_is_lost)
    result = run(Windowed(Missed(Prompted()), 400, 80), made.text, model, LONG)
    assert result.document == made.truth


def _first_is_lost(prompt: Prompt) -> Completion:
    truth = read(record(prompt))
    is_asked = prompt.messages[-1].content == MISSED
    return Completion(json.dumps({**truth, "lines": truth["lines"] if is_asked else truth["lines"][1:]}))


def test_it_is_a_strategy_like_any_other() -> None:
    check_strategy(Missed(Prompted()))
    assert spec(load_strategy("Windowed(Missed(Prompted(), passes=3))")) == "Windowed(Missed(Prompted(), passes=3))"


@pytest.mark.parametrize(
    "text", ["Missed(Prompted(), passes=0)", "Missed(Windowed(Prompted()))", "Repair(Missed(Prompted()))"]
)
def test_a_wrong_use_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        load_strategy(text)
