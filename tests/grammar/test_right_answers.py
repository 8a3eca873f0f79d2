"""The budget refuses no right answer: what complies and fits can be written, whatever the mask leaves to be checked."""

import json
import random
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, model_validator

from structout.errors import SchemaError
from structout.grammar import Vocabulary, compile  # noqa: A004
from structout.grammar.matcher import EngineMatcher
from structout.schema import Schema

PATTERNS = {
    "^[a-f0-9]{32}$": "5d41402abc4b2a76b9719d911017c592",
    "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$": "9f1c7e02-58ab-4d3c-9e10-0a1b2c3d4e5f",
    "^[a-f0-9]{40}$": "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
    "^(sha256:)?[a-f0-9]{64}$": "sha256:" + "e3b0c44298fc1c14" * 4,
    "^[A-Za-z0-9+/]{4,}={0,2}$": "aGVsbG8gd29ybGQh",
    "^[A-Z]{2}[A-Z0-9]{9}[0-9]$": "US0378331005",
    "^[A-Z]{3}-[0-9]{4}(-[a-z]+)*$": "ABC-1234-left-side",
    "[0-9]{3}x": "about 123x or so",
    r"^(?:\S+\s+){0,9}\S+$": "one or two words more",
}


def placed(place: str, schema: Any, value: Any) -> tuple[Any, Any]:
    """A schema that has `schema` in some place, and a document that has `value` there."""
    other = {"type": "integer"}
    if place == "required":
        return {"type": "object", "properties": {"v": schema, "n": other}, "required": ["v"]}, {"v": value, "n": 1}
    if place == "optional":
        return {"type": "object", "properties": {"v": schema, "n": other}}, {"v": value, "n": 1}
    if place == "nullable":
        nullable = {"anyOf": [schema, {"type": "null"}], "default": None}
        return {"type": "object", "properties": {"v": nullable}}, {"v": value}
    if place == "list":
        return {"type": "array", "items": schema}, [value, value]
    assert place == "objects"
    inner = {
        "type": "object",
        "properties": {"v": {"anyOf": [schema, {"type": "null"}]}},
        "additionalProperties": False,
    }
    return {"type": "object", "properties": {"items": {"type": "array", "items": inner}}}, {"items": [{"v": value}] * 2}


