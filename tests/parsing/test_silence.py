"""Nothing is chosen in silence: what has two readings is an issue, and what has one is read."""

import json
from typing import Any

import pytest

from structout import Scripted, extract_many, validate
from structout.parsing import Policy, repair

PART = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "note": {"type": "string"}},
    "required": ["id", "name"],
}
PARTS = {"type": "array", "items": PART}
TEXT = {"type": "object", "properties": {"text": {"type": "string"}, "n": {"type": "integer"}}, "required": ["text"]}
ONE, TWO = '{"id": 1, "name": "bolt"}', '{"id": 2, "name": "nut"}'


def found(text: str, schema: Any, policy: Policy = "lossless") -> Any:
    repaired = repair(text, schema, policy)
    return repaired.value if repaired.ok else [issue.kind for issue in repaired.issues]


@pytest.mark.parametrize(
    "text",
    [
        ONE + TWO,
        f"{ONE} {TWO}",
        f"{ONE}, {TWO}",
        f"{ONE};\n{TWO}",
        f"{ONE} or {TWO}",
        f"```json\n{ONE}{TWO}\n```",
        f"```json\n{ONE}\n```\n```json\n{TWO}\n```",
        f"Option 1:\n{ONE}\nOption 2:\n{{'id': '2', 'name': 'nut',}}",
        f"{{'id': '1', 'name': 'bolt',}}\n{TWO}",
        f'{ONE}\n{{"id": 2.5, "name": "nut"}}',
        f'<tool_call>{{"name": "put", "arguments": {ONE}}}</tool_call>'
        f'<tool_call>{{"name": "put", "arguments": {TWO}}}</tool_call>',
    ],
)
def test_of_two_answers_none_is_dropped(text: str) -> None:
    assert found(text, PART) == ["ambiguous"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"{ONE} No wait, the corrected answer is {TWO}", "nut"),
        (f"A first draft: {ONE}\nFinal answer: {TWO}", "nut"),
        (f"{ONE}\n{ONE}", "bolt"),
        (f"{ONE} {{'name': 'bolt', 'id': '1'}}", "bolt"),
        (f"For the log: {{}}. {ONE}", "bolt"),
    ],
)
def test_the_text_may_say_which_answer_is_meant(text: str, name: str) -> None:
    assert found(text, PART)["name"] == name


def test_a_list_takes_in_records_and_nothing_else() -> None:
    assert found(f"{ONE}\n{TWO}", PARTS) == [{"id": 1, "name": "bolt"}, {"id": 2, "name": "nut"}]
    assert found(f"Example: {ONE}\n{TWO}\n{TWO.replace('2', '3')}", PARTS) == [
        {"id": 2, "name": "nut"},
        {"id": 3, "name": "nut"},
    ]
    assert found(f"{ONE}\n{TWO}\nCorrection of the second: {TWO.replace('2', '3')}", PARTS) == ["ambiguous"]


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        (ONE + '\n"note": "x"}', PART, {"id": 1, "name": "bolt", "note": "x"}),
        (f'{{"parts": [{ONE}], {TWO}]}}', {"properties": {"parts": PARTS}, "required": ["parts"], "type": "object"},
         {"parts": [{"id": 1, "name": "bolt"}, {"id": 2, "name": "nut"}]}),
    ],
)  # fmt: skip
def test_what_follows_a_document_that_closed_too_early_belongs_to_it(text: str, schema: Any, value: Any) -> None:
    assert found(text, schema) == value


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"\alpha and \beta and \theta", r"\alpha and \beta and \theta"),
        (r"\sum_{i} \frac{1}{i} \rightarrow 2", r"\sum_{i} \frac{1}{i} \rightarrow 2"),
        (r"C:\Users\noah\temp\report.txt", r"C:\Users\noah\temp\report.txt"),
        (r"C:\bin\app.exe", r"C:\bin\app.exe"),
        (r"^\d+\b\s*$", r"^\d+\b\s*$"),
        (r"\underbrace{x} is \text{m}", r"\underbrace{x} is \text{m}"),
        (r"first\nSecond, with \alpha", "first\nSecond, with \\alpha"),
        (r"snake\_case", "snake_case"),
        (r"costs \$5 in snake\_case", r"costs \$5 in snake\_case"),
        ("docker run \\\n  -it", "docker run \\\n  -it"),
    ],
)
def test_backslashes_are_decided_together(written: str, meant: str) -> None:
    assert found('{"text": "' + written + '", "n": 1}', TEXT) == {"text": meant, "n": 1}


