"""Pydantic's type system, one case a line: a type, documents that it takes and documents that it refuses (strictly)."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, Optional, TypeVar
from uuid import UUID

from pydantic import (
    UUID4,
    AnyUrl,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ByteSize,
    ConfigDict,
    Discriminator,
    Field,
    FutureDate,
    HttpUrl,
    Json,
    NaiveDatetime,
    PastDate,
    RootModel,
    SecretStr,
    StringConstraints,
    Tag,
    computed_field,
    conint,
    conlist,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """One type with documents that it must take, and others that it must refuse."""

    name: str
    type: Any
    valid: Sequence[Any]
    invalid: Sequence[Any]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    S = 1
    L = 3


class Plain(BaseModel):
    name: str
    age: int


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: int
    y: int = 0


class Aliased(BaseModel):
    first_name: str = Field(alias="firstName")


class Defaults(BaseModel):
    a: int = 1
    b: str | None = None


class Outer(BaseModel):
    inner: Closed
    more: list[Closed] = []


class Node(BaseModel):
    value: int
    next: Optional["Node"] = None


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")
    label: str
    children: list["Tree"] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool


class Pets(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


class Span(BaseModel):
    low: int
    high: int

    @model_validator(mode="after")
    def ordered(self) -> "Span":
        if self.high < self.low:
            raise ValueError("high is below low")
        return self


class Even(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def even(cls, n: int) -> int:
        if n % 2:
            raise ValueError("odd")
        return n


class Area(BaseModel):
    w: float
    h: float

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> float:
        return self.w * self.h


class Box(BaseModel, Generic[T]):
    content: T


class Tags(RootModel[list[str]]):
    pass


class Point(NamedTuple):
    x: int
    y: int


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


@dataclass
class Employee:
    name: str
    salary: float = 0.0


class Many(BaseModel):
    a: int
    b: float
    c: bool
    d: str
    e: date
    f: Colour
    g: list[int]
    h: dict[str, float]


def _tag(value: Any) -> str:
    return "n" if isinstance(value, int) else "t"


CASES = [
    Case("int", int, [0, -5, 123], [1.5, "1", None, True]),
    Case("float", float, [0, 1.5, -2e-3], ["1", None]),
    Case("bool", bool, [True, False], [0, "true", None]),
    Case("str", str, ["", "a", 'q"\n'], [1, None]),
    Case("none", None, [None], [0, ""]),
    Case("optional", int | None, [1, None], ["1"]),
    Case("union", int | str, [1, "a"], [None, 1.5]),
    Case("union of models", Cat | Dog, [{"kind": "cat", "lives": 9}], [{"kind": "cat", "good": True}]),
    Case("any", Any, [1, None, {"a": [1]}], []),
    Case("literal numbers", Literal[1, 2], [1, 2], [3, "1"]),
    Case("literal mixed", Literal["a", 1, None], ["a", 1, None], ["b", 2]),
    Case("enum", Colour, ["red", "blue"], ["green", 1]),
    Case("int enum", Size, [1, 3], [2, "1"]),
    Case("bounded int", Annotated[int, Field(ge=1, le=10)], [1, 10], [0, 11]),
    Case("exclusive float", Annotated[float, Field(gt=0, lt=1)], [0.5], [0, 1, -1]),
    Case("conint", conint(gt=0, multiple_of=5), [5, 100], [0, 7, -5]),
    Case("multiple of a quarter", Annotated[float, Field(multiple_of=0.25)], [0.5, 1.25, 2.0], [0.3]),
    Case("int of 64 bits", Annotated[int, Field(ge=0, le=2**64 - 1)], [0, 2**53], [-1, 2**64]),
    Case("int above 64 bits", Annotated[int, Field(ge=2**70)], [2**71], [5]),
    Case("string lengths", Annotated[str, Field(min_length=2, max_length=4)], ["ab", "abcd"], ["a", "abcde"]),
    Case("pattern", Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}\d+$")], ["ABC1"], ["abc1", "ABC"]),
    Case("unanchored pattern", Annotated[str, Field(pattern="ab+c")], ["xabbcx"], ["ac", "xx"]),
    Case("date", date, ["2024-02-29", "1999-12-31"], ["2023-02-29", "2024-13-01", "1.1.2024"]),
    Case("time", time, ["12:00:00", "23:59:59.5"], ["24:00:00", "12:00:60"]),
    Case("datetime", datetime, ["2024-01-01T10:00:00", "2024-01-01T10:00:00Z"], ["2023-02-29T00:00:00", "now"]),
    Case("aware datetime", AwareDatetime, ["2024-01-01T10:00:00+02:00"], ["2024-01-01T10:00:00"]),
    Case("naive datetime", NaiveDatetime, ["2024-01-01T10:00:00"], ["2024-01-01T10:00:00Z"]),
    Case("past date", PastDate, ["2001-01-01"], ["2999-01-01"]),
    Case("future date", FutureDate, ["2999-01-01"], ["2001-01-01"]),
    Case("timedelta", timedelta, ["P1DT2H", "PT1.5S"], ["1 day", "P"]),
    Case("uuid", UUID, ["12345678-1234-5678-1234-567812345678"], ["1234"]),
    Case("uuid4", UUID4, ["3fa85f64-5717-4562-b3fc-2c963f66afa6"], ["3fa85f64-5717-1562-b3fc-2c963f66afa6"]),
    Case("decimal", Decimal, ["1.50", 2], ["x"]),
    Case("decimal digits", Annotated[Decimal, Field(max_digits=4, decimal_places=2)], ["12.34"], ["123.45", "1.234"]),
    Case("fraction", Fraction, ["1/3"], ["x"]),
    Case("ipv4", IPv4Address, ["192.168.0.1"], ["256.0.0.1", "1.2.3"]),
    Case("ipv6", IPv6Address, ["::1", "2001:db8::8"], ["::1::", "g::"]),
    Case("http url", HttpUrl, ["https://example.com/a?b=1"], ["ftp://example.com", "example"]),
    Case("any url", AnyUrl, ["https://example.com"], ["not a url"]),
    Case("path", Path, ["/a/b"], [1]),
    Case("bytes", bytes, ["abc"], [1]),
    Case("base64", Base64Bytes, ["aGVsbG8="], ["aGVsbG8"]),
    Case("secret", SecretStr, ["hidden"], [1]),
    Case("byte size", ByteSize, [1024], [-1]),
    Case("json string", Json, ["[1, 2]"], ["[1,"]),
    Case("list", list[int], [[], [1, 2]], [["a"], {}]),
    Case("conlist", conlist(int, min_length=1, max_length=3), [[1]], [[], [1, 2, 3, 4]]),
    Case("set", set[int], [[1, 2]], [[1, 1]]),
    Case("frozenset of literals", frozenset[Literal["a", "b"]], [["b", "a"]], [["a", "a"], ["c"]]),
    Case("tuple", tuple[int, str], [[1, "a"]], [[1], [1, "a", 2]]),
    Case("tuple of any length", tuple[int, ...], [[], [1, 2]], [["a"]]),
    Case("dict", dict[str, int], [{}, {"a": 1}], [{"a": "x"}]),
    Case("dict of int keys", dict[int, str], [{"1": "a"}], [{"x": "a"}]),
    Case("dict of literal keys", dict[Literal["a", "b"], int], [{"a": 1}, {"b": 2, "a": 1}], [{"c": 1}]),
    Case("dict of enum keys", dict[Colour, int], [{"red": 1}], [{"pink": 1}]),
    Case("dict of pattern keys", dict[Annotated[str, Field(pattern="^k")], int], [{"k1": 1}], [{"x": 1}]),
    Case("ordered dict", OrderedDict[str, int], [{"z": 1, "a": 2}], [{"z": "1"}]),
    Case("model", Plain, [{"name": "a", "age": 3}], [{"name": "a"}, {"name": 1, "age": 3}]),
    Case("closed model", Closed, [{"x": 1}, {"x": 1, "y": 2}], [{"x": 1, "z": 2}, {"y": 1}]),
    Case("alias", Aliased, [{"firstName": "a"}], [{"first_name": "a"}]),
    Case("defaults", Defaults, [{}, {"b": None}], [{"a": "1"}]),
    Case("nested", Outer, [{"inner": {"x": 1}, "more": [{"x": 2}]}], [{"inner": {}}, {"inner": {"x": 1, "q": 1}}]),
    Case("linked list", Node, [{"value": 1, "next": {"value": 2, "next": None}}], [{"value": 1, "next": {}}]),
    Case("tree", Tree, [{"label": "a", "children": [{"label": "b"}]}], [{"label": "a", "children": [{}]}]),
    Case("tagged union", Pets, [{"pet": {"kind": "dog", "good": True}}], [{"pet": {"kind": "dog", "lives": 1}}]),
    Case(
        "callable tag",
        Annotated[Annotated[int, Tag("n")] | Annotated[str, Tag("t")], Discriminator(_tag)],
        [1, "a"],
        [None],
    ),
    Case("model validator", Span, [{"low": 1, "high": 2}], [{"low": 2, "high": 1}]),
    Case("field validator", Even, [{"n": 2}], [{"n": 3}]),
    Case("computed field", Area, [{"w": 1, "h": 2.5}], [{"w": 1}]),
    Case("generic", Box[int], [{"content": 1}], [{"content": "a"}]),
    Case("root model", Tags, [["a"], []], [{}, [1]]),
    Case("named tuple", Point, [[1, 2]], [[1]]),
    Case("typed dict", Movie, [{"title": "a"}, {"title": "a", "year": 1}], [{"year": 1}, {"title": 1}]),
    Case("dataclass", Employee, [{"name": "a", "salary": 1.5}], [{"salary": 1}]),
    Case("many fields", Many,
         [{"a": 1, "b": 2.5, "c": True, "d": "x", "e": "2024-01-31", "f": "red", "g": [1], "h": {"k": 1}}],
         [{"a": 1, "b": 2.5, "c": True, "d": "x", "e": "2024-02-31", "f": "red", "g": [1], "h": {"k": 1}}]),
]  # fmt: skip
