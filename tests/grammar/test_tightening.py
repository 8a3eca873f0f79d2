"""What Pydantic's types check and their JSON Schema does not say, the mask keeps to where it can."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import AwareDatetime, BaseModel, Field, FutureDate, Json, NaiveDatetime, PastDate, WithJsonSchema

from structout.grammar import Vocabulary, compile  # noqa: A004
from structout.schema import Schema
from tests.grammar.conftest import Walk


class Invoice(BaseModel):
    total: Annotated[Decimal, Field(max_digits=6, decimal_places=2)]
    due: FutureDate


CASES: list[tuple[Any, Sequence[Any], Sequence[Any]]] = [
    (Decimal, ["1.50", "-3", 2, 2.5], ["x", "1e5"]),
    (Annotated[Decimal, Field(max_digits=4, decimal_places=2)], ["12.34", 99.5, 3], ["123.45", "1.234", 100]),
    (Annotated[Decimal, Field(max_digits=2, decimal_places=2)], ["0.12", "-0.5"], ["1.1", "12"]),
    (Annotated[Decimal, Field(max_digits=3)], ["123", 12], ["1234", 1000]),
    (Annotated[Decimal, Field(ge=1, decimal_places=1)], [1.5, 20], [0.5, "0.5", 1.25]),
    (AwareDatetime, ["2024-01-01T10:00:00+02:00", "2024-01-01T10:00:00Z"], ["2024-01-01T10:00:00"]),
    (NaiveDatetime, ["2024-01-01T10:00:00"], ["2024-01-01T10:00:00Z", "2024-01-01T10:00:00+02:00"]),
    (PastDate, ["2001-01-01", "1970-12-31"], ["2999-01-01", "2001-02-30"]),
    (
        Annotated[datetime, Field(ge=datetime(2024, 1, 1, 12), lt=datetime(2025, 6, 1))],
        ["2024-01-01T12:00:00.5", "2025-05-31T23:59:59", "2024-01-01T12:00:00+02:00"],
        ["2024-01-01T11:59:59.9", "2025-06-01T00:00:00"],
    ),
    (
        Annotated[datetime, Field(gt=datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))))],
        ["2024-01-01T10:00:01Z"],
        ["2024-01-01T10:00:00Z", "2024-01-01T10:00:01+02:00"],
    ),
    (Annotated[time, Field(ge=time(9), le=time(17, 30))], ["09:00:00.1", "17:30:00"], ["08:59:59", "17:30:00.5"]),
    (
        Annotated[timedelta, Field(ge=timedelta(minutes=90), lt=timedelta(days=3))],
        ["PT90M", "PT2H", "P1D", "P2D", "PT5400S", "PT71H"],
        ["PT89M", "PT1H", "P3D", "PT72H", "PT5399S"],
    ),
    (Annotated[timedelta, Field(le=timedelta(seconds=105))], ["PT0S", "PT1M", "PT105S", "P0D"], ["PT106S", "PT2M"]),
    (Annotated[date, Field(gt=date(2024, 1, 1), lt=date(2024, 1, 5))], ["2024-01-02", "2024-01-04"], ["2024-01-05"]),
    (FutureDate, ["2999-01-01", "2150-06-01"], ["2001-01-01"]),
    (Fraction, ["1/3", "-2"], ["x", "1/0"]),
    (Json, ["[1, 2]", "null", '{"a": true}'], ["[1,", "", "a"]),
    (dict[int, str], [{"1": "a"}, {}], [{"x": "a"}, {"01": "a"}]),
    (dict[date, int], [{"2024-02-29": 1}], [{"2023-02-29": 1}]),
    (dict[UUID, int], [{"12345678-1234-5678-1234-567812345678": 1}], [{"1234": 1}]),
    (dict[Annotated[str, Field(pattern="^k")], int], [{"k1": 1}], [{"x": 1}]),
    (dict[Annotated[str, Field(max_length=2)], int], [{"ab": 1}], [{"abc": 1}]),
    (Annotated[float, Field(multiple_of=0.25)], [0.5, 1.25, 2, 2.0], [0.3, 0.1]),
    (Invoice, [{"total": "1234.50", "due": "2999-01-01"}], [{"total": "12345.6", "due": "2999-01-01"}]),
]


@pytest.mark.parametrize(("source", "valid", "invalid"), CASES, ids=lambda part: str(part)[:50])
def test_the_mask_alone_is_right(
    source: Any, valid: Sequence[Any], invalid: Sequence[Any], vocabulary: Vocabulary
) -> None:
    schema = Schema.of(source)
    grammar = compile(schema)
    assert grammar.level == "exact"
    for document in [*valid, *invalid]:
        text = json.dumps(document)
        matcher, tokens = grammar.matcher(vocabulary), vocabulary.encode(text)
        taken = matcher.try_advance(tokens) == len(tokens) and matcher.may_stop
        assert taken is (document in valid), text
        assert document in invalid or schema.check_text(text).ok, text


# A Fraction may be a number with any exponent, one too large to hold among them.
@pytest.mark.parametrize("source", [case[0] for case in CASES if case[0] is not Fraction], ids=str)
def test_what_it_lets_through_validates(source: Any, walk: Walk) -> None:
    schema = Schema.of(source)
    ended = []
    for seed in range(12):
        matcher, text, _ = walk(compile(schema), None, seed)
        ended += [text] if matcher.may_stop else []
    assert ended
    assert all(schema.check_text(text).ok for text in ended)


def test_a_json_schema_of_ones_own_is_not_claimed_to_say_more() -> None:
    loose = Schema.of(Annotated[Decimal, Field(max_digits=2), WithJsonSchema({"type": "string"})])
    assert compile(loose).level == "relaxed"


def test_aware_times_too(vocabulary: Vocabulary) -> None:
    schema = Schema.of(list[datetime | time])
    assert compile(schema).level == "exact"


def test_keys_come_in_the_order_of_the_schema_itself(walk: Walk) -> None:
    own = Schema.of(Invoice)
    assert isinstance(own.json_schema, dict)
    turned = {**own.json_schema, "properties": dict(reversed(own.json_schema["properties"].items()))}
    for schema, keys in ((own, ["total", "due"]), (Schema("Invoice", turned, own.adapter), ["due", "total"])):
        written = [
            text for matcher, text, _ in (walk(compile(schema), None, seed) for seed in range(12)) if matcher.may_stop
        ]
        assert written
        assert all(list(json.loads(text))[:2] == keys for text in written)  # what is not declared comes after


@pytest.mark.parametrize(
    "source",
    [
        Annotated[time, Field(gt=time(23, 59, 59))],  # sub-second values only
        Annotated[time, Field(ge=time(9, tzinfo=UTC))],  # offsets would have to be subtracted
        Annotated[NaiveDatetime, Field(ge=datetime(2024, 1, 1, tzinfo=UTC))],
    ],
)
def test_bounds_that_a_pattern_cannot_hold_are_gaps(source: Any) -> None:
    grammar = compile(Schema.of(source))
    assert grammar.level == "relaxed"
    assert any("bounds" in gap.keyword and not gap.narrower for gap in grammar.gaps)
