"""Short documents found by trying out, and the words that patterns ask for."""

import json
import re
from typing import Any

import pytest

from structout.grammar.samples import word
from structout.grammar.witness import Witness
from structout.schema import Schema


@pytest.mark.parametrize(
    ("matching", "against"),
    [
        (("^a{3}b{20}$",), ()),
        (("^application/vnd\\..+-resource",), ()),
        (("4", "\\w3", "^(\\w\\d)+$"), ()),
        (("a|b|c",), ("a", "b")),
        (("^(25[0-5]|2[0-4])$",), ("^25",)),
        (("^(?!org\\.)([a-z]+\\.)*[a-z]+$",), ()),
        (("[a-zA-Z0-9_-]{162}",), ()),
    ],
)
def test_a_word_matches_what_it_must_and_nothing_else(matching: tuple[str, ...], against: tuple[str, ...]) -> None:
    found = word(matching, against)
    assert found
    assert all(re.search(pattern, found) for pattern in matching)
    assert not any(re.search(pattern, found) for pattern in against)


def test_there_is_no_word_where_patterns_exclude_each_other() -> None:
    assert word(("^a+$",), ("a",)) == ""


SCHEMAS: dict[str, Any] = {
    "one pattern of three": {
        "oneOf": [{"items": {"pattern": "a"}}, {"items": {"pattern": "b"}}, {"items": {"pattern": "a|b|c"}}],
        "minItems": 2,
    },
    "a name that several subschemas ask for": {
        "type": "object",
        "allOf": [
            {"not": {"propertyNames": {"not": {"pattern": "4"}}}},
            {"not": {"propertyNames": {"not": {"pattern": "\\w3"}}}},
            {"propertyNames": {"pattern": "^(\\w\\d)+$"}},
        ],
        "maxProperties": 1,
    },
    "a multiple of three steps": {
        "type": "object",
        "patternProperties": {
            "a": {"items": {"type": "number", "multipleOf": 2.5, "minimum": 2}},
            "c": {"items": {"multipleOf": 7, "minimum": 2}},
        },
        "additionalProperties": {"type": "array", "minItems": 2},
        "required": ["abc"],
        "minProperties": 1,
    },
    "what must not be required": {
        "oneOf": [{"not": {"required": ["a", "b"]}}, {"allOf": [{"not": {"required": [name]}} for name in "ab"]}]
    },
    "a condition": {
        "type": "object",
        "properties": {"kind": {"enum": ["x", "y"]}},
        "required": ["kind"],
        "if": {"properties": {"kind": {"const": "x"}}},
        "then": {"required": ["size"], "properties": {"size": {"type": "integer", "minimum": 3}}},
        "else": {"required": ["name"]},
    },
    "different items": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 8},
    "itself within": {
        "$ref": "#/$defs/tree",
        "$defs": {"tree": {
            "type": "object", "required": ["left"], "additionalProperties": False,
            "properties": {"left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]}},
        }},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_document_is_found_and_fits(name: str) -> None:
    found = list(Witness(SCHEMAS[name]).documents())
    assert found
    schema = Schema.of(SCHEMAS[name])
    assert all(schema.check_text(text).ok for text in found)
    assert found == sorted(found, key=lambda text: len(json.dumps(json.loads(text))))


def test_no_document_is_made_up_where_none_fits() -> None:
    assert not list(Witness({"type": "string", "not": {"minLength": 0}}).documents())
