"""Which tokens carry values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout.decoding.values import value_tokens
from tests.nesting import nested


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (['{"', "na", "me", '": "', "Bo", "sch", '", "', "n", '": ', "12", "}"], "0 0 0 0 1 1 0 0 0 1 0"),
        (['{"a": [true', ", null", ', "x\\"', 'y"]}'], "1 1 1 1"),
        (['{"a": "', '"}'], "0 1"),
        (['["', "cut o"], "0 1"),
        (['{"cut o'], "1"),
        (["[", "]"], "0 0"),
    ],
)
def test_contents_of_strings_numbers_and_literals_are_values(pieces: list[str], expected: str) -> None:
    found = value_tokens([piece.encode() for piece in pieces])
    assert " ".join(str(int(value)) for value in found) == expected


@given(
    nested(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_every_document_has_as_many_stretches_of_value_as_it_has_leaves(document: object) -> None:
    def leaves(node: object) -> int:
        if isinstance(node, dict):
            return sum(map(leaves, node.values()))
        return sum(map(leaves, node)) if isinstance(node, list) else 1

    text = json.dumps(document).encode()
    found = value_tokens([text[i : i + 1] for i in range(len(text))])
    assert sum(value and not before for before, value in zip((False, *found), found, strict=False)) == leaves(document)