@pytest.mark.parametrize("limit", ["exact", "generous"])
@pytest.mark.parametrize("place", ["required", "optional", "nullable", "list", "objects"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_value_that_fits_its_pattern_can_be_written(
    pattern: str, place: str, limit: str, vocabulary: Vocabulary
) -> None:
    json_schema, document = placed(place, {"type": "string", "pattern": pattern}, PATTERNS[pattern])
    tokens = vocabulary.encode(json.dumps(document))
    room = len(tokens) if limit == "exact" else 4 * len(tokens) + 256
    matcher = compile(Schema.of(json_schema)).matcher(vocabulary, room)
    assert vocabulary.decode(tokens[: matcher.try_advance(tokens)]) == json.dumps(document)
    assert matcher.may_stop
    assert matcher.steered == ()


class Order(BaseModel):
    total: int
    lines: list[int]
    note: str = ""

    @model_validator(mode="after")
    def adds_up(self) -> "Order":
        if sum(self.lines) != self.total:
            raise ValueError("the lines do not add up")
        return self


class Link(BaseModel):
    md5: Annotated[str, Field(pattern="^[a-f0-9]{32}$")] | None = None


# What complies only in the end: a key that begins like another one, an item still to come, a sum.
LATE: list[tuple[Any, Any]] = [
    ({"type": "object", "additionalProperties": {"type": "integer"}}, {"app": 1, "apple": 2, "apples": 3}),
    ({"type": "array", "contains": {"const": "needle"}}, ["hay", "more hay", "needle"]),
    ({"type": "array", "items": {"enum": ["a", "ab", "abc"]}, "uniqueItems": True, "minItems": 5, "maxItems": 6}, None),
    ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, ["a", "ab", "abc"]),
    ({"properties": {"kind": {"oneOf": [{"enum": ["x", None]}, {"enum": ["y", None]}]}}}, {"kind": "y"}),
    ({"properties": {"a": {}, "b": {}}, "if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1, "b": 2}),
    ({"properties": {"a": {}, "b": {}}, "dependentRequired": {"a": ["b"]}}, {"a": [1, 2], "b": {"c": None}}),
    ({"type": "object", "properties": {"a": {}, "b": {}}, "minProperties": 2}, {"a": 1, "c": 2}),
    ({"type": "integer", "not": {"multipleOf": 3}}, 300001),
    ({"oneOf": [{"multipleOf": 3}, {"multipleOf": 5}], "type": "integer"}, 30001 * 3),
    (Order, {"total": 60, "lines": [10, 20, 30], "note": "paid"}),
    (Link, {"md5": "5d41402abc4b2a76b9719d911017c592"}),
]


@pytest.mark.parametrize("limit", [8, 300])
@pytest.mark.parametrize(("source", "document"), [case for case in LATE if case[1] is not None])
def test_what_complies_only_in_the_end_can_be_written(
    source: Any, document: Any, limit: int, vocabulary: Vocabulary
) -> None:
    schema = Schema.of(source)
    assert schema.check(document).ok
    text = json.dumps(document)
    tokens = vocabulary.encode(text)
    grammar = compile(schema, open_objects=True)
    matcher = grammar.matcher(vocabulary, max(len(tokens) + limit, len(grammar.shortest(vocabulary) or ())))
    assert vocabulary.decode(tokens[: matcher.try_advance(tokens)]) == text
    assert matcher.may_stop


def test_a_key_that_stands_there_already_is_refused_at_its_end(vocabulary: Vocabulary) -> None:
    matcher = compile(Schema.of({"type": "object", "additionalProperties": {"type": "integer"}})).matcher(
        vocabulary, 90
    )
    assert matcher.try_advance(vocabulary.encode('{"ab": 1, "ab')) > 0
    assert matcher.copy().try_advance(vocabulary.encode('":')) == 0
    assert matcher.try_advance(vocabulary.encode('c": 2}'))


def test_what_can_no_longer_comply_is_finished_and_told(vocabulary: Vocabulary) -> None:
    tokens = vocabulary.encode('{"total": 60, "lines": [10], "note": "')
    matcher = compile(Schema.of(Order)).matcher(vocabulary, 200)
    assert matcher.try_advance(tokens) == len(tokens)
    end = vocabulary.encode('"}')
    for token in end:
        mask = matcher.mask()
        assert mask.any()
        if not matcher.try_advance([token]):
            assert matcher.mask().any()
            matcher.try_advance([token])
    while not matcher.must_stop:
        assert matcher.try_advance([int(matcher.mask().nonzero()[0, 0])]) or matcher.mask().any()
    assert matcher.may_stop


class Range(BaseModel, extra="forbid"):
    low: Annotated[int, Field(ge=0, le=2)]
    high: Annotated[int, Field(ge=0, le=2)]

    @model_validator(mode="after")
    def ordered(self) -> "Range":
        if self.high < self.low:
            raise ValueError("high is below low")
        return self


CLOSED = {"type": "object", "additionalProperties": False}
TWO = CLOSED | {"properties": {"a": {"type": "boolean"}, "b": {"enum": ["x", "xy"]}}}
SMALL: list[Any] = [
    {"type": "array", "items": {"enum": ["a", "ab", "b"]}, "uniqueItems": True, "minItems": 2, "maxItems": 3},
    CLOSED | {"properties": {"v": {"type": "string", "pattern": "^(ab|c){1,2}$"}}},
    {"type": "array", "items": {"enum": [1, 12, None]}, "contains": {"const": 12}, "maxItems": 2},
    {"type": "integer", "minimum": 0, "maximum": 40, "multipleOf": 3},
    TWO | {"minProperties": 1},
    TWO | {"if": {"required": ["a"]}, "then": {"required": ["b"]}},
    {"oneOf": [{"enum": [1, 2, 3]}, {"enum": [3, 4]}]},
    Range,
]


@pytest.mark.parametrize("source", SMALL, ids=str)
def test_the_budget_refuses_a_token_only_if_no_document_can_end_in_time_after_it(
    source: Any, letters: Vocabulary
) -> None:
    schema = Schema.of(source)
    grammar = compile(schema)
    known: dict[tuple[int, ...], int] = {}

    def soonest(engine: EngineMatcher, written: tuple[int, ...]) -> int:
        """How many tokens more the shortest document has that begins so: every one is looked at."""
        if written not in known:
            known[written] = 10**6
            if engine.may_stop and schema.check_text(letters.decode(written)).ok:
                known[written] = 0
            elif not engine.must_stop and len(written) < 40:
                for token in engine.mask().nonzero()[:, 0].tolist():
                    after = engine.copy()
                    if not letters.is_end(token) and after.try_advance([token]):
                        known[written] = min(known[written], 1 + soonest(after, (*written, token)))
        return known[written]

    engine = grammar.matcher(letters)
    assert isinstance(engine, EngineMatcher)
    shortest = grammar.shortest(letters)
    assert shortest is not None
    refusals = 0
    for seed in range(12):
        rng = random.Random(seed)
        room = len(shortest) + rng.choice([0, 1, 3, 9])
        walked, guarded = engine.copy(), grammar.matcher(letters, room)
        written: tuple[int, ...] = ()
        while not guarded.must_stop:
            admitted = []
            for token in walked.mask().nonzero()[:, 0].tolist():
                after = walked.copy()
                if letters.is_end(token) or not after.try_advance([token]):
                    continue
                if guarded.copy().try_advance([token]):
                    admitted.append(token)
                    continue
                refusals += 1
                assert 1 + soonest(after, (*written, token)) > room - len(written), letters.decode((*written, token))
            if not admitted:
                break
            token = rng.choice(admitted)
            assert walked.try_advance([token])
            assert guarded.try_advance([token])
            written = (*written, token)
        assert schema.check_text(letters.decode(written)).ok
    assert refusals


def test_no_schema_without_a_document_gets_a_grammar() -> None:
    with pytest.raises(SchemaError):
        compile(Schema.of({"type": "number", "multipleOf": 0.01, "minimum": 0.011, "maximum": 0.019}))
