"""Hostile schemas end in a typed error or a working grammar, and never take the process down."""

from typing import Any

import pytest

from structout.errors import StructoutError
from structout.grammar import Vocabulary, compile  # noqa: A004
from structout.schema import Schema


def chain(n: int) -> dict[str, Any]:
    links = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(n)}
    return {"$ref": "#/$defs/d0", "$defs": {**links, f"d{n}": {"type": "string"}}}


def nested(n: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(n):
        schema = {"type": "array", "items": schema}
    return schema


def choices(n: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    for i in range(n):
        schema = {"oneOf": [schema, {"not": schema}, {"type": "object", "properties": {f"k{i}": schema}}]}
    return schema


BOMBS: dict[str, Any] = {
    "references in a row": chain(1_000),
    "more references in a row": chain(5_000),
    "optional properties": {"properties": {f"p{i}": {"type": "string"} for i in range(5_000)}, "type": "object"},
    "many items at most": {"type": "array", "items": {"type": "integer"}, "maxItems": 10**9},
    "many items at least": {"type": "array", "items": {"type": "integer"}, "minItems": 10**9},
    "long text": {"type": "string", "minLength": 10**9},
    "nested quantifiers": {"type": "string", "pattern": "^(a+)+$"},
    "nested repetitions": {"type": "string", "pattern": "^((a{1,100}){1,100}){1,100}$"},
    "deep": nested(1_000),
    "endless": {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"a": {"$ref": "#/$defs/a"}},
                                                     "required": ["a"], "type": "object"}}},
    "itself": {"$ref": "#"},
    "product of alternatives": {"allOf": [{"anyOf": [{"type": "object", "properties": {f"k{i}": {"const": j}},
                                                      "required": [f"k{i}"]} for j in range(4)]} for i in range(20)]},
    "huge enum": {"enum": [f"value number {i}" for i in range(50_000)]},
    "required properties": {"type": "object", "required": [f"p{i}" for i in range(2_000)]},
    "overlapping patterns": {"type": "object", "patternProperties": {f"^a{i}[a-z]*": {} for i in range(200)}},
    "huge bound": {"type": "integer", "minimum": 10**400},
    "nested choices": choices(8),
    "long way round": {"type": "string", "pattern": "^(([a-z]{1,40}[0-9]){1,40}x){20}$"},
    "not after not": {"not": {"properties": {"a": {"not": {"properties": {"a": {"$ref": "#"}}}}}}},
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_no_harm(name: str, vocabulary: Vocabulary) -> None:
    try:
        matcher = compile(Schema.of(BOMBS[name])).matcher(vocabulary, 64)
    except StructoutError:
        return
    assert matcher.mask().any() or matcher.must_stop


@pytest.mark.parametrize("address", ["http://example.com/x.json", "file:///etc/hostname", "other.json#/a"])
def test_nothing_is_fetched(address: str) -> None:
    with pytest.raises(StructoutError):
        compile(Schema.of({"$ref": address}))
