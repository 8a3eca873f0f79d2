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


@pytest.mark.parametrize("gone", ["journal", "folder"])
def test_a_journal_that_is_removed_while_a_run_goes_on_is_put_back(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    output, journal = folder / "out.jsonl", folder / "out.jsonl.journal"
    monkeypatch.setenv("PAUSE", "0.02")
    files = ["-i", str(bolts(60)), "-o", str(output), "--chunk", "2"]
    command = [sys.executable, "-m", "structout", "run", *files, *words]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "asked").exists() or len(asked(tmp_path)) < 10:
        time.sleep(0.01)
    if gone == "folder":
        folder.rename(tmp_path / "gone")
    else:
        journal.unlink()
    said = process.communicate()[1]
    assert process.returncode == 1, said
    assert f"{journal} was removed while it is in use: it is put back" in said
    again = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert again.returncode == 1
    assert sorted(asked(tmp_path)) == list(range(1, 61))
    assert len(rows(output)) + len(rows(folder / "out.jsonl.quarantine.jsonl")) == 60


def test_two_runs_at_once_of_one_output_leave_the_files_of_one_of_them(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path]
) -> None:
    source, rest = bolts(40), tmp_path / "rest.jsonl"
    files = ["-i", str(source), "-o", str(tmp_path / "out.jsonl"), "--quarantine", str(rest)]
    command = [sys.executable, "-m", "structout", "run", *files, *words]
    (tmp_path / "rules.py").write_text("def small(bolt):\n    return bolt.size_mm < 20\n")
    strategies = ["Prompted()", f"Verify(Prompted(), Rule('{tmp_path}/rules.py:small'))"]
    for number in range(3):
        ways = [
            [*command[:-4], "--strategy", one, "--key", "id", "--journal", str(tmp_path / f"journal-{number}-{place}")]
            for place, one in enumerate(strategies)
        ]
        both = [subprocess.Popen(way, cwd=ROOT, stderr=subprocess.PIPE, text=True) for way in ways]
        assert [(one.communicate(), one.returncode)[1] for one in both] == [1, 1]
        keys = [row["_key"] for row in rows(tmp_path / "out.jsonl")] + [row["key"] for row in rows(rest)]
        assert sorted(keys) == sorted(f"k{n}" for n in range(1, 41))
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []
