"""Syntax that models get wrong, and the data that must come through it unharmed."""

from typing import Any

import pytest

from structout.document import parse_json, read_json
from structout.parsing import apply, repair
from structout.parsing.allowance import Allowance
from structout.parsing.syntax.faults import fix
from structout.parsing.syntax.reader import read_at
from structout.schema import Schema

ANY: Schema[Any] = Schema.of(True)

CASES: list[tuple[str, object]] = [
    ('{"a": 1,}', {"a": 1}),
    ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
    ('{"a": "x" "b": 2}', {"a": "x", "b": 2}),
    ("[1 2 3]", [1, 2, 3]),
    ('["a" "b"]', ["a", "b"]),
    ("[1,,2]", [1, 2]),
    ('{"a" 1, "b" "x"}', {"a": 1, "b": "x"}),
    ('{"a" = 1; "b" => 2}', {"a": 1, "b": 2}),
    ("{'a': 'it's', 'b': True, 'c': None}", {"a": "it's", "b": True, "c": None}),
    ("{a: 1, b_2: foo bar}", {"a": 1, "b_2": "foo bar"}),
    ("{“a”: “x”, “b”: 2}", {"a": "x", "b": 2}),
    ("{`a`: `b`}", {"a": "b"}),
    ('{"a": "he said "hi" ok", "b": 2}', {"a": 'he said "hi" ok', "b": 2}),
    ('{"a": "5" disc", "b": 2}', {"a": '5" disc', "b": 2}),
    ('{"a": "foo, "b": "bar"}', {"a": "foo", "b": "bar"}),
    ('["foo, "bar", "baz"]', ["foo", "bar", "baz"]),
    ('{"a": foo", "b": 2}', {"a": "foo", "b": 2}),
    ('{"a: 1, "b": 2}', {"a": 1, "b": 2}),
    ('{a": 1}', {"a": 1}),
    ('{"a": "line\ntwo\ttab"}', {"a": "line\ntwo\ttab"}),
    ('{"a": """x "y" z"""}', {"a": 'x "y" z'}),
    (r'{"a": "\ud83d\ude00 \x41 \d \'", }', {"a": "😀 A \\d '"}),
    ('{"a": 1, // note, with "quotes"\n"b": 2 # more\n/* and */}', {"a": 1, "b": 2}),
    ('{"a": 0x1F, "b": 1_000, "c": .5, "d": +5}', {"a": 31, "b": 1000, "c": 0.5, "d": 5}),
    ('{"a": 007, "b": 1,000}', {"a": "007", "b": "1,000"}),
    ('{"a": [1, 2, "b": 3}', {"a": [1, 2], "b": 3}),
    ('{"a": [1, 2}, "b": 1}', {"a": [1, 2], "b": 1}),
    ('[{"a": 1, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    ('{"a": {"b": 1}}, "c": 2}', {"a": {"b": 1}, "c": 2}),
    ('{"a": [1, 2]], "b": 3}', {"a": [1, 2], "b": 3}),
    ('{"a": [{"b": 1}, {"b": 2]}', {"a": [{"b": 1}, {"b": 2}]}),
    ("{\"a\": Decimal('1.5'), 'b': u'x'}", {"a": "1.5", "b": "x"}),
    (r"{\"a\": \"b\"}", {"a": "b"}),
    ('{"a": 1, "a": 1,}', {"a": 1}),
    ('{"a" -> "x", "b" -> {"c" -> 1}}', {"a": "x", "b": {"c": 1}}),
    ("{«a»: «x», «b»: [«y», «z»]}", {"a": "x", "b": ["y", "z"]}),
    ("{u'a': u'x', u'b': [u'y']}", {"a": "x", "b": ["y"]}),
    ('{"a": "one " + "two", "b": 1}', {"a": "one two", "b": 1}),
    ('{"a":\u00a0"x",\u00a0\n"b":\u00a01}', {"a": "x", "b": 1}),
    (r'{"part\_no": "a\_b"}', {"part_no": "a_b"}),
    ("{&quot;a&quot;: &quot;x &amp; y&quot;}", {"a": "x & y"}),
    ('{\n> "a": "x",\n> "b": 2\n> }', {"a": "x", "b": 2}),
    ("{'a': {'b': [1, 'x']}, 'c': True, d: None}", {"a": {"b": [1, "x"]}, "c": True, "d": None}),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_broken_syntax_is_mended_without_loss(text: str, expected: object) -> None:
    found = repair(text, ANY)
    assert found.ok, found.issues
    assert found.document == expected
    assert found.edits
    assert {edit.grade for edit in found.edits} == {"lossless"}


@pytest.mark.parametrize("text", [text for text, _ in CASES if '"a": 1, "a"' not in text])
def test_the_edits_turn_the_text_into_the_document(text: str) -> None:
    found = repair(text, ANY)
    written, issue = parse_json(apply(text, found.edits))
    assert issue is None
    assert written == found.document


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"a": 1, ...}', "ellipsis"),
        ("[1, 2, ...]", "ellipsis"),
        ('{"a": NaN}', "non_finite"),
        ("[Infinity, 1,]", "non_finite"),
        ('{"a": , "b": 1}', "missing_value"),
        ('{"a": 1, "a": 2}', "duplicate_key"),
        (r'["\ud83d"]', "string"),
        ('{"a": "x" "y"}', "string"),
        ('{"a": ""x""}', "string"),
    ],
)
def test_what_is_lost_or_made_up_is_refused_and_named(text: str, kind: str) -> None:
    found = repair(text, ANY)
    assert found.value is None
    named = kind if kind in ("non_finite", "duplicate_key") else "refused_edit"
    assert [issue.kind for issue in found.issues] == [named]
    assert kind in {edit.kind for edit in found.edits if edit.grade != "lossless"}
    assert repair(text, ANY, "any").ok


