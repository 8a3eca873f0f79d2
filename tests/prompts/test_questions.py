import pytest

from structout.document import Json
from structout.prompts.questions import spoken, written_out


@pytest.mark.parametrize(
    ("document", "place", "words"),
    [
        ({"part_numbers": ["x"]}, "/part_numbers/0", "part numbers 1"),
        ({"sales": {"2024": 7}}, "/sales/2024", "sales 2024"),
        ({"sales": [{"0": 7}]}, "/sales/0/0", "sales 1 0"),
        ({"a/b~c": 1}, "/a~1b~0c", "a/b~c"),
        ("x", "", ""),
    ],
)
def test_an_index_is_spoken_from_one_and_a_key_as_it_is(document: Json, place: str, words: str) -> None:
    assert spoken(document, place) == words


def test_a_document_is_written_out_with_the_names_of_its_values() -> None:
    assert sorted(written_out({"sales": {"2024": 7}, "items": ["nut"]}).splitlines()) == [
        "items 1: nut",
        "sales 2024: 7",
    ]
    assert written_out("x") == "x"