def test_a_backslash_with_two_readings_is_refused() -> None:
    assert found(r'{"text": "\alpha is a\nletter"}', TEXT) == ["refused_edit"]


@pytest.mark.parametrize("text", [r'{"text": "\frac{3}{5}"}', r'{"text": "C:\new\folder"}', r'{"text": "3 \times 4"}'])
def test_valid_json_is_never_changed_and_a_suspicious_escape_is_noticed(text: str) -> None:
    repaired = repair(text, TEXT)
    assert repaired.ok
    assert not repaired.edits
    assert [(one.pointer, one.kind) for one in repaired.notices] == [("/text", "suspicious_escape")]


@pytest.mark.parametrize(
    ("number", "read"),
    [
        ("12345678901234567890.10", "1.2345678901234567e+19"),
        ("0.1234567890123456789", "0.12345678901234568"),
        ("0.10000000000000001", ""),
        ("0.1000000000000000055511151231257827", ""),  # a float, with all its digits
        ("1.50000000000000000000", ""),
        ("123456789012345678901", ""),
    ],
)
def test_a_number_with_more_digits_than_a_float_keeps_is_noticed(number: str, read: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "number"}}}
    for text in (f'{{"n": {number}}}', f"Here: {{'n': {number}}}"):
        noticed = [str(one) for one in repair(text, schema).notices]
        assert noticed == ([f"/n: {number} is read as {read}: a float has 17 digits"] if read else [])
    refused = [issue.kind for issue in repair(f'{{"n": "{number}"}}', schema).issues]
    assert refused == (["refused_edit"] if read else [])


@pytest.mark.parametrize("text", ["{“text”: “said \\“never\\” ok”}", '{"text": "said \\“never\\” ok"}'])
def test_a_backslash_before_a_quote_of_another_kind_is_no_content(text: str) -> None:
    assert found(text, TEXT) == {"text": "said “never” ok"}


def test_a_parameter_that_a_text_swallowed_is_noticed() -> None:
    text = json.dumps({"text": 'A note.</text>\n<parameter name="tags">["a"]'})
    assert [(one.pointer, one.kind) for one in repair(text, TEXT).notices] == [("/text", "leaked_parameter")]
    assert repair(json.dumps({"text": 'Write <parameter name="tags"> in each call.'}), TEXT).notices == ()


def test_results_and_the_gate_show_what_was_noticed() -> None:
    text = r'{"text": "\frac{3}{5}"}'
    (result,) = extract_many(["3/5"], TEXT, Scripted(text), "Prompted()")
    assert result.ok
    assert [one.kind for one in result.notices] == ["suspicious_escape"]
    found = validate([text, r'{"text": "a\nb"}', '{"text": "a"}'], TEXT)
    assert (found.valid, found.noticed, found.passed) == (3, 1, True)


@pytest.mark.parametrize("text", [r'{"text": "a\tb\nc"}', r'{"text": "say \"hi\"\n"}', '{"text": "a\\u00e9"}'])
def test_usual_escapes_are_not_suspicious(text: str) -> None:
    assert repair(text, TEXT).notices == ()


AMOUNT = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1.2M", 1_200_000), ("5k", 5000), ("3 dozen", 36), ("2.5 million", 2_500_000), ("0.1 thousand", 100),
        ("2 hours", ["ambiguous", "type"]), ("5 kg", ["ambiguous", "type"]), ("5 m", ["ambiguous", "type"]),
    ],
)  # fmt: skip
def test_a_magnitude_is_applied_and_a_unit_is_never_dropped(written: str, value: Any) -> None:
    got = found(f'{{"amount": "{written}"}}', AMOUNT, "lossy")
    assert got == (value if isinstance(value, list) else {"amount": value})


