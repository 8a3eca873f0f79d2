"""The last lines of a run: how sure the accepted rows are, and where the token limit overruled the model."""

import json
from collections import Counter
from pathlib import Path

import pytest

from structout.pipeline.sureness import Sureness
from tests.bolt import BOLT
from tests.conftest import Shell
from tests.pipeline.conftest import rows

MODEL = """
from math import log
from structout import Completion, Scripted, Usage

def answer(prompt):
    record = prompt.messages[-1].content
    sure = 0.2 if "doubtful" in record else 0.9
    text = '{"kind": "hex", "size_mm": 6}'
    if "cut" in record:
        return Completion(text[:9], Usage(1, 9, 9), "length")
    steered = ((10, 13),) if "forced" in record else ()
    ends = tuple(range(1, len(text) + 1))
    logprobs = tuple(log(sure) if char.isdigit() else 0.0 for char in text)
    return Completion(text, Usage(1, 9, 9), steered=steered, logprobs=logprobs, values=(True,) * len(text), ends=ends)

model = Scripted(answer, name="m")
"""

TWO_VALUES = """
from math import log
from structout import Completion, Scripted, Usage

def answer(prompt):
    text = '{"kind": "hex", "size_mm": 6}'
    sure = {text.index("x"): 0.9, text.index("6"): 0.8}
    ends = tuple(range(1, len(text) + 1))
    logprobs = tuple(log(sure.get(at, 1)) for at in range(len(text)))
    return Completion(text, Usage(1, 9, 9), logprobs=logprobs, values=(True,) * len(text), ends=ends)

model = Scripted(answer, name="m")
"""


def test_a_run_ends_with_its_confidence_and_what_the_token_limit_did(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "own.py").write_text(MODEL)
    texts = ["a", "b", "c", "doubtful", "forced", "cut"]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    model = f"py:{tmp_path / 'own.py'}:model"
    words = ["run", tmp_path / "rows.jsonl", "--schema", BOLT, "--model", model, "--strategy", "Constrained()"]
    for _ in range(2):  # the second run asks for nothing and says the same
        done = shell(*words, "--output", str(tmp_path / "out.jsonl"))
        assert done.returncode == 1
        assert "confidence: median 0.90, and below 0.5 in 1 of 5 rows (20 %)" in done.stderr
        assert "the token limit overruled the model in 1 of 5 accepted rows" in done.stderr
        assert "the token limit cut off 1 row, now in the quarantine" in done.stderr


def test_without_log_probabilities_it_says_that_nothing_is_known() -> None:
    (said,) = Sureness(3).lines()
    assert said.startswith("confidence: unknown, since no answer came with log-probabilities")
    assert list(Sureness().lines()) == []
    (some,) = Sureness(3, Counter({80: 2})).lines()
    assert some.startswith("confidence of the 2 rows that have one: median 0.80")

    (whole,) = Sureness(2, Counter({80: 2}), of="answer").lines()
    assert "it is of a row's whole answer (_confidence), as the strategy's Confident takes it" in whole


@pytest.mark.parametrize(
    ("strategy", "sure", "told"),
    [
        ("Constrained()", 0.8, "it is the lowest of a row's values"),
        ("Verify(Constrained(), Confident(0.1))", 0.8, "it is the lowest of a row's values"),
        ("Verify(Constrained(), Confident(0.1, of='answer'))", 0.72, "it is of a row's whole answer"),
    ],
)
def test_the_confidence_of_a_row_is_the_one_that_its_strategy_judges(
    strategy: str, sure: float, told: str, tmp_path: Path, shell: Shell
) -> None:
    (tmp_path / "own.py").write_text(TWO_VALUES)
    (tmp_path / "rows.jsonl").write_text('{"text": "a hex bolt"}\n')
    words = ["run", tmp_path / "rows.jsonl", "--schema", BOLT, "--model", f"py:{tmp_path / 'own.py'}:model"]
    for _ in range(2):  # the second run asks for nothing and says the same
        done = shell(*words, "--strategy", strategy, "--output", str(tmp_path / "out.jsonl"))
        (row,) = rows(tmp_path / "out.jsonl")
        assert row["_confidence"] == pytest.approx(sure)
        assert f"confidence: median {sure:.2f}" in done.stderr
        assert told in done.stderr
    status = json.loads(shell("status", f"{tmp_path / 'out.jsonl'}.journal", "--json").stdout)
    assert status["confidence"] == {f"{int(10 * sure) / 10:.1f}": 1}


def test_the_quarantine_has_the_confidence_of_the_whole_answer(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "own.py").write_text(TWO_VALUES)
    (tmp_path / "rows.jsonl").write_text('{"text": "a hex bolt"}\n')
    words = ["run", tmp_path / "rows.jsonl", "--schema", BOLT, "--model", f"py:{tmp_path / 'own.py'}:model"]
    strategy = "Verify(Constrained(), Confident(0.75, of='answer'))"
    shell(*words, "--strategy", strategy, "--output", str(tmp_path / "out.jsonl"))
    (row,) = rows(tmp_path / "out.jsonl.quarantine.jsonl")
    assert row["confidence"] == pytest.approx(0.72)
    assert row["issues"][0]["message"].endswith("(confidence 0.72, threshold 0.75)")


@pytest.mark.parametrize(("found", "median"), [({}, None), ({10: 1, 90: 1}, 0.1), ({10: 1, 50: 1, 90: 1}, 0.5)])
def test_the_median_is_reached_by_half_of_the_rows(found: dict[int, int], median: float | None) -> None:
    assert Sureness(9, found).median == median
