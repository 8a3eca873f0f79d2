"""A type like TypeScript's says all that its schema says."""

import enum
from itertools import count
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from structout.prompts import compose, render
from structout.result import Task
from structout.schema import Schema


class Colour(enum.Enum):
    """The colour of it."""

    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    """A leaf."""

    size: int = Field(ge=0, description="in square millimetres")


class Tree(BaseModel):
    children: list["Tree"] = []
    leaf: Leaf | None = None
    colour: Colour = Colour.RED
    by_side: dict[Literal["left", "right"], Annotated[int, Field(ge=1)]] = {}
    by_code: dict[Annotated[str, Field(pattern="^x")], int] = {}
    pair: tuple[Annotated[int, Field(gt=3)], str]
    either: Annotated[int, Field(ge=5, description="a code")] | Annotated[str, Field(max_length=3)]
    name: str = Field("x", examples=["one", "two"])
    leaves: list[Leaf] = Field(min_length=1)


def test_notes_stand_where_they_belong() -> None:
    assert render(Schema.of(Tree), "typescript") == "\n".join(
        [
            "// A leaf.",
            "type Leaf = {",
            "  size: integer  // in square millimetres; >= 0",
            "}",
            "type Tree = {",
            "  children?: Tree[]",
            "  leaf?: Leaf | null",
            '  colour?: "red" | "blue"  // The colour of it; default "red"',
            "  by_side?: {",
            '    [key: "left" | "right"]: integer  // >= 1',
            "  }",
            "  by_code?: {",
            "    [key matching ^x]: integer",
            "  }",
            "  pair: [integer /* > 3 */, string]  // >= 2 items; <= 2 items",
            "  either: integer /* a code; >= 5 */ | string /* <= 3 characters */",
            '  name?: string  // default "x"; for example "one", "two"',
            "  leaves: Leaf[]  // >= 1 items",
            "}",
            "Tree",
        ]
    )


A, B = {"type": "string"}, {"type": "integer"}
DRAFT = "http://json-schema.org/draft-{}/schema#"


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"allOf": [{"anyOf": [A, B]}, {"type": ["string", "null"]}]}, "(string | integer) & (string | null)"),
        (
            {"type": "object", "properties": {"a": A}, "anyOf": [{"required": ["b"]}, {"properties": {"c": B}}]},
            "{ a?: string } & ({ b: any } | { c?: integer })",
        ),
        ({"type": "object", "properties": {"a": A}, "required": ["z"]}, "{ a?: string z: any }"),
        ({"type": "object", "patternProperties": {"^S": A}}, "{ [key matching ^S]: string }"),
        ({"$schema": DRAFT.format("07"), "items": [A, B], "additionalItems": {"type": "boolean"}, "minItems": 2},
         "// >= 2 items [string, integer, ...boolean[]]"),
        ({"prefixItems": [A], "items": False}, "[string?]"),
        ({"$schema": DRAFT.format("04"), "type": "number", "minimum": 5, "exclusiveMinimum": True}, "// > 5 number"),
        (
            {"type": "object", "properties": {"k": A}, "if": {"required": ["k"]}, "then": {"required": ["x"]},
             "else": {"properties": {"x": {"maximum": 3}}}},
            "// if { k: any }: { x: any }; otherwise { x?: any /* <= 3 */ } { k?: string }",
        ),
        ({"type": "string", "anyOf": [{"maxLength": 3}, {"minLength": 7}]},
         "string /* <= 3 characters */ | string /* >= 7 characters */"),
        ({"type": "array", "items": B, "contains": {"const": 4}, "uniqueItems": True},
         "// all different; at least 1 of: 4 integer[]"),
        ({"type": "object", "properties": {"me": {"$ref": "#"}}}, "type Document = { me?: Document } Document"),
        ({"type": "object", "dependentRequired": {"a": ["b"]}}, "// with a: b { [key: string]: any }"),
        ({"not": A}, "// not: string any"),
        ({"description": "ends */ early", "anyOf": [{"description": "x */ y", **A}, B]},
         "// ends */ early string /* x * / y */ | integer"),
    ],
)  # fmt: skip
def test_what_typescript_cannot_say_stands_in_comments(schema: Any, written: str) -> None:
    assert " ".join(render(Schema.of(schema), "typescript").split()) == written


_BOUNDS = {
    "integer": ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
    "string": ["minLength", "maxLength"],
    "array": ["minItems", "maxItems"],
    "object": ["minProperties", "maxProperties"],
}


@st.composite
def schemas(draw: st.DrawFn) -> tuple[Any, list[str]]:
    """A schema, with the names, bounds and descriptions in it: each is another number."""
    numbers, said = count(1001), list[str]()

    def number() -> int:
        said.append(str(next(numbers)))
        return int(said[-1])

    def node(depth: int) -> Any:
        kinds = ["integer", "string", *(["array", "tuple", "object", "union", "all", "map"] if depth else [])]
        kind = draw(st.sampled_from(kinds))
        made: dict[str, Any] = {"description": f"about {number()}"} if draw(st.booleans()) else {}
        if kind == "union":
            return {**made, draw(st.sampled_from(["anyOf", "oneOf"])): [node(depth - 1), node(depth - 1)]}
        if kind == "all":
            return {**made, "allOf": [node(depth - 1), node(depth - 1)], "properties": {f"key{number()}": node(0)}}
        made["type"] = {"tuple": "array", "map": "object"}.get(kind, kind)
        for bound in draw(st.lists(st.sampled_from(_BOUNDS[made["type"]]), unique=True)) if kind != "tuple" else []:
            made[bound] = number()
        if kind == "array":
            made["items"] = node(depth - 1)
        elif kind == "tuple":
            made |= {"prefixItems": [node(depth - 1), node(depth - 1)], "items": node(depth - 1)}
        elif kind == "map":
            made |= {"additionalProperties": node(depth - 1), "propertyNames": {"pattern": f"^{number()}"}}
        elif kind == "object":
            made["properties"] = {f"key{number()}": node(depth - 1) for _ in range(draw(st.integers(0, 2)))}
            made["patternProperties"] = {f"^{number()}": node(depth - 1)} if draw(st.booleans()) else {}
            made["required"] = [f"key{number()}"] if draw(st.booleans()) else []
        return made

    return node(3), said


@given(schemas())
def test_every_name_bound_and_description_is_mentioned(drawn: tuple[Any, list[str]]) -> None:
    schema, said = drawn
    text = render(Schema.of(schema), "typescript")
    assert [one for one in said if one not in text] == []


def test_the_first_edition_is_what_it_was() -> None:
    schema = Schema.of(
        {"properties": {"colour": {"$ref": "#/$defs/c"}}, "$defs": {"c": {"enum": ["a"], "description": "b"}}}
    )
    (before, _), (now, _) = (compose(Task("x", schema, edition=edition)) for edition in (1, 2))
    assert '  colour?: "a"\n}' in before.content
    assert '  colour?: "a"  // b\n}' in now.content
