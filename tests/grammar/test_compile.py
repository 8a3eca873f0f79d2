"""Levels, rewriting, and what the masks let through."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structout.errors import SchemaError
from structout.grammar import Level, Vocabulary, compile  # noqa: A004
from structout.grammar.strings import unlike
from structout.schema import Schema
from tests.nesting import nested
from tests.schema.test_references import WAYS

TOO_LARGE = [{"anyOf": [{"type": "object", "required": [f"k{i}{j}"]} for j in range(4)]} for i in range(20)]


def takes(source: Any, document: Any, vocabulary: Vocabulary) -> bool:
    """Whether the engine's mask alone lets a document through."""
    matcher = compile(Schema.of(source)).matcher(vocabulary)
    tokens = vocabulary.encode(json.dumps(document, ensure_ascii=False))
    return matcher.try_advance(tokens) == len(tokens) and matcher.may_stop


@pytest.mark.parametrize(
    ("source", "level"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}}}, "exact"),
        ({"type": "string", "format": "no-such-format"}, "exact"),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "exact"),
        ({"oneOf": [{"multipleOf": 3}, {"multipleOf": 5}]}, "relaxed"),
        ({"type": "array", "uniqueItems": True}, "relaxed"),
        ({"type": "array", "contains": {"const": 1}}, "relaxed"),
        ({"type": "string", "pattern": "^(?=a)"}, "relaxed"),
        ({"type": "integer", "minimum": 2**70}, "relaxed"),
        (
            {"allOf": [{"anyOf": [{"type": "object", "required": [f"k{i}{j}"]} for j in range(4)]} for i in range(20)]},
            "json",
        ),
    ],
)
def test_the_level_says_what_the_mask_enforces(source: Any, level: Level) -> None:
    grammar = compile(Schema.of(source))
    assert grammar.level == level
    assert level != "exact" or all(gap.narrower for gap in grammar.gaps)


