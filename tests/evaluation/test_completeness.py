"""How complete lists are."""

import random
from typing import Any

import pytest

from benchmarks.long.documents import Kind, document, read
from structout.errors import DataError
from structout.evaluation import found_share, least_missing, plant


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("order", f"{'A99999':<10}{'Planted bolt':<44}{7:>8}{'8.50':>14}"),
        ("markdown", "| A99999 | Planted bolt | 7 | 8.50 |"),
        ("csv", "A99999;Planted bolt;7;8.50"),
    ],
)
def test_planted_rows_are_rows_of_the_text_and_change_no_other_row(kind: Kind, row: str) -> None:
    made = document(kind, 50)
    text = plant(made.text, [row] * 5, seed=3)
    planted: Any = {"code": "A99999", "text": "Planted bolt", "quantity": 7, "amount": 8.5}
    found = read(text)["lines"]
    assert found_share([planted] * 5, found).value == 1
    assert [line for line in found if line != planted] == made.truth["lines"]
    assert plant(made.text, [row] * 5, seed=3) == text != plant(made.text, [row] * 5, seed=4)


def test_a_row_unlike_all_others_is_not_planted() -> None:
    with pytest.raises(DataError, match="no row of the text is like"):
        plant(document("order", 5).text, ["a | b | c"])


def test_the_share_found_counts_equal_items_as_often_as_they_are_known() -> None:
    share = found_share([1, 1, "a", {"b": 2}], [1, {"b": 2.0}, "c", "c"])
    assert share.value == 0.5
    assert share.n == 4
    assert share.low < 0.5 < share.high
    assert found_share([], [1]).n == 0


def _readings(rows: int, times: int, lost: float, hard: float, chance: random.Random) -> list[list[Any]]:
    """Readings that lose a share of the rows each by chance, and all of them the same hard rows."""
    easy = [n for n in range(rows) if chance.random() >= hard]
    return [[n for n in easy if chance.random() >= lost] for _ in range(times)]


@pytest.mark.parametrize("times", [2, 3, 5])
@pytest.mark.parametrize("hard", [0.0, 0.1])
def test_the_bound_is_on_average_at_most_what_is_missing(times: int, hard: float) -> None:
    chance = random.Random(times)
    bounds, missing = 0.0, 0
    for _ in range(200):
        readings = _readings(300, times, 0.15, hard, chance)
        bounds += least_missing(readings)
        missing += 300 - len(set().union(*readings))
    assert bounds <= 1.05 * missing
    assert hard or bounds > 0.5 * missing


def test_readings_that_agree_show_nothing() -> None:
    assert least_missing([[1, 2, 2], [2, 1, 2]]) == 0
    assert least_missing([[1, 1], [1], [1, 1]]) == 0
    with pytest.raises(DataError, match="expected 2 or more"):
        least_missing([[1]])
