import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, computed_field, field_serializer, field_validator, model_validator

from structout import Schema, SchemaError
from tests.bolt import Bolt
from tests.nesting import nested


def kinds(schema: Schema[Any], text: str) -> list[tuple[str, str]]:
    return [(issue.pointer, issue.kind) for issue in schema.check_text(text).issues]


class Moment(BaseModel):
    at: datetime.datetime
    time: datetime.time
    lasted: datetime.timedelta


@given(st.builds(Moment))
def test_what_pydantic_writes_complies(moment: Moment) -> None:
    checked = Schema.of(Moment).check_text(moment.model_dump_json())
    assert checked.value == moment


def test_a_value_comes_typed_and_goes_back() -> None:
    schema = Schema.of(Bolt)
    checked = schema.check_text('{"kind": "hex", "size_mm": 6}')
    assert checked.value == Bolt(kind="hex", size_mm=6.0)
    assert checked.value is not None
    assert schema.dump(checked.value) == {"kind": "hex", "size_mm": 6.0, "note": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oops", [("", "not_json")]),
        ('{"kind": "hex"}', [("", "missing")]),
        ('{"kind": "hexagon", "size_mm": 6}', [("/kind", "enum")]),
        ('{"kind": "hex", "size_mm": "6"}', [("/size_mm", "type")]),
        ('{"kind": "hex", "size_mm": 6, "note": 7}', [("/note", "type")]),
        ('{"kind": "hex", "size_mm": 6, "colour": "red"}', [("", "unexpected")]),
        ('{"kind": "hex", "size_mm": true}', [("/size_mm", "type")]),
    ],
)
def test_issues_say_where_and_what(text: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(Schema.of(Bolt), text) == expected


def test_of_a_union_the_nearest_alternative_is_explained() -> None:
    schema = Schema.of(TypeAdapter(Bolt | int))
    assert kinds(schema, '{"kind": "hexagon", "size_mm": 6}') == [("/kind", "enum")]
    (issue,) = schema.check_text('"x"').issues
    assert issue.kind == "type"
    assert "whole number" in issue.message


def test_a_long_value_does_not_make_a_long_message() -> None:
    (issue,) = Schema.of({"type": "integer"}).check_text(json.dumps("x" * 5000)).issues
    assert len(issue.message) <= 200


def test_compliance_means_no_coercion() -> None:
    assert Schema.of(Decimal).check_text('"1.5"').value == Decimal("1.5")
    assert Schema.of(datetime.date).check_text('"2024-02-30"').ok is False
    assert Schema.of(bool).check_text('"true"').ok is False


def test_pydantic_is_the_last_check() -> None:
    class Even(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def even(cls, n: int) -> int:
            if n % 2:
                raise ValueError("must be even")
            return n

    schema = Schema.of(Even)
    assert schema.check_text('{"n": 2}').ok
    (issue,) = schema.check_text('{"n": 3}').issues
    assert (issue.pointer, issue.kind) == ("/n", "value")
    assert "even" in issue.message


class Careless(BaseModel):
    sku: str = ""
    size: float = 1.0
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def upper(cls, row: dict[str, str]) -> dict[str, str]:
        return {**row, "sku": row["sku"].upper()}

    @field_validator("size")
    @classmethod
    def inverse(cls, size: float) -> float:
        return 1 / size

    @field_serializer("note")
    def number(self, note: str) -> int:
        return {"": 0}[note]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def initial(self) -> str:
        return self.sku[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"size": 2.0}', "Careless.upper raised KeyError: 'sku'"),
        ('{"sku": "x", "size": 0.0}', "Careless.inverse raised ZeroDivisionError: float division by zero"),
        ('{"sku": "x", "note": "y"}', "Error calling function `number`: KeyError: 'y'"),
        ('{"sku": ""}', "Careless.initial raised IndexError: string index out of range"),
    ],
)
def test_whatever_a_validator_or_a_serializer_raises_is_an_issue(text: str, said: str) -> None:
    schema = Schema.of(Careless)
    (issue,) = schema.check_text(text).issues
    assert issue.kind == "value"
    assert said in issue.message
    assert not schema.complies(text.encode())
    assert schema.check_briefly(json.loads(text)) is None
    assert schema.complies(b'{"sku": "x"}')


