"""Confidences that no longer look like those of labelled records."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout import DataError
from structout.shift import Reference, ShiftDetector, read_reference, reference_json

ROWS, RUNS = 1000, 200
SURE = st.floats(0, 1)


def sure(random: Random, skill: float) -> float:
    """A confidence whose logit is normal."""
    return float(1 / (1 + 2.718281828 ** -random.gauss(skill, 1.5)))


def alarm(seed: int, skill: float, start: int) -> int | None:
    """The row of the alarm if the skill changes at a row, or None."""
    random = Random(seed)
    detector = ShiftDetector([sure(random, 1.5) for _ in range(200)], limit=20 * ROWS)
    for row in range(ROWS):
        if detector.add(sure(random, 1.5 if row < start else skill)):
            return detector.alarm
    return None


def test_without_a_shift_at_most_one_run_in_twenty_has_an_alarm() -> None:
    assert sum(alarm(seed, 1.5, ROWS) is not None for seed in range(RUNS)) <= RUNS / 20


@pytest.mark.parametrize("skill", [0.0, 3.0])
@pytest.mark.parametrize("start", [0, 500])
def test_a_shift_is_found_within_a_hundred_rows(skill: float, start: int) -> None:
    alarms = [alarm(1000 + seed, skill, start) for seed in range(20)]
    assert sum(one is not None and start < one <= start + 100 for one in alarms) >= 18


@given(st.lists(SURE, min_size=1, max_size=20), st.lists(SURE, max_size=30), st.lists(SURE, max_size=30))
def test_a_restored_detector_goes_on_as_if_it_had_not_stopped(
    reference: list[float], first: list[float], second: list[float]
) -> None:
    whole, before = ShiftDetector(reference, 50), ShiftDetector(reference, 50)
    for one in first:
        before.add(one)
    after = ShiftDetector(reference, 50)
    after.restore(json.loads(json.dumps(before.state())))
    for one in (*first, *second):
        whole.add(one)
    for one in second:
        after.add(one)
    assert (after.state(), after.told()) == (whole.state(), whole.told())


def test_a_state_of_another_reference_is_refused() -> None:
    with pytest.raises(DataError, match="the counts do not fit the reference"):
        ShiftDetector([0.5] * 3, 50).restore(ShiftDetector([0.5] * 4, 50).state())


def test_a_reference_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "sure.json"
    for reference in (Reference((0.25,) * 30), Reference((0.25,) * 30, "answer")):
        file.write_text(reference_json("Constrained()", "m", reference))
        assert read_reference(file) == reference
    file.write_text(json.dumps({"confidences": [0.25] * 30}))  # by an earlier version
    assert read_reference(file) == Reference((0.25,) * 30, "values")
    wrong = {
        "[]": "cannot read",
        '{"confidences": [2]}': "not between 0 and 1",
        '{"confidences": [], "of": 1}': "of: got 1",
    }
    for text, problem in wrong.items():
        file.write_text(text)
        with pytest.raises(DataError, match=problem):
            read_reference(file)
    file.write_text(reference_json("Constrained()", "m", Reference((0.25,) * 29)))
    with pytest.raises(DataError, match="got 29, expected 30"):
        read_reference(file)
