import unicodedata

import pytest

from structout.words import goes_on, plain_words


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_words_are_the_same_however_their_accents_are_written(form: str) -> None:
    text = unicodedata.normalize(form, "Crème brûlée, 2x")  # type: ignore[arg-type]
    assert plain_words(text) == ["creme", "brulee", "2x"]
    assert not any(goes_on(text, at) for at, char in enumerate(text) if char == " ")
    assert all(goes_on(text, at) for at in range(1, text.index(" ")))
