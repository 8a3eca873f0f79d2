"""What a confidence is worth, on a log."""

import json
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log
from typing import Any

import pytest

from structout import Completion, Constrained, DataError, Dataset, Prompt, Rule, Scripted, Usage, Verify, evaluate
from structout.evaluation import calibrate
from structout.evaluation.dataset import Record
from structout.evaluation.outcome import Outcome
from structout.schema import Schema
from tests.bolt import Bolt


def boastful(prompt: Prompt) -> Completion:
    """Is right with a probability of half of what it claims, and says so of the size alone."""
    size = int(prompt.messages[-1].content.split()[1])
    draw = random.Random(size)
    claimed = draw.choice([0.2, 0.6, 1.0])
    said = size if draw.random() < claimed / 2 else 0
    pieces = ['{"kind": "hex", "size_mm": ', f"{said}", ', "note": null}']
    ends = tuple(len("".join(pieces[: i + 1])) for i in range(3))
    return Completion("".join(pieces), Usage(1, 1, 3), logprobs=(0.0, log(claimed), 0.0), values=(True,) * 3, ends=ends)


def outcomes(sizes: Sequence[int], strategy: Any = "Constrained()", model: Any = boastful) -> Sequence[Outcome]:
    records = tuple(Record(str(n), f"{n} mm", {"kind": "hex", "size_mm": n}, {}, "test") for n in sizes)
    return evaluate([strategy], Scripted(model), Dataset("bolts", Schema.of(Bolt), records)).outcomes


def test_a_confidence_becomes_how_often_it_is_right() -> None:
    calibration = calibrate(outcomes(range(1, 500)))
    assert calibration(0.2) == pytest.approx(0.1, abs=0.06)
    assert calibration(0.6) == pytest.approx(0.3, abs=0.08)
    assert calibration(0.1) == calibration(0.2) < calibration(0.6) < calibration(1.0)
    new = outcomes(range(500, 900))
    sizes = [(one.confidence["/size_mm"], one.document["size_mm"] != 0) for one in new]  # type: ignore[call-overload, index]

    def error(by: Callable[[float], float]) -> float:
        return sum((by(sure) - right) ** 2 for sure, right in sizes if sure < 1) / len(sizes)

    assert error(calibration) < error(float)


def test_the_table_counts_each_leaf_once_and_never_falls() -> None:
    steps = calibrate(outcomes(range(1, 300)), least=10).steps
    assert sum(step.leaves for step in steps) == 3 * 299  # a null that is rightly null among them
    assert all(one.high < two.low and one.right.value < two.right.value for one, two in pairwise(steps))
    assert all(step.low <= step.claimed <= step.high and step.leaves >= 10 for step in steps)
    assert all(step.right.low < step.right.value < step.right.high for step in steps if step.right.value not in (0, 1))


def test_a_confidence_that_says_nothing_is_one_step() -> None:
    def liar(prompt: Prompt) -> Completion:
        """The surer, the wronger."""
        size = int(prompt.messages[-1].content.split()[1])
        sure = size / 100
        said = json.dumps({"kind": "hex", "size_mm": size if size <= 40 else 0})
        return Completion(said, Usage(1, 1, 1), logprobs=(log(sure),), values=(True,), ends=(len(said),))

    (step,) = calibrate(outcomes(range(1, 81), model=liar)).steps
    assert step.leaves == 160
    assert step.right.value == 0.75


def test_what_a_verifier_refused_counts_too_and_what_has_no_confidence_does_not() -> None:
    refused = outcomes(range(1, 60), Verify(Constrained(), Rule(lambda value: False)))
    assert calibrate(refused).steps == calibrate(outcomes(range(1, 60))).steps
    for nothing in (outcomes(range(1, 60), model='{"kind": "hex", "size_mm": 1}'), (), [*refused, *outcomes([1])]):
        with pytest.raises(DataError, match="cannot calibrate: got") as caught:
            calibrate(nothing)
        assert caught.value.hint
