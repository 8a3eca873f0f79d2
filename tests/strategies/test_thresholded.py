"""Which confidence a strategy compares with a threshold, by its expression."""

import pytest

from structout.strategies.thresholded import thresholded


@pytest.mark.parametrize(
    ("strategy", "of"),
    [
        ("Constrained()", "values"),
        ("Verify(Constrained(), Confident(0.4))", "values"),
        ("Verify(Constrained(), Confident(0.4, of='answer'))", "answer"),
        ("Verify(On('hf:a/b', Constrained()), AllOf(Grounded(), Confident(0.4, of='answer')))", "answer"),
        ("Verify(Verify(Constrained(), Confident(0.2)), Confident(0.4, of='answer'))", "answer"),
        ("Verify(Verify(Constrained(), Confident(0.2, of='answer')), Confident(0.4))", "values"),
        ("own/part.py:Twice(Verify(Constrained(), Confident(0.4, of='answer')))", "answer"),
        ("""Prompted(instructions="write Confident(of='answer')")""", "values"),
        ("<a strategy without an expression>", "values"),
    ],
)
def test_the_outermost_confident_decides(strategy: str, of: str) -> None:
    assert thresholded(strategy) == of
