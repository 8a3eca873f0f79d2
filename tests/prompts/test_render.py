import json
from typing import Literal

from pydantic import BaseModel, Field

from structout.prompts import render
from structout.schema import Schema
from tests.conftest import Bolt


class Leaf(BaseModel):
    label: str


class Tree(BaseModel):
    """A tree."""

    leaf: Leaf
    children: list["Tree"] = []
    sizes: dict[str, float]
    kind: Literal["oak", "fir"] = Field(description="what\nit is")
    pair: tuple[int, str]
    note: str | None = Field(default=None, max_length=9)


def test_a_type_like_typescripts() -> None:
    assert render(Schema.of(Bolt), "typescript") == (
        '// A bolt.\n{\n  kind: "hex" | "flange"\n  size_mm: number\n  note?: string | null\n}'
    )


def test_recursive_types_are_named_and_others_written_in_place() -> None:
    text = render(Schema.of(Tree), "typescript")
    assert "children?: Tree[]" in text
    assert "type Tree = {" in text
    assert "leaf: {\n    label: string\n  }" in text
    assert "[key: string]: number" in text
    assert 'kind: "oak" | "fir"  // what it is' in text
    assert "pair: [integer, string]" in text
    assert "note?: string | null  // <= 9 characters" in text


def test_json_schema_is_shown_whole() -> None:
    schema = Schema.of(Tree)
    assert json.loads(render(schema, "json_schema")) == schema.json_schema


def test_an_example_has_the_form() -> None:
    schema = Schema.of(Bolt)
    assert schema.check_text(render(schema, "example")).ok
    assert render(schema, "none") == ""
