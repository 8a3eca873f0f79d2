"""What Pydantic accepts is accepted, as Pydantic means it; and what is written is the document that was validated."""

import enum
import json
import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    SecretStr,
    computed_field,
    field_validator,
    model_validator,
)

import structout
from structout import Prompted, Scripted, extract
from structout.errors import SchemaError
from structout.schema import Schema


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Right(enum.IntFlag):
    READ = 1
    WRITE = 2


class Before(BaseModel):
    day: date
    tags: set[str] = set()
    count: int = 0

    @field_validator("day", mode="before")
    @classmethod
    def strip(cls, value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def same(cls, value: Any) -> Any:
        return value


class Named(BaseModel):
    name: Annotated[str, Field(pattern=r"^[\w .'-]+$")]


class Coded(BaseModel):
    code: Annotated[str, Field(pattern=r"\A[A-Z]{2}\Z")]
    model_config = ConfigDict(regex_engine="python-re")


class Sure(BaseModel):
    sure: Annotated[str, Field(pattern=re.compile("^yes|no$", re.IGNORECASE))]


class Choosing(BaseModel):
    full: str = Field(validation_alias=AliasChoices("full_name", "name"))
    city: str = Field(validation_alias=AliasPath("address", "city"))
    zip: str | None = Field(default=None, validation_alias=AliasPath("address", "zip"))


class Levels(BaseModel):
    by_level: dict[Level, str]
    rights: Right


@pytest.mark.parametrize(
    ("schema", "document", "value"),
    [
        (Before, {"day": "2024-03-05", "tags": ["a"]}, Before(day=date(2024, 3, 5), tags={"a"})),
        (Named, {"name": "Jürgen Müller"}, Named(name="Jürgen Müller")),
        (Named, {"name": "Łukasz O'Neil"}, None),
        (Coded, {"code": "AB"}, None),
        (Sure, {"sure": "YES"}, None),
        (Choosing, {"full_name": "A", "address": {"city": "Oslo"}}, None),
        (Choosing, {"name": "A", "address": {"city": "Oslo", "zip": "1"}}, None),
        (Levels, {"by_level": {"1": "x"}, "rights": 3}, Levels(by_level={Level.LOW: "x"}, rights=Right(3))),
    ],
)
def test_what_pydantic_takes_is_valid(schema: Any, document: Any, value: Any) -> None:
    checked = Schema.of(schema).check_text(json.dumps(document))
    assert checked.issues == ()
    assert value is None or checked.value == value
    assert Schema.of(schema).complies(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        (Before, {"day": "today"}),
        (Before, {"day": "2024-03-05", "count": 1.0}),
        (Before, {"day": "2024-03-05", "count": "1"}),
        (Named, {"name": "a;b"}),
        (Coded, {"code": "ABC"}),
        (Sure, {"sure": "maybe"}),
        (Choosing, {"full_name": "A", "city": "Oslo"}),
        (Choosing, {"nick": "A", "address": {"city": "Oslo"}}),
        (Levels, {"by_level": {"3": "x"}, "rights": 3}),
        (Levels, {"by_level": {}, "rights": 4}),
    ],
)
def test_what_pydantic_refuses_is_invalid(schema: Any, document: Any) -> None:
    assert not Schema.of(schema).check_text(json.dumps(document)).ok


def test_another_choice_of_a_key_is_read_under_the_first() -> None:
    checked = Schema.of(list[Choosing]).check([{"name": "A", "address": {"city": "Oslo"}}])
    assert checked.document == [{"full_name": "A", "address": {"city": "Oslo"}}]


def test_a_pattern_is_shown_as_it_was_written() -> None:
    assert r"does not match the pattern ^[\w .'-]+$" in Schema.of(Named).check({"name": ";"}).issues[0].message


class Part(BaseModel):
    size: int = 3
    marks: list[str] = Field(default_factory=list)


class Account(BaseModel):
    user: str
    token: SecretStr
    hidden: int = Field(exclude=True)
    raw: Json[dict[str, int]]
    told: str = Field(serialization_alias="written")
    parts: list[Part] = []
    limit: float = float("inf")
    price: Decimal = Decimal("1.5")

    @computed_field
    def area(self) -> int:
        return 2


ACCOUNT: dict[str, Any] = {"user": "a", "token": "hunter2", "hidden": 4, "raw": '{"x": 1}', "told": "z"}


def test_what_is_written_is_the_document_with_its_static_defaults() -> None:
    schema = Schema.of(Account)
    written = schema.written(schema.check({**ACCOUNT, "ignored": 1, "parts": [{}, {"size": 4, "marks": ["m"]}]}))
    assert written == {**ACCOUNT, "parts": [{"size": 3}, {"size": 4, "marks": ["m"]}], "price": "1.5"}
    assert schema.check(written).ok


