import unicodedata

import pytest

from structout.words import caseless, goes_on, is_unspaced, plain_words, same_text


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_words_are_the_same_however_their_accents_are_written(form: str) -> None:
    text = unicodedata.normalize(form, "Crème brûlée, 2x")  # type: ignore[arg-type]
    assert plain_words(text) == ["creme", "brulee", "2x"]
    assert not any(goes_on(text, at) for at, char in enumerate(text) if char == " ")
    assert all(goes_on(text, at) for at in range(1, text.index(" ")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("IŞIK Łódź", ["isik", "lodz"]),
        ("मार्च २०२४", ["मार्च", "2024"]),
        ("٢٠٢٤ الأمل", ["2024", "الامل"]),
        ("合計3,580円", ["合", "計", "3", "580", "円"]),
        ("ブレンドコーヒー2点", ["フ\u3099レント\u3099コーヒー", "2", "点"]),
        ("Ｎｏ．３０５", ["no", "305"]),
    ],
)
def test_words_of_other_scripts(text: str, words: list[str]) -> None:
    assert plain_words(text) == words


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("山田商店様", 4, False),
        ("合計3", 2, False),
        ("コーヒー", 2, True),
        ("米コーヒー", 1, False),
        ("मार्च", 1, True),
        ("ab", 1, True),
    ],
)
def test_a_word_ends_where_its_script_has_no_spaces(text: str, at: int, *, expected: bool) -> None:
    assert goes_on(text, at) is expected


def test_texts_are_the_same_in_any_encoding_and_in_any_case() -> None:
    assert same_text("é", "e\u0301")
    assert not same_text("é", "e")
    assert caseless("IŞIK İ") == caseless("ışık i")
    assert caseless("GROSSE") == caseless("große")
    assert is_unspaced("東京")
    assert is_unspaced("コーヒー")
    assert not is_unspaced("Łódź")
