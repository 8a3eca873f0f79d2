"""The interface to decoding: masks, forced tokens, advancing, rolling back, stopping."""

import json
from typing import Any

import pytest

from structout.grammar import Matcher, Vocabulary, compile  # noqa: A004
from structout.schema import Schema

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(params=[None, 64])
def matcher(request: pytest.FixtureRequest, vocabulary: Vocabulary) -> Matcher:
    return compile(Schema.of(PERSON)).matcher(vocabulary, request.param)


def test_the_keys_are_forced_and_the_values_open(matcher: Matcher, vocabulary: Vocabulary) -> None:
    forced = matcher.forced()
    assert vocabulary.decode(forced).startswith('{"name')
    assert matcher.try_advance(forced) == len(forced)
    matcher.rollback(len(forced))
    matcher.try_advance(vocabulary.encode('{"name": "A'))
    assert matcher.forced() == []
    assert matcher.mask().sum() > 1000


def test_the_mask_holds_exactly_what_may_come_next(matcher: Matcher, vocabulary: Vocabulary) -> None:
    matcher.try_advance(vocabulary.encode('{"name": "A", "age": '))
    allowed = matcher.mask().nonzero()[:, 0].tolist()
    assert {vocabulary.decode([token])[0] for token in allowed} == set("0123456789")


def test_advancing_takes_the_longest_admitted_prefix(matcher: Matcher, vocabulary: Vocabulary) -> None:
    good, bad = vocabulary.encode('{"name": "A"'), vocabulary.encode("}")
    assert matcher.try_advance([*good, *bad]) == len(good)
    assert not matcher.may_stop


def test_a_complete_document_must_stop_and_admits_only_the_end(matcher: Matcher, vocabulary: Vocabulary) -> None:
    matcher.try_advance(vocabulary.encode('{"name": "A", "age": 3}'))
    assert matcher.may_stop
    assert matcher.must_stop
    assert matcher.mask().nonzero()[:, 0].tolist() == list(vocabulary.end)
    assert matcher.try_advance([vocabulary.end[0]]) == 1
    assert matcher.try_advance([vocabulary.end[0]]) == 0


def test_the_end_token_is_refused_before_the_document_is_complete(matcher: Matcher, vocabulary: Vocabulary) -> None:
    matcher.try_advance(vocabulary.encode('{"name": "A"'))
    assert matcher.try_advance([vocabulary.end[0]]) == 0
    assert not bool(matcher.mask()[vocabulary.end[0]])


def test_the_end_is_open_where_a_document_may_end_or_go_on(vocabulary: Vocabulary) -> None:
    matcher = compile(Schema.of({"type": "integer"})).matcher(vocabulary, 8)
    matcher.try_advance(vocabulary.encode("12"))
    assert matcher.may_stop
    assert not matcher.must_stop
    assert bool(matcher.mask()[vocabulary.end[0]])


def test_rollback_undoes_tokens_and_the_end(matcher: Matcher, vocabulary: Vocabulary) -> None:
    tokens = vocabulary.encode('{"name": "A", "age": 3}')
    before = matcher.mask()
    matcher.try_advance([*tokens, vocabulary.end[0]])
    matcher.rollback(1)
    assert matcher.must_stop
    matcher.rollback(len(tokens))
    assert not matcher.may_stop
    assert matcher.mask().equal(before)
    assert matcher.try_advance(tokens) == len(tokens)


def test_a_copy_moves_on_its_own(matcher: Matcher, vocabulary: Vocabulary) -> None:
    other = matcher.copy()
    other.try_advance(vocabulary.encode('{"name": "A", "age": 3}'))
    assert other.must_stop
    assert not matcher.may_stop
    assert matcher.try_advance(vocabulary.encode('{"name": "B"')) > 0


def test_whitespace_is_one_spelling(matcher: Matcher, vocabulary: Vocabulary) -> None:
    for text in ('{ "name"', '{\n"name"', '{"name" :', '{"name":  '):
        tokens = vocabulary.encode(text)
        fresh = matcher.copy()
        assert fresh.try_advance(tokens) < len(tokens)


def test_a_vocabulary_is_built_once_for_a_tokenizer(vocabulary: Vocabulary) -> None:
    from transformers import AutoTokenizer

    from structout.models.embedded import embedded_folder

    tokenizer = AutoTokenizer.from_pretrained(embedded_folder())
    assert Vocabulary.of(tokenizer) is Vocabulary.of(tokenizer)
    assert vocabulary.decode(vocabulary.encode("naïve {}")) == "naïve {}"
    assert json.loads(vocabulary.decode(vocabulary.encode('{"a": 1}'))) == {"a": 1}
