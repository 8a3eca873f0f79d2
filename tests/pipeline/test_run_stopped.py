"""`structout run` as a process: killed, interrupted, out of disk, and resumed."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Shell
from tests.pipeline.conftest import asked, rows


def test_killed_at_twenty_moments_it_loses_and_doubles_nothing(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    count, chunk = 600, 6
    source = bolts(count)
    monkeypatch.setenv("PAUSE", "0.01")
    beside = ["--quarantine", str(tmp_path / "q.jsonl"), "--journal", str(tmp_path / "j"), "--chunk", str(chunk)]
    command = [sys.executable, "-m", "structout", "run", "-i", str(source), *beside, *words]
    began = time.monotonic()
    whole = subprocess.run([*command, "-o", str(tmp_path / "whole.jsonl")], cwd=ROOT, capture_output=True, check=False)
    took = time.monotonic() - began
    assert whole.returncode == 1
    expected = (tmp_path / "whole.jsonl").read_bytes(), (tmp_path / "q.jsonl").read_bytes()
    for name in ("q.jsonl", "j", "asked"):
        (tmp_path / name).unlink()
    dice = random.Random(9)
    killed = 0
    while killed < 20:
        process = subprocess.Popen([*command, "-o", str(tmp_path / "out.jsonl")], cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            process.wait(dice.uniform(0, took * 0.6))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            killed += 1
        else:  # it was done before its moment came, or just as the signal was sent: from the start again
            assert process.returncode == whole.returncode
            assert (tmp_path / "out.jsonl").read_bytes() == expected[0]
            for name in ("out.jsonl", "q.jsonl", "j", "asked"):
                (tmp_path / name).unlink(missing_ok=True)
        if (tmp_path / "out.jsonl").exists():
            assert (tmp_path / "out.jsonl").read_bytes() == expected[0]
    last = subprocess.run([*command, "-o", str(tmp_path / "out.jsonl")], cwd=ROOT, capture_output=True, check=False)
    assert last.returncode == 1, last.stderr
    assert ((tmp_path / "out.jsonl").read_bytes(), (tmp_path / "q.jsonl").read_bytes()) == expected
    times = [asked(tmp_path).count(n) for n in range(1, count + 1)]
    assert min(times) == 1
    assert sum(times) <= count + 21 * 2 * chunk  # only what was in flight at a kill is asked again
    assert list(tmp_path.glob(".*.part")) == []


def test_a_full_disk_is_an_error_and_the_run_goes_on_later(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(3000)), "-o", str(tmp_path / "out.jsonl"), *words]
    small = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2);"
    program = small + "from structout.cli import main; main()"
    for limit in (200_000, 700_000):  # the first hits the journal, the second the output
        done = subprocess.run(
            [sys.executable, "-c", program, str(limit), *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 3
        assert "Traceback" not in done.stderr
        assert "cannot be written" in done.stderr or "cannot write" in done.stderr
        assert not (tmp_path / "out.jsonl").exists()
    assert shell(*words).returncode == 1
    assert len(rows(tmp_path / "out.jsonl")) + len(rows(tmp_path / "out.jsonl.quarantine.jsonl")) == 3000
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_so_and_goes_on(
    words: list[str],
    tmp_path: Path,
    bolts: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
    shell: Shell,
    sent: int,
    code: int,
) -> None:
    monkeypatch.setenv("PAUSE", "0.05")
    words = ["run", "-i", str(bolts(400)), "-o", str(tmp_path / "out.jsonl"), "--chunk", "4", *words]
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    program += "from structout.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "asked").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(sent)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, "the answers are kept in" in error) == (code, True)
    assert "Traceback" not in error
    monkeypatch.setenv("PAUSE", "0")
    assert shell(*words).returncode == 1