def test_an_interruption_is_no_verdict() -> None:
    class Stopped(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def stop(cls, n: int) -> int:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Schema.of(Stopped).check_text('{"n": 1}')


def test_a_value_that_cannot_be_written_names_the_schema() -> None:
    class Odd(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def lost(cls, n: int) -> Any:
            return object()

    schema = Schema.of(Odd)
    value = schema.check_text('{"n": 1}').value
    with pytest.raises(SchemaError, match="a value of Odd cannot be written"):
        schema.dump(value)


@pytest.mark.parametrize(
    "draft", ["http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-07/schema#"]
)
@pytest.mark.parametrize("name", ["uuid", "duration", "date", "ipv6", "regex", "json-pointer"])
def test_formats_are_checked_in_every_draft(draft: str, name: str) -> None:
    schema = Schema.of({"$schema": draft, "type": "string", "format": name})
    assert kinds(schema, '"\\u0000{[("') == [("", "format")]


def test_a_look_around_pattern_works_and_a_hostile_one_ends() -> None:
    assert Schema.of({"pattern": "(?<=a)b"}).check_text('"ab"').ok
    hostile = Schema.of({"pattern": "^(a|aa)+(?=b)$"})
    assert not hostile.check_text(json.dumps("a" * 5000)).ok


@pytest.mark.parametrize(
    "source",
    [
        "",
        "no/such/schema.py:Part",
        "no.such.module:Part",
        "schemas/parts/schema.py:Nope",
        "not a schema",
        5,
        {"type": "strng"},
        {"$ref": "#/$defs/nope"},
        {"$ref": "http://localhost:1/schema"},
        {"$ref": "file:///etc/hostname"},
        {"pattern": "("},
        ["type"],
    ],
)
def test_what_is_no_schema_is_refused_in_one_line_with_a_hint(source: Any) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.of(source)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_schemas_come_from_files_folders_and_modules(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text('{"title": "Number", "type": "integer"}')
    assert Schema.of(tmp_path).name == "Number"
    assert Schema.of(str(tmp_path / "schema.json")) == Schema.of(tmp_path)
    assert Schema.of(tmp_path).shown == "Number"
    (tmp_path / "orders").mkdir()
    for file in ("orders.json", "orders/schema.json"):
        (tmp_path / file).write_text('{"type": "integer"}')
    assert {Schema.of(tmp_path / name).shown for name in ("orders.json", "orders")} == {"orders"}
    assert Schema.of(tmp_path / "orders.json").name == "document"  # models read the name
    assert Schema.of("schemas/parts").name == "Part"
    assert Schema.of("schemas/parts/schema.py:Fitment").name == "Fitment"
    assert Schema.of("tests.bolt:Bolt") == Schema.of(Bolt)
    (tmp_path / "broken.py").write_text("def")
    with pytest.raises(SchemaError, match="SyntaxError"):
        Schema.of(str(tmp_path / "broken.py") + ":X")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(SchemaError, match="not JSON"):
        Schema.of(tmp_path / "broken.json")


def test_a_schema_file_that_ends_the_program_is_no_schema(tmp_path: Path) -> None:
    (tmp_path / "schema.py").write_text("raise SystemExit(5)\n")
    with pytest.raises(SchemaError, match=r"schema\.py cannot be imported: SystemExit: 5"):
        Schema.of(f"{tmp_path}/schema.py:Bolt")


def test_the_fingerprint_tells_contracts_apart() -> None:
    assert Schema.of(Bolt).fingerprint() == Schema.of(Bolt).fingerprint()
    different: list[Any] = [Bolt, Moment, {"type": "integer"}, {"type": "number"}, Literal["a"], True]
    assert len({Schema.of(source).fingerprint() for source in different}) == len(different)


@settings(deadline=None)
@given(
    st.sampled_from([Bolt, {"type": "object"}, {"type": "array"}, True]),
    st.one_of(
        nested(
            st.none() | st.floats() | st.integers(-(10**320), 10**320) | st.text(),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
            max_leaves=5,
        ).map(json.dumps),
        st.sampled_from(
            ['{"kind": "hex", "size_mm": 6}', '{"kind": "hex", "size_mm": 1e+400}', '{"a": 1, "a": 2}', "1E999"]
        ),
        st.text(),
    ),
)
def test_the_quick_verdict_is_the_verdict(source: Any, text: str) -> None:
    schema = Schema.of(source)
    assert schema.complies(text.encode("utf-8", "surrogatepass")) == schema.check_text(text).ok


@pytest.mark.parametrize("document", [{"a": "x\ud800"}, {"\ud800": "x"}, ["\udfff"]])
def test_a_document_with_an_unpaired_surrogate_is_an_issue(document: Any) -> None:
    text = {"pattern": "."}
    schema = Schema.of({"additionalProperties": text, "propertyNames": text, "items": text})
    assert [issue.kind for issue in schema.check(document).issues] == ["not_json"]
    assert schema.check_briefly(document) is None
