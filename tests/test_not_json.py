"""Why a text is not JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout import not_json
from structout.document import parse_json
from structout.not_json import REASONS, group


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty"),
        ("I'm sorry, I cannot help.", "no JSON in the text"),
        ("[Note] nothing found", "no JSON in the text"),
        ('```json\n{"a": 1}\n```', "in a code fence"),
        ('Sure:\n```json\n{"a": 1}\n```', "in a code fence"),
        ('{"a": 1}\n```', "in a code fence"),
        ('<think>{no}</think>\n{"a": 1}', "thinking tags before the JSON"),
        ('Here: {"a": 1}', "text before the JSON, which begins at character 6"),
        ('{"a": 1} as you asked', "text after the JSON, at character 9"),
        ('{"a": 1}\n{"a": 2}', "two documents, at character 9"),
        ("a: 1\nb: x\n", "lines of keys and values, as in YAML"),
        ('{"ä": "ü', "cut off: a text is open at the end, character 8"),
        ('{"a": [1, 2', "cut off: a list is open at the end, character 11"),
        ('{"a": 1,\n "b": \'x\'}', "single quotes, at character 15"),
        ("{'a': 1}", "single quotes, at character 1"),
        ("{a: 1}", "a key without quotes, at character 1"),
        ("{“a”: 1}", "curly quotes, at character 1"),
        ('{"a": True}', "a value without quotes, at character 6"),
        ('{"a": ...}', "a value without quotes, at character 6"),
        ('{"a": }', "a missing value, at character 6"),
        ('{"a": "he "x" y"}', "a quote inside a text without a backslash, at character 11"),
        ('{"a": 1,}', "a trailing comma, at character 8"),
        ('{"a": 1 "b": 2}', "a missing comma, at character 8"),
        ('{"a" 1}', "a missing colon, at character 5"),
        ('{"a": 1]', "a wrong closing bracket, at character 7"),
        ('{"a": 1, // c\n "b": 2}', "a comment, at character 9"),
        ("{'a': NaN}", "single quotes, at character 1"),
        ('{"a": NaN, b: 1}', "NaN or Infinity, at character 6"),
        ('{"a": 01}', "a number that is not written as in JSON, at character 7"),
        ('{"a": "\\q"}', "an escape that JSON does not know, at character 8"),
        ("[" * 300, "nested too deep"),
    ],
)
def test_a_text_that_is_not_json_is_named_by_what_it_is(text: str, message: str) -> None:
    _, issue = parse_json(text)
    assert issue is not None
    assert (issue.kind, issue.message) == ("not_json", message)
    assert message.startswith(group(message))
    assert group(message) in REASONS


@given(st.text(alphabet="{}[]\"':,`\\ \nNaI01.-ä\U0001f600<think>"))
def test_every_text_has_a_short_reason(text: str) -> None:
    issue = parse_json(text)[1]
    assert issue is None or len(issue.message) < 200


def test_a_message_of_others_has_no_reason() -> None:
    assert group("the document is not UTF-8") == not_json.OTHER
