"""Data in another form than the schema's: what is taken for the same, and what is not."""

import json
from datetime import date
from decimal import Decimal as Exact
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from pydantic import BaseModel, ConfigDict, Field

from structout.parsing import Decimal, repair
from structout.schema import Schema


def one(schema: dict[str, Any], *, required: bool = True) -> Schema[Any]:
    return Schema.of(
        {
            "type": "object",
            "properties": {"a": schema},
            "required": ["a"] if required else [],
            "additionalProperties": False,
        }
    )


INTEGER, NUMBER = {"type": "integer"}, {"type": "number"}
LEVEL = {"enum": ["low", "very_high", "C++", "C#", "-1", "1"]}


@pytest.mark.parametrize(
    ("schema", "written", "expected"),
    [
        (INTEGER, '"5"', 5),
        (INTEGER, '"5.0"', 5),
        (INTEGER, '" 007 "', 7),
        (INTEGER, '"1,234,567"', 1234567),
        (NUMBER, '"1,234.5"', 1234.5),
        (NUMBER, '"1.234,5"', 1234.5),
        (NUMBER, '"-3.25"', -3.25),
        ({"type": "boolean"}, '"Yes"', True),
        ({"type": "boolean"}, "0", False),
        ({"type": ["integer", "null"]}, '"None"', None),
        ({"type": "string"}, "1.10", "1.10"),
        ({"type": "string"}, "12", "12"),
        (LEVEL, '"Very High."', "very_high"),
        (LEVEL, '"c++"', "C++"),
        (LEVEL, '"- 1"', "-1"),
        ({"type": "array", "items": INTEGER}, "5", [5]),
        ({"type": "array", "items": INTEGER}, '"1, 2, 3"', [1, 2, 3]),
        ({"type": "array", "items": {"type": "string"}}, '"x"', ["x"]),
        ({"type": "array", "items": {"type": "string"}}, '"[\\"x\\"]"', ["x"]),
        ({"type": "array", "items": {"type": "string"}}, '{"0": "x", "1": "y"}', ["x", "y"]),
        (INTEGER, "[5]", 5),
        (INTEGER, '{"value": 5}', 5),
        ({"type": "array", "items": {"type": "object"}}, '{"items": [{"x": 1}]}', [{"x": 1}]),
        ({"type": "boolean"}, '"1"', True),
        ({"type": "string", "format": "date"}, '"March 5, 2024"', "2024-03-05"),
        ({"type": "string", "format": "date"}, '"25/03/2024"', "2024-03-25"),
        ({"type": "string", "format": "date-time"}, '"2024-03-05 10:00 UTC"', "2024-03-05T10:00:00Z"),
        ({"type": "number", "description": "weight in kg"}, '"5 kg"', 5),
        ({"type": "object", "required": ["x", "y"]}, '[["x", 1], ["y", 2]]', {"x": 1, "y": 2}),
        ({"type": "object", "required": ["x"]}, '[{"key": "x", "value": 1}]', {"x": 1}),
        ({"anyOf": [INTEGER, {"type": "array"}]}, '"5"', 5),
    ],
)
def test_the_same_data_in_another_form(schema: dict[str, Any], written: str, expected: object) -> None:
    found = repair(f'{{"a": {written}}}', one(schema))
    assert found.ok, found.issues
    assert found.document == {"a": expected}
    assert isinstance(found.document, dict)
    assert type(found.document["a"]) is type(expected) or isinstance(expected, float)
    assert {edit.grade for edit in found.edits} == {"lossless"}


@pytest.mark.parametrize(
    ("schema", "written", "kind"),
    [
        (NUMBER, '"3,14"', "ambiguous"),
        (INTEGER, '"1,200"', "ambiguous"),
        ({"type": "string", "format": "date"}, '"05/03/2024"', "ambiguous"),
        ({"type": "array", "items": {"type": "string"}}, '"x, y"', "ambiguous"),
        (INTEGER, "1.7", "refused_edit"),
        (NUMBER, '"5 kg"', "ambiguous"),
        ({"type": "string", "format": "date-time"}, '"2024-03-05"', "refused_edit"),
        ({"type": "array", "items": INTEGER}, '[1, "x", 3]', "refused_edit"),
        ({"type": "boolean"}, '"this is not true"', "type"),
        (LEVEL, '"definitely not low"', "enum"),
        (LEVEL, '"C"', "enum"),
        (LEVEL, '"low?"', "enum"),
    ],
)
def test_what_is_not_the_same_is_an_issue(schema: dict[str, Any], written: str, kind: str) -> None:
    found = repair(f'{{"a": {written}}}', one(schema))
    assert found.value is None
    assert found.issues[0].kind == kind


@pytest.mark.parametrize(("decimal", "expected"), [(",", 3.14), (".", None)])
def test_a_locale_decides(decimal: Decimal, expected: float | None) -> None:
    found = repair('{"a": "3,14"}', one(NUMBER), decimal=decimal)
    assert (found.document == {"a": expected}) == (expected is not None)


