import json
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from structout.errors import SchemaError
from structout.prompts import render
from structout.schema import Schema
from tests.bolt import Bolt


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


def test_what_cannot_be_shown_is_refused_with_another_way() -> None:
    twice = {
        f"d{i}": {"type": "object", "properties": {key: {"$ref": f"#/$defs/d{i + 1}"} for key in "ab"}}
        for i in range(30)
    }
    wide = Schema.of({"$ref": "#/$defs/d0", "$defs": {**twice, "d30": {"type": "string"}}})
    with pytest.raises(SchemaError, match="more than 10,000 values") as caught:
        render(wide, "example")
    assert "typescript" in caught.value.hint
    assert render(wide, "typescript").count("\n") < 200
    once = {f"d{i}": {"type": "object", "properties": {"a": {"$ref": f"#/$defs/d{i + 1}"}}} for i in range(2_000)}
    deep = Schema.of({"$ref": "#/$defs/d0", "$defs": {**once, "d2000": {"type": "string"}}})
    for show in ("example", "typescript"):
        with pytest.raises(SchemaError, match="too deep") as caught:
            render(deep, show)
        assert "json_schema" in caught.value.hint
    assert render(deep, "json_schema")
