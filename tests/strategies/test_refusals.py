"""Refusals that end a run, and refusals that concern one record."""

from dataclasses import replace
from functools import partial

import pytest

from structout import Completion, Prompt, Scripted, Usage, extract
from structout.errors import NoModelError
from structout.strategies.refusals import Refusals
from tests.bolt import Bolt


@pytest.mark.parametrize(
    "reason", ["it read {n},001 tokens of 16,{n}29 characters", "API key expired. (req {n}a)", "bad at 12:0{n}"]
)
def test_numbers_make_no_other_reason(reason: str) -> None:
    refusals = Refusals[int](5)
    for n in range(4):
        refusals.passed(n, [reason.format(n=n)])
    with pytest.raises(NoModelError, match="refused 5 records in a row"):
        refusals.passed(4, [reason.format(n=4)])


def test_other_words_are_another_reason() -> None:
    refusals = Refusals[int](2)
    for n, reason in enumerate(["too long", "no such setting"] * 5):
        assert refusals.passed(n, [reason]) == []
    assert refusals.rest() == list(range(10))


@pytest.mark.parametrize(
    "reason",
    [
        "HTTP 400: rejected as a result of our safety system",
        "the server's filter stopped it",
        "the provider's filter stopped it",
        "HTTP 403: your input was flagged",
    ],
)
def test_refusals_of_a_records_content_do_not_count(reason: str) -> None:
    refusals = Refusals[int](2)
    assert [refusals.passed(n, [reason]) for n in range(5)] == [[n] for n in range(5)]


def test_an_answer_of_the_same_chunk_counts_first() -> None:
    refusals = Refusals[int](2)
    assert refusals.passed(0, ["no"]) == []
    refusals.told([["no"], ["no"], [None]])
    assert [refusals.passed(n, ["no"]) for n in (1, 2)] == [[0, 1], [2]]


def test_an_answer_that_a_filter_stopped_is_not_repaired() -> None:
    answer = Completion('{"kind": "hex", "size_mm": 6', Usage(calls=1), "refused", refusal="the filter stopped it")
    whole = replace(answer, text=answer.text + "}")
    for one in (answer, whole):
        result = extract("6 mm", Bolt, Scripted(partial(_given, one)), "Repair(Prompted())")
        assert not result.ok
        assert "the filter stopped it" in str(result.issues[0])


def _given(answer: Completion, prompt: Prompt) -> Completion:
    return answer
