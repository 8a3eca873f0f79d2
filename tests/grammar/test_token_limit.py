"""No constrained completion is cut off, and none is invalid, whatever tokens are taken."""

from typing import Any

import pytest
from pydantic import BaseModel, model_validator

from structout.grammar import Vocabulary, compile  # noqa: A004
from structout.schema import Schema
from tests.grammar.conftest import Walk


class Span(BaseModel):
    low: int
    high: int

    @model_validator(mode="after")
    def ordered(self) -> "Span":
        if self.high < self.low:
            raise ValueError("high is below low")
        return self


class Node(BaseModel):
    label: str
    children: list["Node"] = []


SCHEMAS: list[Any] = [
    {"type": "string"},
    {"type": "number"},
    {"type": "array"},
    {"type": "object"},
    True,
    {"type": "array", "items": {"type": "string", "minLength": 5}, "minItems": 3},
    {"type": "string", "pattern": "^a+b{4}c$"},
    {"type": "string", "pattern": "(x[0-9]y)+z"},
    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"enum": ["long text here", "x"]}},
     "required": ["b", "c"], "minProperties": 3},
    {"type": "array", "items": {"enum": [1, 2, 3, 4, 5, 6]}, "uniqueItems": True, "minItems": 4},
    {"type": "string", "format": "date"},
    {"not": {"type": "string"}},
    {"type": "array", "contains": {"const": "needle"}},
    {"oneOf": [{"multipleOf": 3}, {"multipleOf": 5}], "type": "integer"},
    {"$ref": "#/$defs/e", "$defs": {"e": {"anyOf": [
        {"type": "object", "properties": {"op": {"enum": ["+", "-"]}, "l": {"$ref": "#/$defs/e"},
         "r": {"$ref": "#/$defs/e"}}, "required": ["op", "l", "r"], "additionalProperties": False},
        {"type": "integer"}]}}},
    dict[str, list[int]],
    set[int],
    Node,
]  # fmt: skip


@pytest.mark.parametrize("source", SCHEMAS, ids=lambda source: str(source)[:60])
def test_random_tokens_end_in_a_valid_document_within_the_budget(
    source: Any, walk: Walk, vocabulary: Vocabulary
) -> None:
    schema = Schema.of(source)
    grammar = compile(schema)
    shortest = grammar.shortest(vocabulary)
    assert shortest is not None
    assert schema.check_text(vocabulary.decode(shortest)).ok
    for seed, extra in enumerate((0, 1, 7, 40)):
        budget = 2 * len(shortest) + extra
        matcher, text, tokens = walk(grammar, budget, seed)
        assert matcher.may_stop
        assert tokens <= budget
        assert schema.check_text(text).ok, text


def test_random_tokens_end_in_a_whole_document_where_only_a_validator_knows_better(
    walk: Walk, vocabulary: Vocabulary
) -> None:
    schema = Schema.of(Span)
    grammar = compile(schema)
    found = []
    for seed in range(6):
        matcher, text, tokens = walk(grammar, 60, seed)
        assert matcher.may_stop
        assert tokens <= 60
        checked = schema.check_text(text)
        assert checked.document is not None
        found.append(checked.ok or checked.issues[0].kind == "value")
    assert all(found)


def test_the_budget_counts_what_it_chose(walk: Walk, vocabulary: Vocabulary) -> None:
    grammar = compile(Schema.of({"type": "array", "items": {"type": "string", "minLength": 3}, "minItems": 1}))
    shortest = grammar.shortest(vocabulary)
    assert shortest is not None
    tight = sum(len(walk(grammar, len(shortest) + 3, seed)[0].steered) for seed in range(6))
    assert tight > 0


def test_a_document_that_the_model_ends_itself_is_not_steered(vocabulary: Vocabulary) -> None:
    matcher = compile(Schema.of({"type": "array", "items": {"type": "integer"}})).matcher(vocabulary, 64)
    for token in vocabulary.encode("[1, 2, 3]"):
        assert bool(matcher.mask()[token])
        assert matcher.try_advance([token]) == 1
    assert matcher.must_stop
    assert matcher.steered == ()


def test_free_text_may_take_all_but_the_room_for_what_is_required(vocabulary: Vocabulary) -> None:
    schema = {
        "type": "object",
        "properties": {"first": {"type": "string"}, "second": {"type": "string"}},
        "required": ["first", "second"],
        "additionalProperties": False,
    }
    matcher = compile(Schema.of(schema)).matcher(vocabulary, 80)
    matcher.try_advance(vocabulary.encode('{"first": "'))
    word = vocabulary.encode(" word")[0]
    written = 0
    while bool(matcher.mask()[word]) and matcher.try_advance([word]):
        written += 1
    required = len(vocabulary.encode('", "second": ""}'))
    assert 80 - 4 - required - 2 <= written <= 80 - 4 - required + 2


def test_only_what_the_budget_alone_refuses_counts_as_steered_and_only_if_it_is_not_taken_back(
    vocabulary: Vocabulary,
) -> None:
    matcher = compile(Schema.of({"type": "array", "items": {"type": "string"}})).matcher(vocabulary, 40)
    matcher.try_advance(vocabulary.encode('["'))
    word, newline, end = (vocabulary.encode(text)[0] for text in (" word", "\n", '"]'))
    while matcher.copy().try_advance([word]):
        matcher.try_advance([word])
    assert matcher.try_advance([newline]) == 0  # no string holds one, whatever room there is
    assert bool(matcher.mask()[word])
    assert matcher.try_advance([word]) == 0
    assert not bool(matcher.mask()[word])
    chosen = matcher.copy()
    chosen.try_advance([end])
    assert chosen.steered
    matcher.rollback(0)
    assert bool(matcher.mask()[word])
    matcher.try_advance([end])
    assert matcher.must_stop
    assert not matcher.steered


def test_a_refused_token_leaves_the_mask(vocabulary: Vocabulary) -> None:
    schema = Schema.of({"type": "array", "items": {"type": "array", "minItems": 30, "items": {"type": "integer"}}})
    matcher = compile(schema).matcher(vocabulary, 20)
    matcher.try_advance(vocabulary.encode("["))
    opening = vocabulary.encode("[")[0]
    assert matcher.try_advance([opening]) == 0
    assert not bool(matcher.mask()[opening])
    assert matcher.try_advance(vocabulary.encode("]")) == 1


def test_an_open_object_does_not_repeat_a_key(vocabulary: Vocabulary) -> None:
    schema = Schema.of({"type": "object", "additionalProperties": {"type": "integer"}})
    matcher = compile(schema).matcher(vocabulary, 64)
    tokens = vocabulary.encode('{"ab": 1, "ab": 2}')
    taken = matcher.try_advance(tokens)
    assert taken < len(tokens)
    assert not matcher.may_stop


def test_a_declared_key_cannot_be_spelled_with_escapes(vocabulary: Vocabulary) -> None:
    schema = Schema.of({"type": "object", "properties": {"x": {"type": "integer"}}})
    matcher = compile(schema).matcher(vocabulary)
    tokens = vocabulary.encode('{"\\u0078": "text"}')
    assert matcher.try_advance(tokens) < len(tokens)


def test_a_budget_below_the_shortest_document_does_not_pretend(walk: Walk, vocabulary: Vocabulary) -> None:
    grammar = compile(Schema.of({"type": "string", "minLength": 200, "pattern": "^[a-z]*$"}))
    matcher, _, _ = walk(grammar, 3, 0)
    assert not matcher.may_stop
