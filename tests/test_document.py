import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout.document import leaf_places, parse_json, scalars
from tests.nesting import nested

documents = nested(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(documents, st.booleans())
def test_what_json_writes_is_read_back(document: object, ascii_only: bool) -> None:
    assert parse_json(json.dumps(document, ensure_ascii=ascii_only)) == (document, None)


@given(st.text())
def test_any_text_is_a_document_or_an_issue(text: str) -> None:
    document, issue = parse_json(text)
    assert issue is None or document is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "not_json"),
        ("{'a': 1}", "not_json"),
        ('{"a": 1} and more', "not_json"),
        ('{"a": 1,}', "not_json"),
        ("\ud800", "not_json"),
        ('"\\ud800"', "not_json"),
        ('"\x00"', "not_json"),
        ("[" * 100_000, "not_json"),
        ('{"a": 1, "a": 2}', "duplicate_key"),
        ('{"a": 1, "\\u0061": 2}', "duplicate_key"),
        ('{"b": [{"a": 1, "a": 1}]}', "duplicate_key"),
        ("NaN", "non_finite"),
        ('{"a": [-Infinity]}', "non_finite"),
        ("1e999", "non_finite"),
        ("[1, -1E+400]", "non_finite"),
        ("9" * 400 + ".0", "non_finite"),
    ],
)
def test_what_a_careful_reader_refuses(text: str, kind: str) -> None:
    document, issue = parse_json(text)
    assert document is None
    assert issue is not None
    assert issue.kind == kind


def test_numbers_are_not_worn_down() -> None:
    assert parse_json("123456789012345678901234567890") == (123456789012345678901234567890, None)
    assert parse_json("9" * 400) == (int("9" * 400), None)
    assert parse_json("1e300") == (1e300, None)


@given(documents)
def test_each_scalar_is_found_where_it_stands(document: Any) -> None:
    for text in (json.dumps(document), json.dumps(document, indent=1, ensure_ascii=False)):
        places = leaf_places(text)
        read = {place: json.loads(text.encode()[slice(*span)]) for place, span in places.items()}
        assert read == scalars(document)
