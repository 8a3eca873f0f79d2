"""What the gate says of documents that repair does not save: reasons, places, and fields with a threshold."""

import json
from typing import Any

import pytest
from pydantic import BaseModel

from structout import Findings, Thresholds, repair, validate
from structout.gate.reports import as_markdown
from structout.issue import Issue
from structout.parsing import Policy


class Part(BaseModel):
    """A part, whose note may be null but not absent."""

    kind: str
    note: str | None
    size: float


class Order(BaseModel):
    """An order of parts."""

    parts: list[Part]


GOOD = '{"kind": "hex", "note": null, "size": 6}'


def issues(text: str, policy: Policy | None = "lossless", schema: Any = Part) -> list[Issue]:
    found = validate([text], schema, repair=policy)
    return [issue for one in found.sample for issue in one.issues]


@pytest.mark.parametrize("policy", [None, "lossless", "lossy"])
@pytest.mark.parametrize(
    ("text", "place", "schema"),
    [
        ('{"kind": "hex", "size": 6}', "", Part),
        (f'{{"parts": [{GOOD}, {{"kind": "hex", "size": 6}}]}}', "/parts/1", Order),
    ],
)
def test_a_key_that_is_missing_is_called_missing_though_it_may_be_null(
    text: str, place: str, schema: Any, policy: Policy | None
) -> None:
    (issue,) = issues(text, policy, schema)
    assert (issue.kind, issue.pointer, issue.key) == ("missing", place, "note")
    assert issue.message == 'the key "note" is missing'


TWICE = '"note": "x", "note": "y"'


@pytest.mark.parametrize(
    "text",
    [
        f'{{"kind": "hex", {TWICE}, "size": 6}}',
        f'```json\n{{"kind": "hex", {TWICE}, "size": "6"}}\n```',
        f"{{'kind': 'hex', {TWICE}, 'size': 6,}}",
        f'{{"kind": "hex", {TWICE}}}',
        f'{{"kind": "hex", {TWICE}, "size": "six"}}',
        f'{{"kind": "hex", {TWICE}, "size": "1,200"}}',
        f'{{"kind": "hex", {TWICE}, "size": 6}} or {{"kind": "hex", {TWICE}, "size": 7}}',
        f'{{"kind": "hex", {TWICE}, "size": 6',
    ],
)
def test_a_key_that_occurs_twice_is_told_whatever_else_repair_did(text: str) -> None:
    told = [issue.message for issue in issues(text) if issue.kind == "duplicate_key"]
    assert told == ['the key "note" occurs twice: with "x" and with "y"']
    assert not [issue for issue in issues(text) if "duplicate_key, lossy" in issue.message]


def test_a_key_that_occurs_twice_with_one_value_is_no_issue() -> None:
    assert issues(GOOD.replace('"size"', '"note": null, "size"')) == []


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "hex", "note": "it is a text", "size": 6.25},
        {"parts": [{"kind": "a", "note": None, "size": 1}, {"kind": "b", "note": "x", "size": 2}]},
        [[1, "two"], {"three": [True, None]}],
    ],
)
def test_the_reason_of_a_text_that_was_cut_off_is_the_same_with_repair(document: Any) -> None:
    whole = json.dumps(document)
    for length in range(2, len(whole)):
        text = whole[:length]
        plain = issues(text, None, {"type": ["object", "array"]})
        assert str(plain[0]).startswith("(document): cut off: "), text
        schema = Order if "parts" in whole else Part
        assert str(issues(text, "lossless", schema)[0]) == str(plain[0]), text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{'kind': 'hex', 'note': 'x", "a text"),
        ("{'kind': 'hex', 'note':", "a value"),
        ("Here it is: {'kind': 'hex', 'note': 'x'", "an object"),
        ("{'kind': ['hex', 'x'", "a list"),
    ],
)
def test_the_reason_says_what_is_open_where_repair_also_changed_quotes(text: str, what: str) -> None:
    assert issues(text)[0].message == f"cut off: {what} is open at the end, character {len(text)}"
    assert issues(text)[0].kind == "truncated"


