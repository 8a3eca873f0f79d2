"""What a model reads about each kind of issue: the fault and the remedy, and nothing that only people can use."""

import re
from typing import Any, get_args

import pytest

from structout.issue import Issue, IssueKind
from structout.parsing import repair
from structout.prompts import objection
from structout.prompts.objections import complaint
from structout.schema import Schema

ITEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2, "pattern": "^[A-Z]"},
        "age": {"type": "integer", "maximum": 150},
        "level": {"enum": ["low", "high"]},
        "born": {"type": "string", "format": "date"},
        "size": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
# Words that say nothing to a model: positions in the text, options of structout, names of its grades.
FOREIGN = re.compile(
    r"\b(?:line|column|character|offset) \d|decimal=|policy|lossless|lossy|invented|jsonschema|pydantic|structout"
    r"|'(?:any|one|all)Of'|under the given schema",
    re.IGNORECASE,
)
FOUND: list[tuple[IssueKind, str, str]] = [
    ("not_json", "I do not know.", "not one JSON document"),
    ("duplicate_key", '{"name": "Ann", "age": 3, "age": 4}', "write each key once"),
    ("non_finite", '{"name": "Ann", "age": NaN}', "JSON has no NaN"),
    ("missing", '{"name": "Ann"}', 'the key "age" is missing: add it, with what the record says'),
    ("unexpected", '{"name": "Ann", "age": 3, "pet": 1}', 'the schema has no key "pet": leave it out'),
    ("type", '{"name": "Ann", "age": "x"}', '/age: "x" is not a whole number'),
    ("enum", '{"name": "Ann", "age": 3, "level": "mid"}', '/level: "mid" is not one of "low" or "high"'),
    ("range", '{"name": "Ann", "age": 300}', "/age: 300 is above the maximum 150"),
    ("length", '{"name": "A", "age": 3}', '/name: "A" has 1 character, expected at least 2'),
    ("pattern", '{"name": "ann", "age": 3}', '/name: "ann" does not match the pattern ^[A-Z]'),
    ("format", '{"name": "Ann", "age": 3, "born": "x"}', '/born: "x" is not a date (YYYY-MM-DD)'),
]
REFUSED = [
    ('{"name": "Ann", "age": 3.7}', "/age: 3.7 is not a whole number: write the whole number that the record gives"),
    ('{"name": "Ann", "age": 3, "pet": "cat"}', "/pet: the schema has no such key: leave it out"),
    ('{"name": "Ann", "age": 3, "level": "often"}', '/level: "often" is not allowed here'),
    ('{"name": "Ann", "age": 3, "tags": ["a", ...]}', "... stands for something left out: write all of it"),
    ('{"name": "Ann", "age": 3, "age": 4}', "write each key once"),
    ('{"name": "Ann", "age": 3, "size":}', "the value is missing: write what the record says"),
]
AMBIGUOUS = [
    ('{"name": "Ann", "age": "1,200"}', "write it without a thousands sign"),
    ('{"name": "Ann", "age": 3, "born": "05/03/2024"}', "may be 2024-05-03 or 2024-03-05: write one of them"),
    ('{"name": "Ann", "age": 3, "size": "2 hours"}', "write the number alone"),
    ('{"name": "Ann", "age": 3} or {"name": "Ann", "age": 4}', "does not say which counts: give one"),
]


@pytest.mark.parametrize(("kind", "text", "expected"), FOUND)
def test_a_model_reads_what_is_wrong_and_what_to_write(kind: IssueKind, text: str, expected: str) -> None:
    issues = [issue for issue in Schema.of(ITEM).check_text(text).issues if issue.kind == kind]
    assert issues
    assert expected in complaint(issues[0])


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_a_refused_edit_becomes_advice(text: str, expected: str) -> None:
    found = repair(text, ITEM)
    assert not found.ok
    assert expected in objection(found.issues, found.edits)


@pytest.mark.parametrize(("text", "expected"), AMBIGUOUS)
def test_an_ambiguous_text_is_asked_for_in_one_way(text: str, expected: str) -> None:
    found = repair(text, ITEM)
    assert found.issues[0].kind == "ambiguous"
    assert expected in complaint(found.issues[0])


@pytest.mark.parametrize("text", [text for _, text, _ in FOUND] + [text for text, _ in REFUSED + AMBIGUOUS])
def test_no_position_and_no_option_reaches_a_model(text: str) -> None:
    for found in (repair(text, ITEM), repair(text[:-1], ITEM)):
        assert not FOREIGN.search(objection(found.issues, found.edits))
    assert not FOREIGN.search(objection(Schema.of(ITEM).check_text(text).issues))


@pytest.mark.parametrize("kind", get_args(IssueKind))
def test_every_kind_has_words_for_a_model(kind: IssueKind) -> None:
    message = "expected value at line 1 column 2" if kind in ("not_json", "duplicate_key", "non_finite") else "M"
    if kind in ("truncated", "stuck", "unanswered"):
        message = "cut off at character 70 under policy 'lossless'"
    said = complaint(Issue("/a", kind, message))
    assert said.startswith("/a: ")
    assert len(said) > len("/a: ")
    assert not FOREIGN.search(said)


def test_the_same_complaint_is_made_once() -> None:
    issues = [Issue("", "not_json", f"expected value at line 1 column {n}") for n in range(3)]
    assert objection(issues).count("\n- ") == 1
