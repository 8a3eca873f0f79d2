"""The schema for a part of a text."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from structout import Schema
from structout.prompts.render import render
from structout.schema.part import part_of


class Party(BaseModel):
    """Who orders."""

    name: str
    city: str | None = None


class Line(BaseModel):
    code: str = Field(min_length=1)
    buyer: Party


class Order(BaseModel):
    number: str = Field(description="of the order")
    total: float = Field(ge=0)
    kind: Literal["sale", "return"]
    buyer: Party
    corner: tuple[int, int]
    lines: Annotated[list[Line], Field(min_length=1)]


PART = part_of(Schema.of(Order), "A part.")


@pytest.mark.parametrize(
    ("document", "complies"),
    [
        ({"buyer": {}, "lines": []}, True),
        ({"number": None, "total": None, "kind": None, "buyer": {"name": None}, "corner": None, "lines": []}, True),
        ({"number": 7, "buyer": {}, "lines": []}, False),
        ({"total": -1, "buyer": {}, "lines": []}, False),
        ({"buyer": {}, "lines": [{"code": "", "buyer": {"name": "x"}}]}, False),
        ({"buyer": {}, "lines": [{"code": "a", "buyer": {"name": None}}]}, False),
        ({"buyer": {}, "lines": [{"code": "a", "buyer": {"name": "x"}}]}, True),
        ({"buyer": {}}, False),
    ],
)
def test_scalars_outside_lists_may_be_missing_and_items_may_not(document: Any, complies: bool) -> None:
    assert PART.check(document).ok is complies


def test_a_model_reads_a_sensible_schema() -> None:
    shown = render(PART, "typescript").splitlines()
    assert shown[:4] == [
        "// A part.",
        "{",
        "  number?: string | null  // of the order",
        "  total?: number | null  // >= 0",
    ]
    assert "  lines: {" in shown
    assert PART.name == "Order"


def test_a_schema_of_lists_alone_is_the_schema_itself() -> None:
    class Lines(BaseModel):
        lines: list[Line]

    schema = Schema.of(Lines)
    assert part_of(schema, "A part.") is schema


def test_definitions_that_nothing_uses_are_left_out() -> None:
    class Letter(BaseModel):
        sender: Party
        pages: list[int]

    assert "$defs" not in part_of(Schema.of(Letter), "").json_schema  # type: ignore[operator]


def test_alternatives_remain_and_more_than_one_may_fit() -> None:
    class Cat(BaseModel):
        kind: Literal["cat"]
        name: str

    class Dog(BaseModel):
        kind: Literal["dog"]
        name: str

    class Pet(BaseModel):
        pet: Annotated[Cat | Dog, Field(discriminator="kind")]
        visits: list[str]

    part = part_of(Schema.of(Pet), "")
    assert part.check({"pet": {"kind": "dog"}, "visits": []}).ok
    assert not part.check({"pet": {"kind": "cow"}, "visits": []}).ok


def test_a_recursive_schema_ends() -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "inner": {"$ref": "#"}, "tags": {"type": "array", "minItems": 1}},
        "required": ["name", "tags"],
    }
    assert part_of(Schema.of(schema), "").check({"tags": []}).ok