@pytest.mark.parametrize(
    ("source", "valid", "invalid"),
    [
        ({"type": "string", "format": "date"}, ["2024-02-29"], ["2023-02-29", "2024-02-30", "1900-02-29"]),
        ({"type": "string", "format": "time"}, ["10:00:00Z"], ["10:00:60Z", "10:00:00"]),
        ({"type": "string", "format": "ipv6"}, ["::1", "2001:db8::8", "::"], ["1::2::3", "g::"]),
        ({"dependentRequired": {"a": ["b"]}, "properties": {"a": {}, "b": {}}}, [{"a": 1, "b": 2}, {}], [{"a": 1}]),
        ({"type": "object", "propertyNames": {"enum": ["a", "b"]}}, [{"a": 1}, {}], [{"c": 1}]),
        ({"type": "object", "propertyNames": {"pattern": "^x"}}, [{"x1": 1}], [{"y": 1}]),
        ({"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True}, [[3, 1]], [[1, 1]]),
        ({"type": "array", "items": {"enum": [1, 1.0, True]}, "uniqueItems": True}, [[1], [True, 1]], [[1, 1]]),
        ({"type": "array", "items": {"type": "string", "enum": ["a", None]}, "uniqueItems": True}, [["a"]], [[None]]),
        ({"type": "array", "items": {"$ref": "#/$defs/d"}, "uniqueItems": True,
          "$defs": {"d": {"const": "ab", "maxLength": 1}}}, [[]], [["ab"]]),
        ({"type": "array", "items": {"enum": ["a", "b"], "allOf": [{"$ref": "#/$defs/d"}]}, "uniqueItems": True,
          "$defs": {"d": {"pattern": "a"}}}, [["a"]], [["b"], ["a", "b"]]),
        ({"type": "object", "propertyNames": {"enum": ["a", "bb"], "maxLength": 1}}, [{"a": 1}], [{"bb": 1}]),
        ({"type": "object", "propertyNames": {"type": "null", "minLength": 1}}, [{}], [{"a": 1}]),
        ({"$schema": "http://json-schema.org/draft-06/schema#", "type": "object",
          "propertyNames": {"type": "null"}}, [{}], [{"a": 1}]),
        ({"type": "number", "minimum": 0, "maximum": 1.2345678901234567e-07}, [0], [2e-7, 1]),
        ({"type": "object", "propertyNames": {"type": ["string", "null"]}}, [{}, {"a": 1}], [3]),
        ({"exclusiveMinimum": 10**17, "multipleOf": 0.5}, [2 * 10**17], [10**17]),
        ({"exclusiveMinimum": 10**15, "multipleOf": 0.1}, [10**15 + 1], [10**15]),
        ({"type": "integer", "exclusiveMinimum": -9999999999999999}, [-9999999999999000], [-(10**16)]),
        ({"exclusiveMinimum": 1000000000000000.5}, [1000000000001000], [1000000000000000.5, 1000000000000000]),
        ({"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}, [9 * 10**18, -9 * 10**18], [2**63, -(2**64)]),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "type": "object"}, [{"b": 1}], [{"a": 1}]),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object",
          "properties": {"a": {}, "b": {}}}, [{"a": 1}], [{"a": 1, "b": 1}, {}]),
        ({"type": "string", "enum": ["a", "b"], "not": {"const": "a"}}, ["b"], ["a"]),
        ({"not": {"type": ["string", "null"]}}, [1, []], ["x", None]),
        ({"type": "number", "not": {"minimum": 5}}, [4.5, -1], [5, 6]),
        ({"type": "integer", "maximum": 2**64}, [2**62], [2**65]),
        ({"x-guidance": {"lenient": True, "item_separator": ";"}, "type": "array"}, [[1, 2]], ["x"]),
    ],
)  # fmt: skip
def test_known_leaks_are_mended(source: Any, valid: list[Any], invalid: list[Any], vocabulary: Vocabulary) -> None:
    for document in valid:
        assert takes(source, document, vocabulary), document
    for document in invalid:
        assert not takes(source, document, vocabulary), document


@pytest.mark.parametrize("source", [False, {"type": "string", "minLength": 5, "maxLength": 2}])
def test_a_schema_without_documents_is_an_error(source: Any) -> None:
    with pytest.raises(SchemaError, match="cannot compile"):
        compile(Schema.of(source))


def test_a_schema_is_compiled_once() -> None:
    source = {"type": "object", "properties": {"once": {"type": "string"}}}
    assert compile(Schema.of(source)) is compile(Schema.of(dict(source)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=4), st.text("abcd", max_size=5))
def test_unlike_matches_everything_but_its_words(words: list[str], text: str) -> None:
    schema = Schema.of({"type": "string", "pattern": unlike(words)})
    assert schema.check(text).ok == (text not in words)


LEAVES = st.one_of(
    st.builds(lambda n: {"type": "integer", "minimum": n}, st.integers(-5, 5)),
    st.builds(lambda n: {"type": "string", "maxLength": n}, st.integers(0, 5)),
    st.just({"type": "boolean"}),
    st.just({"enum": ["red", 1, None]}),
    st.just({"type": "string", "format": "date"}),
)
NESTED = nested(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda a: {"type": "array", "items": a, "maxItems": 3}, inner),
        st.builds(lambda a, b: {"anyOf": [a, b]}, inner, inner),
        st.builds(
            lambda a, b, closed: {
                "type": "object", "properties": {"a": a, "b": b}, "required": ["b"], "additionalProperties": not closed
            },
            inner, inner, st.booleans(),
        ),
    ),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(NESTED, st.integers(0, 1000))
def test_exact_masks_admit_only_valid_documents(vocabulary_walk: Any, source: dict[str, Any], seed: int) -> None:
    schema = Schema.of(source)
    grammar = compile(schema)
    assert grammar.level == "exact"
    matcher, text, _ = vocabulary_walk(grammar, 60, seed)
    assert matcher.may_stop
    assert schema.check_text(text).ok


@pytest.fixture(scope="session")
def vocabulary_walk(walk: Any) -> Any:
    return walk


@pytest.mark.parametrize("source", WAYS.values(), ids=WAYS.keys())
def test_the_mask_follows_references(source: Any, vocabulary: Vocabulary) -> None:
    assert takes(source, {"size": {"mm": 6}}, vocabulary)
    assert not takes(source, {"size": {"mm": "6"}}, vocabulary)
    assert not takes(source, {"size": {}}, vocabulary)