@pytest.mark.parametrize(
    "text",
    [
        '{"a": tru', '{"a": "x', '{"a": "x"', '{"a": "x",', '{"a": "x", "b', '{"a":', '{"a": {"b": [1, 2', "[1, 2",
        "{", "[",
        "```json\n{\"a\": 1, \"b", "<think>{\"a\": 1}", "Sure: {\"a\": [1, {\"b\": 2}",
    ],
)  # fmt: skip
def test_truncation_is_flagged_whatever_validates(text: str) -> None:
    found = repair(text, ANY)
    assert found.truncated
    assert not found.ok
    assert found.issues[0].kind == "truncated"


def test_a_partial_word_is_no_text() -> None:
    assert repair('{"a": tru', ANY, "any").document == {"a": True}


def test_closers_alone_are_forgiven_if_the_text_is_known_to_be_whole() -> None:
    text = '{"a": [1, {"b": "x"}'
    assert not repair(text, ANY).ok
    found = repair(text, ANY, complete=True)
    assert found.document == {"a": [1, {"b": "x"}]}
    assert found.truncated  # still told
    assert not repair('{"a": [1, {"b": "x', ANY, complete=True).ok


@pytest.mark.parametrize("text", ['```json\n{"a": 1\n```', '{"a": 1\nI hope this helps.'])
def test_a_text_that_goes_on_was_not_cut(text: str) -> None:
    assert repair(text, ANY).document == {"a": 1}


def test_nothing_more_could_have_come() -> None:
    closed = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert repair('{"a": "x"', Schema.of(closed)).document == {"a": "x"}
    assert not repair('{"a": "x', Schema.of(closed)).ok


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "b", "c": [1, 2,],}',
        '{"a": "b" "c": 1}',
        '{"a": 5 "c": {"d": 1} "e": 2}',
        '{"a": "b", /* why */ "c": 1}',
        '{"a": True, "b": [None, False]}',
        '{"a" "b", "c": 1}',
        '{"é": "ü" "c": 1,}',
        '{"a": "\\x69 and \\q", "c": "two\nlines"}',
        '{"a": {"b": [{"c": "d"}',
    ],
)
def test_faults_mended_where_they_are_found_are_those_that_the_parser_mends(text: str) -> None:
    with pytest.raises(ValueError, match=" at line ") as caught:
        read_json(text)
    quick = fix(text, 0, len(text), len(text), str(caught.value), Allowance(10_000))
    slow = read_at(text, 0, len(text), Allowance(10_000))
    assert quick == (slow.document, slow.edits, slow.unclosed)
