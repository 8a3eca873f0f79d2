"""The audit names what the mask leaves open, and what a document costs at least."""

import json
from io import StringIO
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, field_validator
from rich.console import Console

from structout.errors import SchemaError
from structout.grammar import Audit, Vocabulary, audit
from structout.schema import Schema


class Even(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def even(cls, n: int) -> int:
        if n % 2:
            raise ValueError("odd")
        return n


def lines(outcome: Audit, enforced: str) -> set[tuple[str, str]]:
    return {(line.pointer, line.keyword) for line in outcome.lines if line.enforced == enforced}


def test_every_keyword_is_accounted_for(vocabulary: Vocabulary) -> None:
    source: dict[str, Any] = {
        "title": "order",
        "type": "object",
        "properties": {"tags": {"type": "array", "uniqueItems": True, "items": {"type": "string"}}},
        "required": ["tags"],
    }
    outcome = audit(Schema.of(source), vocabulary)
    assert outcome.level == "relaxed"
    assert lines(outcome, "afterwards") == {("/properties/tags", "uniqueItems")}
    assert ("/properties/tags", "items") in lines(outcome, "mask")
    assert ("", "required") in lines(outcome, "mask")
    assert outcome.shortest == '{"tags": []}'
    assert outcome.shortest_tokens == len(vocabulary.encode('{"tags": []}'))


def test_what_only_pydantic_checks_is_named() -> None:
    outcome = audit(Schema.of(Even))
    assert outcome.level == "relaxed"
    assert lines(outcome, "python") == {("", "validator Even.even")}


def test_narrower_is_told_apart() -> None:
    outcome = audit(Schema.of({"type": "string", "format": "uri"}))
    assert outcome.level == "exact"
    assert lines(outcome, "narrower") == {("", "format")}


def test_at_the_json_level_nothing_is_enforced() -> None:
    outcome = audit(
        Schema.of(
            {"allOf": [{"anyOf": [{"type": "object", "required": [f"k{i}{j}"]} for j in range(4)]} for i in range(20)]}
        )
    )
    assert outcome.level == "json"
    assert not lines(outcome, "mask")


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (dict[str, str], "additionalProperties"),
        (list[Annotated[str, Field(max_length=3)]], "maxItems"),
        (str, "maxLen"),
    ],
)
def test_advice_bounds_what_is_unbounded(source: Any, word: str) -> None:
    assert any(word in text for text in audit(Schema.of(source)).advice)


def test_a_bounded_schema_needs_no_advice() -> None:
    assert audit(Schema.of({"type": "string", "maxLength": 3})).advice == ()


def test_a_schema_that_nothing_fits_is_told_or_refused() -> None:
    endless = {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "required": ["a"],
                                                    "properties": {"a": {"$ref": "#/$defs/a"}}}}}  # fmt: skip
    assert any("no document was found" in text for text in audit(Schema.of(endless)).advice)
    with pytest.raises(SchemaError, match="no document satisfies it"):
        audit(Schema.of({"type": "object", "required": ["a"], "properties": {"a": False}}))


def test_it_is_readable_and_json(vocabulary: Vocabulary) -> None:
    outcome = audit(Schema.of({"title": "tags", "type": "array", "uniqueItems": True}), vocabulary)
    file = StringIO()
    Console(width=100, file=file).print(outcome)
    text = file.getvalue()
    assert "tags relaxed" in text
    assert "uniqueItems" in text
    assert json.loads(json.dumps(outcome.to_json()))["level"] == "relaxed"