AMBIGUOUS = f"{GOOD} or {GOOD.replace('hex', 'flange')}"


@pytest.mark.parametrize("text", [AMBIGUOUS, GOOD[:-1], "{'kind': 'a', 'kind': 'b', 'note': null, 'size': 6}"])
@pytest.mark.parametrize("policy", [None, "lossless"])
def test_no_field_is_valid_in_a_document_that_could_not_be_read(text: str, policy: Policy | None) -> None:
    found = counted(text, policy)
    assert (found.invalid, found.bad_fields["kind"], found.bad_fields["size"]) == (1, 1, 1)


def test_a_field_is_valid_beside_a_value_with_two_readings() -> None:
    assert counted(GOOD.replace("6", '"1,200"'), "lossless").bad_fields == {"size": 1}


def counted(text: str, policy: Policy | None) -> Findings:
    return validate([text], Part, repair=policy, thresholds=Thresholds(0.0, None, {"kind": 1, "size": 1}))


@pytest.mark.parametrize("text", [AMBIGUOUS, f'{GOOD}\n{GOOD[:-1]}, "size": [}}', f"{GOOD} or {{'kind': 'b'}}"])
def test_an_answer_that_repair_would_drop_is_no_lossless_change(text: str) -> None:
    found = validate([text], Part, repair="lossless")
    dropped = [edit.grade for one in found.sample for edit in one.changes if "{" in edit.before and not edit.after]
    assert dropped == ["lossy"]


def test_text_around_an_answer_with_a_fault_is_dropped_without_a_loss() -> None:
    (prose,) = repair(f"Here: {GOOD.replace('6', '[]')}", Part).edits
    assert (prose.kind, prose.grade) == ("prose", "lossless")


@pytest.mark.parametrize("policy", [None, "lossless"])
@pytest.mark.parametrize("number", ["NaN", "-Infinity", "Infinity"])
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": [{"b c": 1}, {"b/c": %s}]}', "/a/1/b~1c"),
        ("[1, [2, %s], 3]", "/1/1"),
        ("%s", ""),
        ('{"a": %s, "NaN": "NaN"}', "/a"),
    ],
)
def test_a_number_that_is_not_finite_has_its_place(text: str, number: str, place: str, policy: Policy | None) -> None:
    (issue,) = issues(text % number, policy, {})
    assert (issue.kind, issue.pointer) == ("non_finite", place)
    assert issue.message == f"JSON has no {number}"


def test_a_number_that_is_too_large_has_its_place_and_the_number_of_others() -> None:
    (issue,) = issues('{"a": 1, "b": [1e999, 2, -1e999]}', None, {})
    assert (str(issue), issue.kind) == ("/b/0: a number is too large to hold, and 1 more", "non_finite")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('{"kind": "hex"', [("truncated", "")]),
        ('{"parts": [{"kind": "hex"}, {"kind": "a", "no', [("truncated", ""), ("missing", "/parts/*/note")]),
        ('{"parts": [{"kind": "hex", "note": null, "size": 1}, {"ki', [("truncated", "")]),
        ('Here: {\'parts\': [{"kind": "hex"}, {"kind": "a", "note": "x', [("missing", "/parts/*/size")]),
    ],
)
def test_keys_that_the_missing_end_would_have_held_are_no_issues(text: str, places: list[tuple[str, str]]) -> None:
    found = validate([text], Order if "parts" in text else Part, repair="lossless")
    assert set(places) <= found.kinds.keys()
    assert [one.pointer for one in found.sample[0].issues if one.kind == "missing"] in ([], ["/parts/0", "/parts/0"])


def test_keys_that_are_missing_are_counted_one_by_one() -> None:
    found = validate(['{"kind": "a", "size": 1}', '{"kind": "b"}'], Part)
    assert found.frequent() == [(("missing", "/note"), 2), (("missing", "/size"), 1)]
    assert "| missing | `/note` | 2 |" in as_markdown(found)
    assert "A document can have several issues" in as_markdown(found)