def test_an_optional_that_cannot_be_read_is_not_nulled() -> None:
    found = repair('{"a": "a dozen"}', one(INTEGER, required=False))
    assert [issue.kind for issue in found.issues] == ["refused_edit", "type"]
    assert repair('{"a": null}', one(INTEGER, required=False)).document == {}
    assert repair('{"a": "a dozen"}', one(INTEGER, required=False), "lossy").document == {}


SIZED: Schema[Any] = one({"type": "object", "properties": {"x": INTEGER, "y": INTEGER}, "required": ["x", "y"]})


def test_flattened_keys_are_nested_again() -> None:
    assert repair('{"a.x": 1, "a.y": "2"}', SIZED).document == {"a": {"x": 1, "y": 2}}


def test_an_object_of_another_kind_is_not_wrapped() -> None:
    schema: Schema[Any] = Schema.of({"type": "object", "properties": {"a": {}}, "required": ["a"]})
    assert not repair('{"size": 1}', schema).ok


def test_a_schema_given_back_is_no_record() -> None:
    schema: Schema[Any] = Schema.of({"type": "object", "properties": {"x": {}}, "required": ["x"]})
    assert not repair('{"type": "object", "properties": {"x": {"type": "integer"}}}', schema).ok


def test_keys_in_capitals_that_nobody_declared_are_not_guessed() -> None:
    schema: Schema[Any] = Schema.of({"type": "object", "properties": {"name": {}}, "required": ["name"]})
    assert repair('{"NAME": 1, "MORE": 2}', schema).issues[0].kind == "ambiguous"
    assert repair('{"NAME": 1, "more": 2}', schema).document == {"name": 1, "more": 2}


def test_a_missing_value_is_made_up_only_if_asked_for() -> None:
    schema = one({"type": "integer", "default": 3})
    assert repair("{}", schema, "lossy").value is None
    assert repair("{}", schema, "any").document == {"a": 3}


class Colour(StrEnum):
    DEEP_RED = "deep red"


class Circle(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["square"]
    side: int


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    part_number: Annotated[int, Field(alias="pn")]
    colour: Colour | None = None
    shape: Annotated[Circle | Square, Field(discriminator="kind")]


PART: Schema[Any] = Schema.of(Part)
GOOD = '{"pn": 5, "colour": "deep red", "shape": {"kind": "square", "side": 2}}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace('"pn"', '"PN"'),
        GOOD.replace('"pn"', '"partNumber"'),
        GOOD.replace("deep red", "Deep_Red"),
        GOOD.replace('"kind": "square", "side": 2', '"Kind": "Square", "side": "2"'),
        GOOD.replace('"side": 2', '"side": 2.0'),
        f'{{"part": {GOOD}}}',
        f'{{"type": "object", "properties": {GOOD}}}',
        f'{{"name": "Part", "arguments": {GOOD}}}',
        f"[{GOOD}]",
    ],
)
def test_a_typed_record(text: str) -> None:
    found = repair(text, PART)
    assert found.ok, found.issues
    assert found.value == PART.check_text(GOOD).value


def test_edits_point_into_the_document() -> None:
    found = repair(GOOD.replace('"side": 2', '"SIDE": "2"'), PART)
    assert [(edit.kind, edit.where) for edit in found.edits] == [("key", "/shape/side"), ("number", "/shape/side")]


class Paint(Enum):
    RED = "r"
    DEEP_BLUE = "b"


class Crossed(Enum):
    RED = "green"
    GREEN = "red"


class Point(NamedTuple):
    x: int
    y: float


@pytest.mark.parametrize("text", ['"DEEP_BLUE"', '"deep blue"', '"Paint.DEEP_BLUE"'])
def test_a_member_name_stands_for_its_value(text: str) -> None:
    found = repair(text, Paint)
    assert found.value is Paint.DEEP_BLUE
    assert [edit.kind for edit in found.edits] == ["enum"]
    assert not repair('"PURPLE"', Paint).ok


def test_a_member_name_that_is_also_the_value_of_another_member_is_ambiguous() -> None:
    assert repair('"red"', Crossed).value is Crossed.GREEN  # valid as it is
    assert [issue.kind for issue in repair('"RED"', Crossed).issues] == ["ambiguous", "enum"]


def test_a_named_tuple_may_be_an_object_of_its_fields() -> None:
    assert repair('{"y": 2.5, "x": 1}', Point).value == Point(1, 2.5)
    assert not repair('{"y": 2.5, "z": 1}', Point).ok
    assert not repair('{"x": 1, "y": 2}', tuple[int, int]).ok


class Bill(BaseModel):
    total: Exact = Field(description="in USD")
    parts: list[Exact] = []
    count: int = 0


