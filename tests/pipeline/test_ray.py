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

from tests.conftest import ROOT
from tests.pipeline.conftest import Shell
from tests.pipeline.ray_program import POISON, ROWS
from tests.test_cli import BOLT

pytest.importorskip("ray")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "notes").mkdir()
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **quiet, "NOTES": str(tmp_path / "notes")}


def test_a_poison_row_and_a_killed_worker_cost_no_row(tmp_path: Path, environment: dict[str, str]) -> None:
    notes = tmp_path / "notes"
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipeline.ray_program", str(notes)],
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
    words += ["--model", "py:tests.pipeline.ray_program:Model", "-o"]
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
    for name in ("{}.jsonl", "{}.jsonl.quarantine.jsonl"):
        assert (tmp_path / name.format("ray")).read_bytes() == (tmp_path / name.format("local")).read_bytes()
