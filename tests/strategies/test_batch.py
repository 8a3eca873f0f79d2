"""Batches that fall back to smaller ones."""

from collections.abc import Sequence

from structout.strategies.batch import halves


def test_a_bad_item_is_found_by_halves_and_affects_no_other() -> None:
    asked: list[int] = []

    def together(items: Sequence[int]) -> list[str]:
        asked.append(len(items))
        if 5 in items:
            raise ValueError
        return [str(item) for item in items]

    found = halves(range(8), together, lambda item: f"alone {item}", lambda error: True)
    assert found == ["0", "1", "2", "3", "4", "alone 5", "6", "7"]
    assert asked == [8, 4, 4, 2, 1, 1, 2]
