"""Masks write finite numbers, large and small ones, and name what they cannot write."""

from typing import Any

import pytest
from pydantic import BaseModel

from structout.grammar import Vocabulary, audit, compile  # noqa: A004
from structout.schema import Schema
from tests.grammar.conftest import Walk


class Reading(BaseModel):
    value: float
    note: str


def taken(source: Any, text: str, vocabulary: Vocabulary) -> bool:
    matcher, tokens = compile(Schema.of(source)).matcher(vocabulary), vocabulary.encode(text)
    return matcher.try_advance(tokens) == len(tokens) and matcher.may_stop


@pytest.mark.parametrize("number", ["6.022e23", "1e-9", "1E+99", "-2.5e-31", "0", "true", "12.50"])
def test_numbers_that_a_double_holds_can_be_written(number: str, vocabulary: Vocabulary) -> None:
    assert taken({}, number, vocabulary)
    assert taken({"type": "array"}, f"[1, {number}, 2]", vocabulary)


@pytest.mark.parametrize("number", ["1e400", "1e100", "1E+999", "0.5e-400"])
def test_exponents_of_three_digits_cannot(number: str, vocabulary: Vocabulary) -> None:
    assert not taken({"type": "number"}, number, vocabulary)
    assert not taken({}, f'{{"a": {number}}}', vocabulary)
    assert taken({}, f'{{"a": "{number}", "{number}": "\\"{number}"}}', vocabulary)


def test_a_number_that_the_schema_names_can_be_written(vocabulary: Vocabulary) -> None:
    assert taken({"enum": [1e100, 5]}, f"1{'0' * 100}", vocabulary)


def test_the_mask_leaves_out_what_it_would_refuse(vocabulary: Vocabulary) -> None:
    matcher = compile(Schema.of({"type": "number"})).matcher(vocabulary)
    for token in vocabulary.encode("1e12"):
        assert bool(matcher.mask()[token])
        assert matcher.try_advance([token]) == 1
    digit = vocabulary.encode("3")[0]
    assert not bool(matcher.mask()[digit])
    assert matcher.try_advance([digit]) == 0
    other = matcher.copy()
    matcher.rollback(1)
    assert bool(matcher.mask()[digit])
    assert matcher.try_advance([digit]) == 1
    assert not bool(other.mask()[digit])


def test_a_number_that_cannot_grow_must_end(vocabulary: Vocabulary) -> None:
    for source, text, ends in (({"type": "number"}, "8e+79", True), ({"type": "array"}, "[8e+79", False)):
        matcher, tokens = compile(Schema.of(source)).matcher(vocabulary), vocabulary.encode(text)
        assert matcher.try_advance(tokens) == len(tokens)
        assert matcher.must_stop == matcher.may_stop == ends
        assert bool(matcher.mask().any())


@pytest.mark.parametrize("limit", [8, 16, 40])
def test_a_number_that_no_schema_takes_leaves_no_mask_empty(limit: int, vocabulary: Vocabulary) -> None:
    matcher = compile(Schema.of({"not": {"items": {"type": "number"}}})).matcher(vocabulary, limit)
    for token in vocabulary.encode("8e+79"):
        if not matcher.try_advance([token]):
            break
    assert bool(matcher.mask().any())


def test_random_answers_are_finite(walk: Walk) -> None:
    for seed in range(12):
        _, text, _ = walk(compile(Schema.of(Reading)), 60, seed)
        assert Schema.of(Reading).check_text(text).ok, text


def test_the_audit_names_numbers_and_texts_that_a_mask_cannot_write() -> None:
    named = {(line.pointer, line.keyword): line.why for line in audit(Reading).lines if line.enforced == "narrower"}
    assert named[("/properties/value", "type")] == "numbers below 1e100 only"
    controlled = audit({"type": "object", "properties": {"k\u0007": {"enum": ["\u0001"]}, "plain": {"enum": ["\n"]}}})
    assert {(line.pointer, line.keyword) for line in controlled.lines if "control" in line.why} == {
        ("", "properties"),
        ("/properties/k\u0007", "enum"),
    }
