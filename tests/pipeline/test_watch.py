"""A run that watches whether its rows still look like the labelled records of its certificate."""

import json
from pathlib import Path

import pytest

from structout.shift import Reference, reference_json
from tests.bolt import BOLT
from tests.conftest import Shell
from tests.pipeline.conftest import rows

MODEL = """
import re
from math import log
from random import Random
from structout import Completion, Scripted, Usage

def answer(prompt):
    row = int(re.findall("[0-9]+", prompt.messages[-1].content)[-1])
    sure = Random(row).uniform(0.7, 1) if row < 300 else Random(row).uniform(0.2, 0.6)
    text = '{"kind": "hex", "size_mm": 6}'
    ends = tuple(range(1, len(text) + 1))
    logprobs = tuple(log(sure) if char.isdigit() else 0.0 for char in text)
    return Completion(text, Usage(1, 9, 9), logprobs=logprobs, values=(True,) * len(text), ends=ends)

model = Scripted(answer, name="m")
blind = Scripted('{"kind": "hex", "size_mm": 6}', name="m")
"""
WHOLE = MODEL.replace("< 300", "< 999").replace("char.isdigit()", "char.isdigit() else log(0.5) if char == '{'")
TOLD = "the rows no longer look like the labelled records"


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A run over 600 rows whose second half is of another kind."""
    (tmp_path / "own.py").write_text(MODEL)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": f"row {n} ."}) + "\n" for n in range(600)))
    confidences = [0.7 + 0.003 * n for n in range(100)]
    (tmp_path / "sure.json").write_text(reference_json("Constrained()", "m", Reference(tuple(confidences))))
    place = {name: str(tmp_path / name) for name in ("rows.jsonl", "own.py", "sure.json", "out.jsonl")}
    return [
        "run", place["rows.jsonl"], "--schema", BOLT, "--model", f"py:{place['own.py']}:model", "--strategy",
        "Constrained()", "--watch", place["sure.json"], "--output", place["out.jsonl"],
    ]  # fmt: skip


def test_a_shift_warns(words: list[str], shell: Shell, tmp_path: Path) -> None:
    done = shell(*words)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(TOLD) == 1
    assert "the run goes on" in done.stderr
    assert len(rows(tmp_path / "out.jsonl")) == 600


def test_a_shift_stops_the_run_and_the_rows_so_far_are_kept(words: list[str], shell: Shell, tmp_path: Path) -> None:
    stopped = shell(*words, "--on-shift", "stop")
    assert stopped.returncode == 3, stopped.stderr
    assert TOLD in stopped.stderr
    assert "--on-shift warn" in stopped.stderr
    assert 300 < len(rows(tmp_path / "out.jsonl")) < 500
    again = shell(*words, "--on-shift", "stop")
    assert (again.returncode, TOLD in again.stderr) == (3, True)
    done = shell(*words)
    assert (done.returncode, done.stderr.count(TOLD)) == (0, 1)
    assert len(rows(tmp_path / "out.jsonl")) == 600


def test_the_rows_after_a_shift_go_to_the_quarantine(words: list[str], shell: Shell, tmp_path: Path) -> None:
    done = shell(*words, "--on-shift", "quarantine")
    assert done.returncode == 1, done.stderr
    accepted, others = rows(tmp_path / "out.jsonl"), rows(tmp_path / "out.jsonl.quarantine.jsonl")
    assert len(accepted) + len(others) == 600
    assert 100 < len(others) < 300
    assert all("no longer look like the labelled records" in other["issues"][-1]["message"] for other in others)
    refused = shell(*words, "--retry-quarantine")
    assert (refused.returncode, "omit --watch" in refused.stderr) == (2, True)
    unwatched = [word for word in words if word != "--watch" and not word.endswith("sure.json")]
    retried = shell(*unwatched, "--retry-quarantine")
    assert retried.returncode == 0, retried.stderr


def test_without_confidences_it_says_that_nothing_was_watched(words: list[str], shell: Shell) -> None:
    done = shell(*[word.replace(":model", ":blind") for word in words])
    assert "nothing was watched" in done.stderr


def test_it_compares_whole_answers_with_whole_answers(words: list[str], shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(WHOLE)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": f"row {n} ."}) + "\n" for n in range(300)))
    done = shell(*words)  # the values are as sure as those of the labelled records
    assert (done.returncode, TOLD in done.stderr) == (0, False), done.stderr
    reference = Reference(tuple(0.7 + 0.003 * n for n in range(100)), "answer")
    (tmp_path / "sure.json").write_text(reference_json("Constrained()", "m", reference))
    done = shell(*words)  # the answers as a whole are not: the note of the first run counted values
    assert (done.returncode, TOLD in done.stderr) == (0, True), done.stderr