@pytest.mark.parametrize(
    ("written", "total"),
    [
        ("1,234.50", "1234.50"),
        ("$1,234.50", "1234.50"),
        ("12 345,67", "12345.67"),
        ("9,007,199,254,740,993.01", "9007199254740993.01"),
    ],
)
def test_a_decimal_takes_what_a_float_takes_with_all_its_digits(written: str, total: str) -> None:
    found = repair(json.dumps({"total": written, "parts": ["1,000,000", 2], "count": 5.0}), Bill)
    assert found.value == Bill(total=Exact(total), parts=[Exact(1_000_000), Exact(2)], count=5)
    assert {edit.grade for edit in found.edits} == {"lossless"}


@pytest.mark.parametrize(
    ("written", "kind"), [("1,234", "ambiguous"), ("€5", "value"), ("1.2M", "value"), ("x", "value")]
)
def test_a_decimal_is_not_guessed(written: str, kind: str) -> None:
    assert repair(json.dumps({"total": written}), Bill).issues[0].kind == kind
    assert repair('{"total": "1,234"}', Bill, decimal=".").value == Bill(total=Exact(1234))


DATE = {"type": "string", "format": "date"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("25.03.2024", "2024-03-25"),
        ("12. März 2024", "2024-03-12"),
        ("15. Jänner 2024", "2024-01-15"),
        ("1er décembre 2024", "2024-12-01"),
        ("6 janv. 2025", "2025-01-06"),
        ("10 czerwca 2024 r.", "2024-06-10"),
        ("3 X 2024", "2024-10-03"),
        ("10 EYLÜL 2024", "2024-09-10"),
        ("5 ŞUBAT 2024", "2024-02-05"),
        ("١٢ مارس ٢٠٢٤", "2024-03-12"),
        ("18 كانون الثاني 2025", "2025-01-18"),
        ("٢٠٢٤/٣/١٢ م", None),
        ("१२ मार्च २०२४", "2024-03-12"),
        ("2024年3月12日", "2024-03-12"),
        ("２０２４年３月１２日", "2024-03-12"),
        ("二〇二四年十二月三十一日", "2024-12-31"),
        ("令和6年3月12日", "2024-03-12"),
        ("令和元年5月1日", "2019-05-01"),
        ("平成31年4月10日", "2019-04-10"),
        ("中華民國113年5月20日", "2024-05-20"),
        ("12 de marzo de 2024", "2024-03-12"),
        ("平成31年5月10日", None),  # after the end of the era
        ("令和6年2月30日", None),
        ("12 Brumaire 2024", None),
    ],
)
def test_dates_are_read_in_their_language_and_calendar(written: str, expected: str | None) -> None:
    found = repair(json.dumps({"a": written}), one(DATE))
    document: Any = found.document
    assert (document["a"] if found.ok else None) == expected


@pytest.mark.parametrize("written", ["12.03.2024", "٠٥/٠٣/٢٠٢٤", "30 listopada 2023"])
def test_a_date_with_two_meanings_is_ambiguous(written: str) -> None:
    found = repair(json.dumps({"a": written}), one(DATE))
    assert "ambiguous" in [issue.kind for issue in found.issues]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"a": "1.234"}', 1.234),
        ('{"a": "1.234", "b": "12,50"}', None),
        ('{"a": "1.234", "b": "1.234.567"}', None),
        ('{"a": "1.234", "b": "1,234.5"}', 1.234),
        ('{"a": "1.23", "b": "12,50"}', 1.23),
    ],
)
def test_a_point_marks_thousands_only_beside_a_decimal_comma(answer: str, expected: float | None) -> None:
    schema = Schema.of({"type": "object", "properties": {"a": NUMBER, "b": {"type": "string"}}})
    found = repair(answer, schema)
    document: Any = found.document
    assert (document["a"] if found.ok else None) == expected


def test_a_name_of_an_enumeration_is_read_in_any_case_and_encoding() -> None:
    colour = one({"enum": ["Kırmızı", "Grün"]})
    assert repair(json.dumps({"a": "KIRMIZI"}), colour).document == {"a": "Kırmızı"}
    assert repair(json.dumps({"a": "Gru\u0308n"}), colour).document == {"a": "Grün"}


class Line(BaseModel):
    price: Exact = Field(ge=0, decimal_places=2)
    due: date | None = None


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        ('{"price": -4.0}', "range", "-4.0 is below the minimum 0.0"),  # and not a text, which a Decimal takes as well
        ('{"price": "-4.0"}', "value", '"-4.0": Input should be greater than or equal to 0'),
        ('{"price": 1.0, "due": "2025-02-30"}', "format", '"2025-02-30" is not a date (YYYY-MM-DD)'),
    ],
)
def test_a_value_out_of_bounds_is_shown_with_its_bound(answer: str, kind: str, message: str) -> None:
    found = repair(answer, Schema.of(Line))
    assert (kind, message) in [(issue.kind, issue.message) for issue in found.issues]


def test_the_parts_of_a_date_are_no_other_spellings_of_a_number() -> None:
    names = Schema.of({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}})
    assert repair('{"a": -1.0, "b": "2025-09-01"}', names).document == {"a": "-1.0", "b": "2025-09-01"}
    assert [one.kind for one in repair('{"a": 1.10, "b": "1.1"}', names).issues] == ["ambiguous", "type"]
