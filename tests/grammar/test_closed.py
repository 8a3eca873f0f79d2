"""Objects hold declared keys only in a mask, unless the schema speaks of other keys or the caller opens them."""

import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from structout.completion import Prompt
from structout.grammar import Vocabulary, audit, compile  # noqa: A004
from structout.schema import Schema

A, B = {"type": "string"}, {"type": "integer"}
PART = {"type": "object", "properties": {"a": A}}


class Plain(BaseModel):
    a: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: str


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: int


class Owner(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


class Kennel(Owner):
    best: Dog


def writable(source: Any, document: Any, vocabulary: Vocabulary, *, open_objects: bool = False) -> bool:
    matcher = compile(Schema.of(source), open_objects=open_objects).matcher(vocabulary)
    tokens = vocabulary.encode(json.dumps(document))
    return matcher.try_advance(tokens) == len(tokens) and matcher.may_stop


@pytest.mark.parametrize(
    "source",
    [
        Plain,
        PART,
        {"anyOf": [PART, B]},
        {"$ref": "#/$defs/p", "$defs": {"p": PART}},
    ],
)
def test_undeclared_keys_are_left_out_by_default(source: Any, vocabulary: Vocabulary) -> None:
    document: Any = {"a": "x", "b": 1}
    assert writable(source, {"a": "x"}, vocabulary)
    assert not writable(source, document, vocabulary)
    assert writable(source, document, vocabulary, open_objects=True)
    assert Schema.of(source).check(document).ok  # the contract is unchanged
    lines = [line for line in audit(source).lines if line.keyword == "other keys"]
    assert [line.enforced for line in lines] == ["narrower"]
    assert audit(source).level == "exact"
    assert not any("may add keys" in advice for advice in audit(source).advice)


@pytest.mark.parametrize(
    "source",
    [
        Open,
        {**PART, "additionalProperties": B},
        {**PART, "patternProperties": {"^b": B}},
        {"allOf": [PART, {"type": "object", "properties": {"b": B}}]},
        {**PART, "anyOf": [{"properties": {"b": B}}, {"properties": {"c": B}}]},
        {**PART, "required": ["b"]},
        {**PART, "minProperties": 2},
        {"type": "object"},
    ],
)
def test_objects_that_speak_of_other_keys_stay_open(source: Any, vocabulary: Vocabulary) -> None:
    assert writable(source, {"a": "x", "b": 1}, vocabulary)
    assert all(line.keyword != "other keys" for line in audit(source).lines)


def test_a_tag_with_a_default_is_required_where_it_tells_the_members_of_a_union_apart(vocabulary: Vocabulary) -> None:
    assert writable(Owner, {"pet": {"kind": "dog", "tricks": 2}}, vocabulary)
    assert not writable(Owner, {"pet": {"tricks": 2}}, vocabulary)
    issue = Schema.of(Owner).check({"pet": {"tricks": 2}}).issues
    assert issue
    assert writable(Kennel, {"pet": {"kind": "dog", "tricks": 2}, "best": {"tricks": 1}}, vocabulary)
    assert not writable(Kennel, {"pet": {"tricks": 2}, "best": {"tricks": 1}}, vocabulary)
    assert compile(Schema.of(Kennel)).level == "exact"


def test_a_prompt_says_what_a_server_is_held_to() -> None:
    prompt = Prompt((), constraint=Schema.of(PART))
    assert prompt.held_to == {**PART, "additionalProperties": False}
    opened = Prompt((), constraint=Schema.of(PART), open_objects=True)
    assert opened.held_to == PART
    assert opened.key() != prompt.key()
    assert Prompt(()).held_to is None
