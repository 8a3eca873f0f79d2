"""Texts that a tester wrote to be read wrongly in silence: each is read right, or refused."""

from typing import Any

import pytest

from structout.parsing import repair

NOTE: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "note": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
AGE: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TEXTS = {"type": "array", "items": {"type": "string"}}
NUMBERS = {"type": "array", "items": {"type": "number"}}
AGES = {"type": "array", "items": AGE}
ANN = '{"name": "Ann", "age": 3}'


def of(key: str, **schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {key: schema}, "required": [key], "additionalProperties": False}


REFUSED = object()


def read(text: str, schema: Any) -> Any:
    found = repair(text, schema, complete=True)
    return found.document if found.ok else REFUSED


@pytest.mark.parametrize(
    ("text", "schema", "right"),
    [
        ('{"n": "3; -4; 5"}', of("n", **NUMBERS), {"n": [3, -4, 5]}),
        ('{"name": "Ann", "note": ```hello world```}', NOTE, {"name": "Ann", "note": "hello world"}),
        ("name: Ann\nnote: see issue #12\n", NOTE, {"name": "Ann", "note": "see issue #12"}),
        ("- fix #12\n- close #13", TEXTS, ["fix #12", "close #13"]),
        ("{'name': r'a\\n', 'note': 'b'}", NOTE, {"name": "a\\n", "note": "b"}),
        (
            "<name>http://a.b/?x=1&copy=2</name><note>a &amp; b</note>",
            NOTE,
            {"name": "http://a.b/?x=1&copy=2", "note": "a & b"},
        ),
        ("name: Ann, note: 3", NOTE, {"name": "Ann", "note": "3"}),
        ('{"x": "AB"}', of("x", enum=["A", "B", "AB"]), {"x": "AB"}),
        ('{"x": "in-progress"}', of("x", enum=["in progress", "done"]), {"x": "in progress"}),
    ],
)
def test_nothing_is_lost(text: str, schema: Any, right: Any) -> None:
    assert read(text, schema) == right


@pytest.mark.parametrize("line", ["name: x\n", "<name>x</name>\n", "| name |\n|---|\n| x |\n"])
def test_a_text_too_long_to_search_is_refused_and_no_fault(line: str) -> None:
    found = repair('{"name": "Ann"}\n\n' + line * 40_000, NOTE, complete=True)
    assert [issue.kind for issue in found.issues] == ["ambiguous"]


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("<thinking><name>Ann</name><note>a</note></thinking>", NOTE),
        (f"◁think▷{ANN}◁/think▷", AGE),
        ("name: Ann\nnote: >5", NOTE),
        ("name: Ann\nnote: !important do it", NOTE),
        ("name: &x Ann\nnote: *x", NOTE),
        ("{name: Ann, note: a // b, c}", NOTE),
        ('{"name": "Ann", "age": 7 // 2}', AGE),
        ("{'name': 'Ann', 'note': env('x')}", NOTE),
        ("{'name': 'Ann', 'age': abs(-3)}", AGE),
        ("Record(name='Ann', age=len([1]))", AGE),
        ("Record(name='Ann', name='Bob')", NOTE),
        ("[Record(name='Ann', age=3), None]", AGE),
        ('<invoke name="f"><parameter name="name">A</parameter><parameter name="name">B</parameter></invoke>', NOTE),
        ("<name><![CDATA[a]]> b</name><note>c</note>", NOTE),
        ("| Name | Age |\n|---|---|\n| Ann | 3 |\nBob | 4\n", AGES),
        ("| Name | Age |\n|---|---|\n| Ann | 3 |\n| **Total** | **3** |\n", AGES),
        ("| Name | Age |\n|---|---|\n| Ann | 3 |\n\nand 5 more rows omitted.", AGES),
        ("| field | description |\n|---|---|\n| name | The name of the person |\n| note | any remark |\n", NOTE),
        (f"Draft:\n{ANN}\n\nFinal answer:\nname: Bob\nage: 4", AGE),
        (f"{ANN}\n\n<name>Bob</name><age>4</age>", AGE),
        (f"{ANN}\n\n| name | age |\n|---|---|\n| Bob | 4 |", AGE),
        (f"{ANN}\nThat's wrong. The age is 4.", AGE),
        (f"{ANN}\nActually, the name is Bob.", AGE),
        (f"{ANN}\nI meant 4 for the age.", AGE),
        (f"{ANN}\nThe above is just an example.", AGE),
        (f"Example:\n{ANN}", AGE),
        (f"Template:\n{ANN}", AGE),
        ("For example:\nname = Ann\nage = 3", AGE),
        ('{"name": "x"}\n{"note": "y"}', NOTE),
        (f"{ANN}\n... (8 more)", AGES),
        (f"{ANN}\n\nand so on for the others\n\n{ANN.replace('Ann', 'Bob')}", AGES),
        ("1. a\n2. b\n(etc.)", TEXTS),
        ("- a\n- b\n- ...", TEXTS),
        ("1,234", NUMBERS),
        ('{"n": "100,200,300"}', of("n", **NUMBERS)),
        ('{"revenue_millions": "5 million"}', of("revenue_millions", type="number")),
        ('{"w": "5 lbs"}', of("w", type="number", description="in kg (convert from pounds)")),
        ('{"x": "B-"}', of("x", enum=["A", "B", "C"])),
        ('{"x": "red/blue"}', of("x", enum=["red", "blue", "redblue"])),
        ('{"x": "No.Oslo"}', of("x", enum=["no", "Oslo", "Bern"])),
        ('{"errors": ["timeout"]}', TEXTS),
        ('{"example": {"name": "Ann", "age": 3}}', AGE),
        ('{"tags": "None."}', of("tags", **TEXTS)),
        ("P(name='Ann', age=date(99999999999999999999,1,2))", AGE),
        ("".join(f"<t{i}>" for i in range(500)) + "x" + "".join(f"</t{i}>" for i in reversed(range(500))), NOTE),
    ],
)
def test_what_has_two_readings_is_refused(text: str, schema: Any) -> None:
    assert read(text, schema) is REFUSED
