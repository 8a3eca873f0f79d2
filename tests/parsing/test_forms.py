"""Texts that have one reading are read, whatever their form: and their siblings with two readings are refused."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from structout.parsing import repair

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "pay": {"type": ["number", "null"]},
        "rank": {"enum": ["junior", "senior", "lead"]},
        "born": {"type": "string", "format": "date"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"no": {"type": "integer"}}}},
        "address": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
    "required": ["name"],
    "additionalProperties": False,
}
PEOPLE = {"type": "array", "items": PERSON}
EVE = {"name": "Eve", "age": 7}


def read(text: str, schema: Any = PERSON) -> Any:
    found = repair(text, schema, complete=True)
    return found.document if found.ok else found.issues[0].kind


@pytest.mark.parametrize(
    "text",
    [
        "｛＂name＂：＂Eve＂，＂age＂：7｝",
        "答案：｛「name」：「Eve」，「age」：7｝。",
        '{\\n  "name": "Eve",\\n  "age": 7\\n}',
        "{\\u0022name\\u0022: \\u0022Eve\\u0022, \\u0022age\\u0022: 7}",
        "{&#39;name&#39;: &#39;Eve&#39;, &#39;age&#39;: 7}",
        '\x1b[1m{"name": "Eve", "age": 7}\x1b[0m',
        '{"name":\u200e "Eve",\x0c\u3000"age":\u30007\u200f}',
        '{"name": ("Eve"), "age": (7)}',
        'name: "Eve", age: 7',
        "name=Eve; age=7",
        "1. name: Eve\n2. age: 7",
        'name = "Eve"\nage = 7',
        "'name': 'Eve', 'age': '7'",
        'name": "Eve", "age": 7}',
        "<name>Eve</name>\n<age>7</age>",
        '<invoke name="put"><name>Eve</name><age>7</age></invoke>',
        "| name | age |\n|------|----:|\n| Eve  | 7   |",
        "| Field | Value |\n| --- | --- |\n| **name** | Eve |\n| `age` | 7 |",
        '{"tool_calls": [{"type": "function", "function": {"name": "put",'
        ' "arguments": "{\\"name\\": \\"Eve\\", \\"age\\": 7}"}}]}',
        '{"type": "tool_use", "id": "1", "name": "put", "input": {"name": "Eve", "age": 7}}',
        '{"status": "ok", "code": 200, "data": {"name": "Eve", "age": 7}}',
        '{"payload": "{"name": "Eve", "age": 7}"}',
        'OrderedDict([("name", "Eve"), ("age", 7)])',
        '{"name": "Eve", "age": "seven"}',
        '{"name": "Eve", "age": "٧"}',
        '{"name": "Eve", "Name": "Eve", "age": 7}',
        '```json\n{"name": "Eve", "age": 7}\n```\nUse it:\n```js\nlet eve = {name: "E", age: 1};\n```',
        '<|channel|>analysis<|message|>Or {"name": "Al"}?<|end|><|channel|>final<|message|>{"name": "Eve", "age": 7}',
        'Final answer: {"name": "Al", "age": 1}\nWait, that is wrong. Final answer: {"name": "Eve", "age": 7}',
        '{"name": ```text\nEve\n```, "age": 7}',
    ],
)
def test_one_person_in_many_forms(text: str) -> None:
    assert read(text) == EVE


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ('{"name": "x", "tags": "oak, ash"}', None, "ambiguous"),
        ('{"name": "x", "tags": "red、blue"}', "tags", ["red", "blue"]),
        ('{"name": "x", "tags": "one long tag"}', "tags", ["one long tag"]),
        ('{"name": "x", "tags": "oak", "ash", "age": 1}', "tags", ["oak", "ash"]),
        ('{"name": "x", "tags.0": "oak", "tags.1": "ash"}', "tags", ["oak", "ash"]),
        ('{"name": "x", "lines[0].no": 1, "lines[1].no": 2}', "lines", [{"no": 1}, {"no": 2}]),
        ('{"name": "x", "lines[1].no": 1, "lines[3].no": 2}', None, "refused_edit"),
        ('{"name": "x", "pay": "not specified"}', "pay", None),
        ('{"name": "x", "pay": "12,34,567.5"}', "pay", 1234567.5),
        ('{"name": "x", "pay": −4}', "pay", -4),
        ('{"name": "x", "age": "1.250"}', None, "ambiguous"),
        ('{"name": "x", "rank": "B) senior"}', "rank", "senior"),
        ('{"name": "x", "rank": "A) senior"}', None, "refused_edit"),
        ('{"name": "x", "born": "2024年3月5日"}', "born", "2024-03-05"),
        ('{"name": "x", "born": "Tuesday, 5 March 2024"}', "born", "2024-03-05"),
        ('{"name": "x", "born": "Tue, 05/03/2024"}', "born", "2024-03-05"),
        ('{"name": "x", "born": "Monday, 5 March 2024"}', None, "refused_edit"),
        ('{"name": "x", "address": {"city": "Oslo", "age": 3}', "age", 3),
        ('{"name": 0x1F}', "name", "0x1F"),
        ('{"name": 1_000}', "name", "1_000"),
        ('{"name": "D:\\Scans\\", "age": 3}', "name", "D:\\Scans\\"),
        ('{"name": "\\u{1F600}!",}', "name", "\U0001f600!"),
        ("{'name': 'Rory O'Neil, 'age': 3}", "name", "Rory O'Neil"),
        ("{‘name’: ‘it’s me’, ‘age’: 3}", "name", "it’s me"),
    ],
)
def test_a_value_is_read_or_refused(text: str, key: str | None, value: Any) -> None:
    found = read(text)
    assert (found if key is None else found[key]) == value


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Eve", "age": 7}\nWait, the age should be 8.',
        '{"name": "Eve", "age": 7}\nOops, I made a mistake there.',
        '{"name": "Eve", "tags": ["Ann "Bea", "Cy"]}',
        "{'name': 'it''s'}",
        '{"name": get_name()}',
        '{"name": f"Eve {last}", "age": 7}',
        '{"name": "Eve " + last + "!", "age": 7}',
        '{"name": "Eve", "lines": [{"no": 1} // and 3 more\n]}',
        """{"name": "a['"]([^'"]+)['"]"}""",
        '<|channel|>analysis<|message|>Perhaps {"name": "Eve"} will do',
    ],
)
def test_what_may_mean_something_else_is_refused(text: str) -> None:
    assert isinstance(read(text), str)


@pytest.mark.parametrize(
    "after",
    ["", "Let me know if the age should be 8.", "Note: the age was given.", "The age should be verified by hand."],
)
def test_a_remark_after_the_answer_takes_nothing_back(after: str) -> None:
    assert read(f'{{"name": "Eve", "age": 7}}\n{after}') == EVE


def test_a_list_has_many_forms() -> None:
    oaks = {"type": "array", "items": {"type": "string"}}
    assert read('"oak", "ash"', oaks) == ["oak", "ash"]
    assert read('("oak", "ash")', oaks) == ["oak", "ash"]
    assert read("| name | age |\n| --- | --- |\n| Eve | 7 |\n| Al | |", PEOPLE) == [EVE, {"name": "Al"}]
    assert read('{"type": "array", "items": [{"name": "Eve", "age": 7}]}', PEOPLE) == [EVE]


def test_toml_is_read_by_section() -> None:
    schema = {
        "type": "object",
        "properties": {"server": {"type": "object", "properties": {"port": {"type": "integer"}}}},
        "required": ["server"],
    }
    assert read('[server]\nhost = "a"\nport = 80', schema) == {"server": {"host": "a", "port": 80}}


def test_signs_that_may_be_content_are_ambiguous() -> None:
    assert read('{"name": 他说「好」, "age": 7,}') in ({"name": "他说「好」", "age": 7}, "ambiguous")


class Job(BaseModel):
    title: str
    start: date
    pay: Decimal


class Resume(BaseModel):
    name: str
    jobs: list[Job]


def test_the_text_of_a_pydantic_model_is_read_with_all_that_it_holds() -> None:
    resume = Resume(name="Eve", jobs=[Job(title="cook", start=date(2021, 4, 1), pay=Decimal("12.50"))])
    assert repair(repr(resume), Resume).value == resume
    assert not repair("Resume(name='Eve', jobs=load())", Resume).ok


class Priced(BaseModel):
    price: float
    day: date
    label: str = ""

    @field_validator("price", mode="before")
    @classmethod
    def dollars(cls, value: Any) -> Any:
        return float(value.strip("$").replace(",", "")) if isinstance(value, str) else value


def test_a_validator_of_your_own_reads_the_text_first() -> None:
    found = repair('{"price": "$1,200", "day": "2024-03-05"}', Priced)
    assert found.value == Priced(price=1200.0, day=date(2024, 3, 5))
    assert [(edit.kind, edit.grade, edit.where) for edit in found.edits] == [("validator", "lossless", "/price")]


@pytest.mark.parametrize(
    "text",
    [
        '{"price": "a lot", "day": "2024-03-05"}',
        '{"price": "$1", "day": "1709596800"}',  # Pydantic would read seconds since 1970
        '{"price": "$1", "day": "05/03/2024"}',
    ],
)
def test_a_validator_of_your_own_opens_no_other_field(text: str) -> None:
    assert not repair(text, Priced).ok
