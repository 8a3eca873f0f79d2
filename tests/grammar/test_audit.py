"""The audit names what the mask leaves open, and what a document costs at least."""

import json
from datetime import date, timedelta
from io import StringIO
from ipaddress import IPv4Interface, IPv4Network, IPv6Network
from typing import Annotated, Any

import pytest
from annotated_types import Predicate
from pydantic import (
    BaseModel,
    Field,
    FilePath,
    FileUrl,
    FtpUrl,
    ImportString,
    PostgresDsn,
    RedisDsn,
    StringConstraints,
    WebsocketUrl,
    field_validator,
)
from rich.console import Console

from structout.errors import SchemaError
from structout.grammar import Audit, Vocabulary, audit
from structout.schema import Schema
from tests.grammar.test_compile import takes


class Even(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def even(cls, n: int) -> int:
        if n % 2:
            raise ValueError("odd")
        return n


class Noted(BaseModel):
    n: int

    def model_post_init(self, _context: Any) -> None:
        pass


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


@pytest.mark.parametrize(
    ("source", "keyword"),
    [
        (Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)], "strip_whitespace"),
        (Annotated[int, Predicate(lambda n: n % 2 == 0)], "predicate of annotated_types"),
        (Annotated[bytes, Field(max_length=3)], "bytes length"),
        (Annotated[timedelta, Field(gt=timedelta(days=-1))], "timedelta bounds"),
        (FilePath, "validator PathType.validate_file"),
        (ImportString, "validator import_string"),
        (complex, "complex"),
        (Noted, "validator Noted.model_post_init"),
    ],
)
def test_what_no_mask_can_hold_is_named(source: Any, keyword: str) -> None:
    found = audit(source)
    assert found.level == "relaxed"
    assert ("", keyword) in lines(found, "python")


@pytest.mark.parametrize(
    ("source", "right", "wrong"),
    [
        (Annotated[date, Field(ge=date(2024, 1, 15), lt=date(2024, 3, 1))], "2024-02-29", "2024-03-01"),
        (Annotated[date, Field(gt=date(2024, 1, 15))], "2024-01-16", "2024-01-15"),
        (RedisDsn, "redis://localhost:6379/0", "https://a.b"),
        (PostgresDsn, "postgresql://me:word@db.example.org:5432/app", "mysql://a/b"),
        (WebsocketUrl, "wss://example.org/x", "https://a.b"),
        (FtpUrl, "ftp://example.org/f", "file:///f"),
        (FileUrl, "file:///tmp/x", "ftp://a/f"),
        (IPv4Network, "10.20.0.0/15", "10.20.0.1/15"),
        (IPv4Network, "192.168.1.128/25", "192.168.1.129/25"),
        (IPv4Interface, "10.0.0.1/24", "10.0.0.1/33"),
        (IPv6Network, "2001:db8::/32", "2001:db8::1/32"),
    ],
)
def test_a_mask_writes_the_texts_of_pydantic_types(source: Any, right: str, wrong: str, vocabulary: Vocabulary) -> None:
    assert takes(source, right, vocabulary)
    assert not takes(source, wrong, vocabulary)
    assert Schema.of(source).check(right).ok


def test_a_word_that_is_no_keyword_is_ignored_and_not_enforced() -> None:
    found = audit({"type": "string", "maxLenght": 3, "nullable": True, "x-note": "ours"})
    assert lines(found, "ignored") == {("", "maxLenght"), ("", "nullable")}
    assert any("perhaps maxLength is meant" in line.why for line in found.lines)


@pytest.mark.parametrize(
    "source",
    [
        {"type": "number", "minimum": -1.7976931348623157e308, "maximum": 1.7976931348623157e308},
        {
            "$defs": {
                "leaf": {"type": "object", "properties": {"t": {"const": "leaf"}}, "required": ["t"]},
                "node": {
                    "type": "object",
                    "properties": {"t": {"const": "node"}, "of": {"$ref": "#/$defs/any"}},
                    "required": ["t", "of"],
                },
                "any": {
                    "oneOf": [{"$ref": "#/$defs/leaf"}, {"$ref": "#/$defs/node"}],
                    "discriminator": {"propertyName": "t", "mapping": {"leaf": "#/$defs/leaf"}},
                },
            },
            "$ref": "#/$defs/any",
        },
    ],
)
def test_a_harmless_keyword_costs_no_enforcement(source: Any) -> None:
    assert audit(source).level == "exact"


def test_a_bound_that_the_engine_cannot_hold_is_told() -> None:
    found = audit({"type": "number", "maximum": 1e28})
    assert (found.level, lines(found, "afterwards")) == ("relaxed", {("", "maximum")})


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
    assert all(line.keyword != "other keys" for line in outcome.lines)  # any JSON: nothing is closed
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