@pytest.mark.parametrize(
    "comment", ["// ... 48 more items", "/* remaining items omitted */", "# and so on", "// ... rest of the list"]
)
def test_an_answer_that_says_it_left_something_out_is_not_whole(comment: str) -> None:
    schema = {"type": "object", "properties": {"items": {"type": "array", "items": {"type": "integer"}}}}
    assert found(f'{{"items": [1, 2, {comment}\n]}}', schema) == ["refused_edit"]
    assert found('{"items": [1, 2, // the sizes in mm\n 3]}', schema) == {"items": [1, 2, 3]}


@pytest.mark.parametrize("nothing", ['"N/A"', '"None"', '""', "false"])
def test_a_word_for_nothing_is_no_item(nothing: str) -> None:
    schema = {
        "type": "object",
        "properties": {"tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["tags"],
    }
    assert "type" in found(f'{{"tags": {nothing}}}', schema)
    assert found('{"tags": "red"}', schema) == {"tags": ["red"]}
    assert found('{"tags": "- red\\n- blue"}', schema) == {"tags": ["red", "blue"]}
    assert found('{"tags": "1. red\\n2. blue"}', schema) == {"tags": ["red", "blue"]}


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>\n<function=put>\n<parameter=id>1</parameter>\n<parameter=name>bolt</parameter>\n</function>\n</tool_call>",
        '<invoke name="put"><parameter name="id">1</parameter><parameter name="name">bolt</parameter></invoke>',
        f'<tool_call>{{"name": "put", "arguments": {ONE}}}</tool_call>',
        f'[TOOL_CALLS] [{{"name": "put", "arguments": {ONE}}}]',
        '{"type": "function", "function": {"name": "put", "arguments": "{\\"id\\": 1, \\"name\\": \\"bolt\\"}"}}',
        "Part(id=1, name='bolt')",
        "[put(id=1, name='bolt')]",
        "<part><id>1</id><name>bolt</name></part>",
        "[[ ## id ## ]]\n1\n\n[[ ## name ## ]]\nbolt\n\n[[ ## completed ## ]]",
    ],
)
def test_calls_of_tools_and_records_in_xml_are_read(text: str) -> None:
    assert found(text, PART) == {"id": 1, "name": "bolt"}


def test_an_element_of_xml_that_occurs_again_is_a_list() -> None:
    schema = {"type": "object", "properties": {"tag": {"type": "array", "items": {"type": "string"}}}}
    assert found("<part>\n <tag>x</tag>\n <tag>y</tag>\n</part>", schema) == {"tag": ["x", "y"]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'text': datetime.date(2024, 3, 5)}", {"text": "2024-03-05"}),
        ("{'text': datetime.datetime(2024, 3, 5, 10, 30)}", {"text": "2024-03-05T10:30:00"}),
        ("{'text': <Color.RED: 'red'>}", {"text": "red"}),
        ('{{"text": "a"}}', {"text": "a"}),
        ('{"text": The quick, brown fox: a story,\n "n": 2}', {"text": "The quick, brown fox: a story", "n": 2}),
    ],
)
def test_other_spellings_of_python_and_lost_quotes(text: str, value: Any) -> None:
    assert found(text, TEXT) == value


def test_tuples_and_names_of_enumerations_are_read() -> None:
    schema = {
        "type": "object",
        "properties": {"points": {"type": "array", "items": {"type": "integer"}}, "colour": {"enum": ["red", "blue"]}},
    }
    assert found("{'points': (1, 2), 'colour': 'Color.RED'}", schema) == {"points": [1, 2], "colour": "red"}
    assert found("{'points': (1,)}", schema) == {"points": [1]}
    assert found("apple<|im_end|>", {"enum": ["apple", "pear"]}) == "apple"


@pytest.mark.parametrize(("text", "kept"), [
    ('{"text": "see {x}', None),  # cut off inside the string, or its quote is missing before the last brace
    ('{"text": "a [1, 2]', None),
    ('{"text": "f({a: 1}', None),
    ('{"text": "see x}', {"text": "see x"}),
    ('{"text": "see {x} and y}', {"text": "see {x} and y"}),
])  # fmt: skip
def test_a_brace_that_a_text_opened_does_not_end_the_document(text: str, kept: Any) -> None:
    assert found(text, TEXT) == (kept or ["truncated"])
