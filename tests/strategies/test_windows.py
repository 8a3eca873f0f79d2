"""Cutting of long texts: what stays together, what is repeated, and that nothing is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.long.documents import document
from structout import load_model
from structout.completion import Message, Prompt
from structout.models.wrappers.base import innermost
from structout.strategies.pieces import pieces
from structout.strategies.windows import Window, counter, cut
from tests.conftest import needs

COUNT = counter(None)
TITLES = "Article   Description          Qty     Amount\n"
PARTS = st.sampled_from([
    TITLES, "A1   bolt, zinc   3   12.50\n", "     wrapped on\n", "-----   -----\n", "| a | b |\n", "|---|---|\n",
    "| 1 | 2 |\n", "x;y;z\n", "1;2;3\n", '1;"a\n', 'b";3\n', "A sentence. Another one! ", "word " * 30, "\n", "\r\n",
    "\f", "\r", "単語。次の文。", "\u2028", "\ud800", "no end", " ", "\t",
])  # fmt: skip
TEXTS = st.lists(PARTS, max_size=40).map("".join) | st.text(max_size=200)


def windows(text: str, most: int, overlap: int = 0) -> list[Window]:
    return cut(text, most, overlap, COUNT)


@given(TEXTS, st.integers(1, 80), st.integers(0, 40))
def test_no_character_is_lost_and_each_window_goes_on(text: str, most: int, overlap: int) -> None:
    found = windows(text, most, min(overlap, most // 2))
    assert "".join(text[one.start : one.end] for one in pieces(text, most, COUNT)) == text
    reach = 0
    for one in found:
        assert one.start <= reach < one.end
        reach = one.end
        above = text[slice(*one.head)] if one.head else ""
        assert one.text == above + text[one.start : one.end]
        assert "".join(one.pieces) == text[one.start : one.end]
        at = (len(above), len(one.text))
        assert one.in_text(at) == (one.start, one.end)
    assert reach == len(text)


@given(TEXTS, st.integers(4, 80), st.integers(0, 40))
def test_a_window_is_longer_than_asked_only_for_a_piece_that_is_not_cut(text: str, most: int, overlap: int) -> None:
    for one in windows(text, most, min(overlap, most // 2)):
        assert COUNT(one.text) <= most or len(one.pieces) == 1


def test_a_line_and_the_lines_that_continue_it_are_one_piece() -> None:
    text = "A1   bolt   3   4\n       zinc plated\n       in boxes\nA2   nut   1   2\nA3   rod   1   2\n"
    assert [text[one.start : one.end].count("\n") for one in pieces(text, 100, COUNT)] == [3, 1, 1]


def test_a_long_run_of_indented_lines_is_not_one_record() -> None:
    text = "ORDER\n" + "".join(f"   {n}   bolt   M6   {n}.50\n" for n in range(10, 20))
    assert len(pieces(text, 100, COUNT)) == 11


def test_numbers_that_are_aligned_to_the_right_do_not_join_rows() -> None:
    rows = [f"{n:>5}   bolt   M6   1.50\n" for n in (8, 9, 10, 11, 99, 100)]
    found = pieces("".join(rows), 100, COUNT)
    assert all(one.start in (0, *(at * len(rows[0]) for at in range(6))) for one in found)
    assert len(found) == 6


def test_prose_is_cut_between_sentences_and_a_row_is_not() -> None:
    prose = "One sentence stands here. Another one follows it! And a third? " * 4
    assert len(pieces(prose, 8, COUNT)) == 12
    assert len(pieces(prose, 100, COUNT)) == 1
    assert len(pieces(prose.replace(". ", ".\t"), 8, COUNT)) == 1
    assert len(pieces(prose[:190], 8, COUNT)) == 1


def test_a_sentence_that_is_too_long_is_cut_between_words() -> None:
    text = "word " * 100
    assert all(one.text.startswith("word") and COUNT(one.text) <= 20 for one in windows(text, 20))


@pytest.mark.parametrize(
    ("head", "row"),
    [
        (TITLES + "-" * 40 + "\n", "A{0}   bolt   {0}   12.50\n"),
        ("| Article | Qty in 2026 |\n|---|---:|\n", "| A{0} | {0} |\n"),
        ("article;description;qty\n", "A{0};bolt;{0}\n"),
        ("article,description,qty\n", 'A{0},"bolt,\nzinc",{0}\n'),
    ],
)
def test_the_head_of_a_table_stands_above_each_window_that_continues_it(head: str, row: str) -> None:
    text = "Order 7\n\n" + head + "".join(row.format(n) for n in range(100, 140)) + "\nThank you.\n"
    first, *rest = windows(text, 60, 12)
    assert first.head is None
    assert len(rest) > 2
    for one in rest:
        assert one.text.startswith(head)
        assert one.head == (9, 9 + len(head))
        assert one.in_text((0, len(head))) == one.head
        assert one.in_text((len(head) - 1, len(head) + 1)) is None
        assert text[one.start : one.end].startswith(("A", "| A", "\nT", "T"))


def test_titles_that_come_again_are_a_head_and_equal_rows_are_none() -> None:
    row = "A1   bolt   3   12.50\n"
    page = TITLES + row * 10
    for one in windows(f"{page}Page 1\n\f{page}", 30):
        assert one.text.startswith(TITLES)
        assert one.text.count(TITLES) == 1


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("| Day | From | To |\n|---|---|---|\n", "| Monday | closed | closed |\n"),
        ("| Day | From |\n|---|---|\n", "| Monday 1 | closed |\n|---|---|\n"),
        ("Day      From     To\n--------------------\n", "Monday   closed   closed\n"),
    ],
)
def test_rows_without_digits_that_come_again_are_no_titles(head: str, row: str) -> None:
    found = windows(head + row * 40, 30)
    assert len(found) > 3
    assert {one.head for one in found[1:]} == {(0, len(head))}


def test_a_row_above_a_closing_rule_is_no_head() -> None:
    text = TITLES + "----\n" + "A1   bolt   3   12.50\n" * 20 + "-----\nA total of the rows   with   gaps   1\n" * 3
    assert {one.head for one in windows(text, 40)[1:]} == {(0, len(TITLES) + 5)}


def test_a_table_ends_where_prose_goes_on() -> None:
    text = "| a | b |\n|---|---|\n| 1 | 2 |\n" + "This is prose about other things.\n" * 40
    assert windows(text, 30)[-1].head is None


def test_neighbours_share_the_overlap_and_no_more() -> None:
    text = "".join(f"line {n:03}\n" for n in range(100))
    found = windows(text, 27, 9)
    shared = [before.end - after.start for before, after in pairwise(found)]
    assert set(shared) == {36}  # four lines of nine characters


def test_the_same_text_is_always_cut_alike() -> None:
    made = document("order", 200, 3)
    assert windows(made.text, 200, 40) == windows(document("order", 200, 3).text, 200, 40)


@needs("torch")
def test_a_model_that_counts_tokens_counts_the_windows() -> None:
    model = innermost(load_model("embedded"))
    count = counter(model.encode)
    text = document("order", 60).text
    inside = len(model.encode(Prompt((Message("user", text),)))) if count(text) < 1000 else None
    assert count("") == 0
    assert inside is None or count(text) < inside
    assert all(count(one.text) <= 210 for one in cut(text, 200, 40, count))
    assert count("\ud800") == 1  # which the model will refuse
