"""Which document in an answer is meant."""

from typing import Any

import pytest

from structout.parsing import repair
from structout.schema import Schema

OBJECT: Schema[Any] = Schema.of(
    {
        "title": "item",
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
)
OPEN: Schema[Any] = Schema.of(
    {"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}}
)


@pytest.mark.parametrize(
    "text",
    [
        'Use {name} like this: {"a": 1}',
        '<think>{"a": 2, ... }</think>{"a": 1}',
        '<think>Maybe {"a": 2}?</think>\n{"a": 1}',
        'Maybe {"a": 2}.</think>{"a": 1}',
        '```json\n{"a": 1}\n```',
        'Sure!\n\n~~~\n{"a": 1}\n~~~\nBye {friend}.',
        'See [1] and {x}. {"a": 1} (done)',
        'For example:\n```json\n{"a": 7}\n```\nThe answer:\n```json\n{"a": 1}\n```',
        '{"a": 5}\nWait, that is wrong. Corrected answer:\n{"a": 1}',
        '{"a": 1}\nA wrong answer would be: {"a": 2}',
        '{"a": 1}\n\nAgain: {"a": 1}',
        'Log: {"status": "ok"}\nRecord: {"a": 1}',
        '<answer>{"a": 1}</answer>',
        "**Answer:** {'a': 1}",
        '{"a": 1}}',
        '"{\\"a\\": 1}"',
        'So it is $\\boxed{{"a": 1}}$.',
        '<r><![CDATA[{"a": 1}]]></r>',
        'The record:\n\n> {\n>   "a": 1\n> }',
        '<tool_call>\n{"name": "extract", "arguments": {"a": 1}}\n</tool_call>',
    ],
)
def test_the_answer_is_found(text: str) -> None:
    found = repair(text, OBJECT)
    assert found.ok, found.issues
    assert found.document == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"a": 1}\n```\n\n```json\n{"a": 2}\n```',
        'I can\'t. For example, an answer would look like this: {"a": 1}',
    ],
)
def test_it_is_not_guessed(text: str) -> None:
    found = repair(text, OBJECT)
    assert [issue.kind for issue in found.issues] == ["ambiguous"]


@pytest.mark.parametrize(
    "text", ["I'm sorry: I can't do that.", "There is {nothing} here [1].", "", "   ", "{}, or so I think"]
)
def test_a_refusal_is_no_record(text: str) -> None:
    assert repair(text, OPEN).value is None


def test_documents_one_after_another_make_a_list() -> None:
    schema: Schema[Any] = Schema.of({"type": "array", "items": {"type": "object", "required": ["a"]}})
    assert repair('{"a": 1}\n{"a": 2}\n', schema).document == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "schema", "expected"),
    [
        ("Low.", {"enum": ["low", "high"]}, "low"),
        ("```\nhigh\n```", {"enum": ["low", "high"]}, "high"),
        ("The answer is: 42", {"type": "integer"}, 42),
        ("**yes**", {"type": "boolean"}, True),
        ("hello there", {"type": "string"}, "hello there"),
        ('The word is "hello".', {"type": "string"}, "hello"),
    ],
)
def test_a_bare_value_for_a_schema_of_scalars(text: str, schema: dict[str, Any], expected: object) -> None:
    assert repair(text, Schema.of(schema)).document == expected


def test_the_old_version_is_no_answer_if_the_new_one_cannot_be_read() -> None:
    found = repair('Old version:\n```\n{"a": 1}\n```\nNew version:\n```\n"b": {"a": [{"a": 2}]}}\n```', OBJECT)
    assert [issue.kind for issue in found.issues] == ["ambiguous"]


def test_a_document_that_lost_its_brace_and_was_cut_is_flagged() -> None:
    behind = 'Hi,\nsee below.\n\n  "box": {\n    "size": 1\n  },\n  "na'
    for text in ('"a": 1,\n', '"name": {\n  "x', '"name":"x","note":"y', behind):
        assert repair(text, OPEN).truncated, text


def test_an_example_before_a_truncated_answer_is_not_the_answer() -> None:
    found = repair('An example:\n```json\n{"a": 7}\n```\nThe answer:\n```json\n{"a": 1', OBJECT)
    assert found.truncated
    assert found.value is None