def test_a_wrong_secret_is_no_right_answer() -> None:
    schema = Schema.of(Account)
    one, two = (schema.written(schema.check({**ACCOUNT, "token": token})) for token in ("hunter2", "hunter3"))
    assert one != two


def test_a_result_is_written_as_it_was_read() -> None:
    answer = json.dumps(ACCOUNT)
    result = extract("a", Account, Scripted(answer), Prompted())
    assert Schema.of(Account).check(Schema.of(Account).written(result)).ok


@pytest.mark.parametrize(
    ("source", "problem", "hint"),
    [
        ({"name": "x", "strict": True, "schema": {"type": "object"}}, "not a schema", "give its 'schema'"),
        ({"type": "json_schema", "json_schema": {"schema": {}}}, "not a schema", "give its json_schema['schema']"),
        ({"type": "function", "function": {"name": "f"}}, "not a schema", "give its function['parameters']"),
        ({"kind": "hex", "size": 3}, "not a schema", "write its schema"),
        ({"properties": {"a": {"exclusiveMinimum": True}}}, "/properties/a/exclusiveMinimum", "draft-04"),
        ({"items": [{}]}, "/items", "prefixItems"),
        ({"properties": {"a": {"required": True}}}, "/properties/a/required", 'beside "properties"'),
        ({"type": "float"}, "/type", "write 'number'"),
        ({"type": "STRING"}, "/type", "write 'string'"),
        (Named(name="x"), "an instance of Named", "give the class"),
    ],
)
def test_a_fault_says_where_and_what_to_write(source: Any, problem: str, hint: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.of(source)
    assert problem in caught.value.message
    assert hint in caught.value.hint


def test_a_field_without_json_is_named() -> None:
    class Model(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        name: str
        lock: re.Scanner  # type: ignore[name-defined]

    with pytest.raises(SchemaError, match="its field 'lock'"):
        Schema.of(Model)


def test_a_date_in_an_example_is_fine() -> None:
    class Dated(BaseModel):
        day: date = Field(json_schema_extra={"example": date(2024, 3, 5)})  # type: ignore[dict-item]

    written: Any = Schema.of(Dated).json_schema
    assert written["properties"]["day"]["example"] == "2024-03-05"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: int = 0


class Home(BaseModel):
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []
    rooms: dict[str, int] = {}
    next_door: Self | None = None


class Legacy(BaseModel):
    name: str = ""

    @model_validator(mode="before")
    @classmethod
    def migrated(cls, given: Any) -> Any:
        return {"name": given["full_name"]} if "full_name" in given else given


def test_keys_that_a_type_ignores_are_not_in_the_document() -> None:
    pets: Any = [{"kind": "cat", "lives": 1, "tricks": 2}, {"kind": "dog", "lives": 1}]
    given: Any = {"pets": pets, "rooms": {"attic": 1}, "more": 1, "next_door": {"rooms": {}, "pet": {}}}
    checked = Schema.of(Home).check(given)
    assert checked.ok
    kept = [{"kind": "cat", "lives": 1}, {"kind": "dog"}]
    assert checked.document == {"pets": kept, "rooms": {"attic": 1}, "next_door": {"rooms": {}}}
    assert Schema.of(Home).check_briefly(given) == checked
    assert structout.repair(json.dumps(given), Home).document == checked.document


def test_keys_are_kept_where_something_reads_them() -> None:
    given: Any = {"full_name": "Ann"}
    checked = Schema.of(Legacy).check(given)
    assert (checked.value, checked.document) == (Legacy(name="Ann"), given)
    plain = {"type": "object", "properties": {"a": {}}}
    assert Schema.of(plain).check({"b": 1}).document == {"b": 1}


class Renamed(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    size: int = Field(alias="Size")
    weight: int = Field(default=0, validation_alias=AliasChoices("Weight", "mass"))


class Plainly(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False)

    size: int = Field(alias="Size")


@pytest.mark.parametrize(
    ("source", "given", "read"),
    [
        (Renamed, {"size": 1}, {"Size": 1}),
        (Renamed, {"Size": 1, "mass": 2}, {"Size": 1, "Weight": 2}),
        (Renamed, {"size": 1, "weight": 2}, {"Size": 1, "Weight": 2}),
        (Plainly, {"size": 1}, {"size": 1}),
        (Plainly, {"Size": 1}, None),
    ],
)
def test_a_field_may_be_named_as_pydantic_reads_it(source: Any, given: Any, read: Any) -> None:
    checked = Schema.of(source).check(given)
    assert checked.ok is (read is not None)
    if checked.ok:
        written = Schema.of(source).written(checked)
        assert checked.document == read
        assert checked.value == source.model_validate(given)
        assert isinstance(written, dict)
        assert read.items() <= written.items()
