"""Ray Data as the engine, on a local Ray: a poison row, a killed worker, a killed driver."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from structout.pipeline.journal.journal import Journal
from structout.strategies import load_strategy
from tests.bolt import BOLT
from tests.conftest import ROOT, Shell
from tests.pipeline.ray_program import KILLER, POISON, ROWS

pytest.importorskip("ray")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "notes").mkdir()
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **quiet, "NOTES": str(tmp_path / "notes")}


def test_a_poison_row_and_a_killed_worker_cost_no_row(tmp_path: Path, environment: dict[str, str]) -> None:
    notes = tmp_path / "notes"
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipeline.ray_program", "map", str(notes)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert (notes / "killed").exists()
    rows = json.loads((notes / "rows.json").read_text())
    assert sorted(row["n"] for row in rows) == list(range(1, ROWS + 1))
    statuses = {row["n"]: row["_status"] for row in rows}
    assert statuses == {n: "error" if n == POISON else "invalid" if n % 7 == 0 else "valid" for n in range(1, ROWS + 1)}
    assert json.loads(next(row["_value"] for row in rows if row["n"] == 3))["size_mm"] == 3
    assert "a poison row" in next(row["_issues"] for row in rows if row["n"] == POISON)


def test_a_run_by_ray_goes_on_after_its_driver_was_killed(
    tmp_path: Path,
    environment: dict[str, str],
    bolts: Callable[[int], Path],
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = bolts(ROWS)
    words = ["run", "-i", str(source), "--schema", BOLT, "--key", "id", "--strategy", "Prompted()", "--chunk", "4"]
    words += ["--keep", "text", "--model", "py:tests.pipeline.ray_program:Model", "-o"]
    command = [sys.executable, "-m", "structout", *words, str(tmp_path / "ray.jsonl"), "--engine", "ray"]
    first = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while not list((tmp_path / "notes").glob("*.pid")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    first.send_signal(signal.SIGKILL)
    first.wait()
    again = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert again.returncode == 3, again.stderr[-2000:]
    monkeypatch.setenv("NOTES", environment["NOTES"])
    assert shell(*words, tmp_path / "local.jsonl").returncode == 3
    assert '"text":' in (tmp_path / "ray.jsonl").read_text().partition("\n")[0]
    for name in ("{}.jsonl", "{}.jsonl.quarantine.jsonl"):
        assert (tmp_path / name.format("ray")).read_bytes() == (tmp_path / name.format("local")).read_bytes()


def run_by_ray(
    source: Path, output: Path, environment: dict[str, str], *options: list[str]
) -> tuple[list[tuple[int, int]], str]:
    """A run with each of the options, one after another: exit codes, each with the answers paid for until then."""
    words = ["run", "-i", str(source), "--schema", BOLT, "--key", "id", "--strategy", "Prompted()", "-o", str(output)]
    words += ["--model", "py:tests.pipeline.ray_program:Counting", "--engine", "ray", "--chunk", "4", "--actors", "1"]
    commands = json.dumps([[*words, *more] for more in options])
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipeline.ray_program", "run", commands],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    ran = json.loads((Path(environment["NOTES"]) / "ran.json").read_text())
    return [(code, paid) for code, paid in ran], done.stderr


OWN = """
from dataclasses import dataclass

from structout.strategies import Strategy


@dataclass(frozen=True)
class Plain:
    inner: Strategy

    def run(self, tasks, model):
        return self.inner.run(tasks, model)
"""


def test_a_strategy_from_a_file_goes_to_the_workers(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "own.py").write_text(OWN)
    source = some_bolts(tmp_path / "bolts.jsonl", [1, 2, 3, 4])
    own = ["--strategy", f"{tmp_path / 'own.py'}:Plain(Prompted())"]
    ran, errors = run_by_ray(source, tmp_path / "out.jsonl", environment, own)
    assert ran == [(0, 4)], errors[-2000:]


def some_bolts(path: Path, numbers: list[int]) -> Path:
    lines = [json.dumps({"id": f"k{place}", "text": f"{n} mm bolt"}) for place, n in enumerate(numbers)]
    path.write_text("\n".join(lines))
    return path


def test_all_that_workers_paid_is_counted_kept_and_paid_once(tmp_path: Path, environment: dict[str, str]) -> None:
    source = some_bolts(tmp_path / "bolts.jsonl", [1, 2, 3, POISON, 1, 2, 3, 4, 1, 2, 3, 4])
    ran, errors = run_by_ray(source, tmp_path / "out.jsonl", environment, [])
    assert ran == [(3, 4)], errors[-2000:]  # the poison row
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 11
    paid = sorted(note.name.partition("-")[0] for note in (tmp_path / "notes").glob("*.paid"))
    assert paid == ["1", "2", "3", "4"]
    with Journal(tmp_path / "out.jsonl.journal", {}, only=()) as journal:
        assert journal.spent()["counting"].calls == 4


def test_a_row_that_kills_workers_costs_no_other(tmp_path: Path, environment: dict[str, str]) -> None:
    numbers = [n for n in range(51, 70) if n % 7]
    source = some_bolts(tmp_path / "bolts.jsonl", numbers)
    ran, errors = run_by_ray(source, tmp_path / "out.jsonl", environment, [])
    assert [code for code, _ in ran] == [3], errors[-2000:]
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["size_mm"] for row in rows] == [n for n in numbers if n != KILLER]
    (lost,) = (tmp_path / "out.jsonl.quarantine.jsonl").read_text().splitlines()
    assert json.loads(lost)["status"] == "error"
    assert "a Ray worker died" in lost


def test_a_budget_says_which_calls_it_counts_late(tmp_path: Path) -> None:
    pool = pytest.importorskip("structout.ray")
    once = ("Prompted()", "Repair(Constrained())")
    assert all(pool._asks_once(load_strategy(text)) for text in once)
    again = (
        "Reask(Prompted())",
        "Vote(Prompted(), n=3)",
        "Cascade(Prompted(), Constrained())",
        "Verify(Prompted(), Judge())",
    )
    assert not any(pool._asks_once(load_strategy(text)) for text in again)


def test_a_budget_stops_workers_and_what_was_paid_is_not_paid_again(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    source = some_bolts(tmp_path / "bolts.jsonl", [n for n in range(1, 49) if n % 7])
    budget = ["--budget-tokens", "1200"]  # a call may use up to 981
    ran, errors = run_by_ray(source, tmp_path / "out.jsonl", environment, budget, budget, [])
    (code, first), (again, second), (at_last, _) = ran
    assert (code, again, at_last) == (3, 3, 0), errors[-2000:]
    assert errors.count("--budget-tokens") == 2
    assert 4 <= first <= second <= 24  # a call takes 15 to 17 tokens
    notes = [note.name.partition("-")[0] for note in (tmp_path / "notes").glob("*.paid")]
    assert len(notes) == len(set(notes)) == 42
