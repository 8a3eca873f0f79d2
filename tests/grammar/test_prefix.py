"""What of the beginning of a JSON text stands for good."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from structout.grammar.prefix import additions, read_prefix
from structout.grammar.prefix_validator import PrefixValidator
from structout.schema import Schema
from tests.nesting import nested

DOCUMENTS = nested(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def within(part: Any, whole: Any) -> bool:
    """Whether `part` is `whole` with some of what comes last left out."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(within, part, whole))
    return type(part) is type(whole) and bool(part == whole)


@given(DOCUMENTS, st.booleans(), st.data())
def test_every_beginning_holds_a_part_of_the_document(document: Any, ascii_only: bool, data: st.DataObject) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only).encode()
    prefix = read_prefix(text[: data.draw(st.integers(0, len(text)))])
    assert not prefix.is_lost
    assert prefix.document is None or within(prefix.document, document)
    whole = read_prefix(text + b" ")
    assert whole.document == document
    assert not whole.open


def test_what_is_open_is_told_from_what_is_complete() -> None:
    prefix = read_prefix(b'{"a": [1, {"b": "x", "c')
    assert prefix.document == {"a": [1, {"b": "x"}]}
    assert prefix.open == {(), ("a",), ("a", 1)}
    assert read_prefix(b'[true, "nul]').document == [True]


def test_bytes_that_are_not_unicode_are_read_as_in_the_document() -> None:
    assert read_prefix(b'["a\xff", "b\xe6\xbc').document == ["a\ufffd"]


def test_a_key_twice_and_a_number_too_large_are_lost() -> None:
    assert read_prefix(b'{"a": 1, "a"').is_lost
    assert read_prefix(b"[1e999, ").is_lost
    assert not read_prefix(b'{"a": 1, "a').is_lost
    assert not read_prefix(b"[1e999").is_lost


def test_a_beginning_is_refused_for_what_cannot_change_alone() -> None:
    judge = PrefixValidator(
        Schema.of(
            {
                "properties": {
                    "a": {"oneOf": [{"const": 1}, {"enum": [1, 2]}]},
                    "l": {"uniqueItems": True, "minItems": 3},
                },
                "if": {"required": ["z"]},
                "else": {"properties": {"a": {"const": 1}}},
                "anyOf": [{"required": ["y"]}, {"required": ["z"]}],
            }
        )
    )  # fmt: skip
    assert judge.refuses(b'{"a": 1, ', '{"a": 1, "y": 0, "z": 0}')
    assert not judge.refuses(b'{"a": 2, ', '{"a": 2, "y": 0}')
    assert judge.refuses(b'{"l": [1, 2, 1, ', '{"l": [1, 2, 1, 3], "y": 0}')
    assert not judge.refuses(b'{"l": [1, 2, 1', '{"l": [1, 2, 1], "y": 0}')


def test_additions_go_where_a_container_is_closed() -> None:
    assert additions(b'["hay', '"]', [["needle"]]) == ['", "needle"]']
    assert additions(b"[", "]", [["needle"]]) == ['"needle"]']
    found = additions(b'{"l": [{"a": 1', "}]}", [{"l": [{"a": 0, "b": 2}], "m": 3}])
    assert found[0] == ', "b": 2}]}'
    assert '}], "m": 3}' in found
