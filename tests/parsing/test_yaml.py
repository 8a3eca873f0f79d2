"""Documents in YAML, with the mistakes that models make."""

from typing import Any

import pytest

from structout.parsing import repair
from structout.schema import Schema

SCHEMA: Schema[Any] = Schema.of(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "note": {"type": "string"},
            "size": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "parts": {"type": "array", "items": {"type": "object", "required": ["id"]}},
        },
        "required": ["name"],
        "additionalProperties": False,
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: pad\nsize: 4\n", {"name": "pad", "size": 4}),
        ("Here it is:\n```yaml\nname: pad\ntags:\n- a\n- b\n```\nBye.", {"name": "pad", "tags": ["a", "b"]}),
        ('name: "a" b\n', {"name": '"a" b'}),
        ("name: pad: front, left\n", {"name": "pad: front, left"}),
        (
            "name: pad\nparts:\n\t- id: 1\n\t  of: 2\n\t- id: 2\n",
            {"name": "pad", "parts": [{"id": 1, "of": 2}, {"id": 2}]},
        ),
        (
            "name: pad\nparts:\n- id: 1\n  of:\n    deep: yes\n",
            {"name": "pad", "parts": [{"id": 1, "of": {"deep": "yes"}}]},
        ),
        ("name: |\n  one\n  two\nsize: 1\n", {"name": "one\ntwo\n", "size": 1}),
        ("name: >-\n  one\n  two\n\n  three\n", {"name": "one two\nthree"}),
        ("name: 'it''s'  # a comment\ntags: [a, 'b']\n", {"name": "it's", "tags": ["a", "b"]}),
        ("name: pad\nnote: 1.10\nsize: '4'\n", {"name": "pad", "note": "1.10", "size": 4}),
        ("---\nname: pad\n...\n", {"name": "pad"}),
        ("- name: pad\n- size: 4\n", {"name": "pad", "size": 4}),
        ("**Name:** pad\n**Size:** 4\n", {"name": "pad", "size": 4}),
        ("name: one\n  two\nsize: 3", {"name": "one two", "size": 3}),
        ("name:pad\nsize: 3", {"name": "pad", "size": 3}),
        ('"name": "pad",\n"size": 4}', {"name": "pad", "size": 4}),
    ],
)
def test_yaml_is_read_like_json(text: str, expected: object) -> None:
    found = repair(text, SCHEMA)
    assert found.ok, found.issues
    assert found.document == expected


def test_bullets_make_a_list() -> None:
    schema: Schema[Any] = Schema.of({"type": "array", "items": {"type": "string"}})
    assert repair("The tags:\n\n- red\n- green\n", schema).document == ["red", "green"]


def test_the_format_can_be_told() -> None:
    assert repair("name: pad", SCHEMA, format="yaml").ok
    assert not repair("name: pad", SCHEMA, format="json").ok


def test_prose_is_no_yaml() -> None:
    open_schema: Schema[Any] = Schema.of({"type": "object"})
    assert not repair("I'm sorry: that is not possible.\nNote: nothing was found.", open_schema).ok


def test_a_key_twice_is_refused() -> None:
    assert not repair("name: a\nname: b\n", SCHEMA).ok
