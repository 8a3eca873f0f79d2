"""What only a process has: pipes, a full disk, a signal, a terminal that takes ASCII alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from structout.cli import console
from tests.bolt import BOLT
from tests.cli.conftest import GOOD
from tests.conftest import ROOT, run


def closed_after_a_line(*words: object) -> tuple[int, str]:
    """The exit code of a command whose reader goes away, and what it says on stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "structout", *map(str, words)], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    return process.wait(60), process.communicate()[1].decode()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_records_reach_a_pipe_though_a_terminal_shows_the_progress(script: str) -> None:
    ours, theirs = os.openpty()
    words = ["extract", "--text", "M6 bolt", "--schema", BOLT, "--model", script]
    done = subprocess.run(
        [sys.executable, "-m", "structout", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, check=True
    )
    os.close(theirs)
    os.close(ours)
    assert json.loads(done.stdout)["kind"] == "hex"


def test_a_reader_that_has_seen_enough_is_no_error(script: str, tmp_path: Path) -> None:
    many = "M6 bolt\n" * 2000
    (tmp_path / "in.txt").write_text(many)
    words = ["--schema", BOLT, "--model", script]
    assert closed_after_a_line("extract", tmp_path / "in.txt", *words) == (0, "")
    beside = ["--quarantine", tmp_path / "q.jsonl", "--journal", tmp_path / "j"]
    code, said = closed_after_a_line("run", "-i", tmp_path / "in.txt", *words, *beside)
    assert (code, "error" in said) == (0, False)
    (tmp_path / "bad.jsonl").write_text('{"kind": "hex"}\n' * 5000)
    code, said = closed_after_a_line("validate", tmp_path / "bad.jsonl", "--schema", BOLT)
    assert (code, "0 of 5,000 documents are valid" in said) == (1, True), "a gate has judged all the same"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("command", ["extract", "validate", "audit", "bench", "run", "preview"])
def test_a_full_disk_behind_stdout_is_one_line(script: str, tmp_path: Path, command: str) -> None:
    (tmp_path / "in.txt").write_text("M6 bolt\n" * 500)
    (tmp_path / "in.jsonl").write_text('{"kind": "hex"}\n' * 5000)
    row = {"key": "1", "text": "M6", "expected": json.loads(GOOD), "split": "test"}
    (tmp_path / "labelled.jsonl").write_text(json.dumps(row))
    asking = ["--schema", BOLT, "--model", script]
    words: dict[str, list[str | Path]] = {
        "extract": [tmp_path / "in.txt", *asking],
        "validate": [tmp_path / "in.jsonl", "--schema", BOLT],
        "audit": [BOLT],
        "bench": [tmp_path / "labelled.jsonl", *asking, "--strategy", "Prompted()", "--log", tmp_path / "log.jsonl"],
        "run": ["-i", tmp_path / "in.txt", *asking, "--quarantine", tmp_path / "q", "--journal", tmp_path / "j"],
        "preview": ["--schema", BOLT],
    }
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "structout", command, *map(str, words[command])],
            stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False, text=True,
        )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1] == "error: stdout cannot be written: No space left on device"
    assert "Traceback" not in done.stderr


def ascii_only(*words: object) -> str:
    """What a command writes where stdout takes ASCII alone."""
    done = subprocess.run(
        [sys.executable, "-m", "structout", *map(str, words)],
        capture_output=True, cwd=ROOT, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("ascii")


def test_what_an_ascii_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    row = {"key": "1", "text": "M6", "expected": json.loads(GOOD), "split": "test"}
    (tmp_path / "labelled.jsonl").write_text(json.dumps(row))
    (tmp_path / "snow.json").write_text(json.dumps('{"kind": "hex", "size_mm": 6, "note": "\u2603"}'))
    asking = ["--schema", BOLT, "--model", f"scripted:{tmp_path / 'snow.json'}"]
    preview = ascii_only("preview", "--text", "hex \u2603 5", "--schema", BOLT)
    assert "hex \\u2603 5" in preview
    names = ["--strategy", "Prompted()", "--log", tmp_path / "log-\u2603.jsonl"]
    assert "Prompted()" in ascii_only("bench", tmp_path / "labelled.jsonl", *asking, *names)
    assert json.loads(ascii_only("extract", "--text", "x", *asking))["note"] == "\u2603"


def test_an_interrupted_command_says_what_is_kept(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import sys\n"
        "class Model:\n"
        "    name = 'slow'\n"
        "    def complete(self, prompts):\n"
        "        print('asked', file=sys.stderr, flush=True)\n"
        "        sys.modules['__main__'].interrupted.wait(60)\n"
        "        raise SystemExit\n"
    )
    program = (
        "import signal, threading\n"
        "interrupted = threading.Event()\n"
        "def interrupt(*_):\n"
        "    interrupted.set()\n"
        "    raise KeyboardInterrupt\n"
        "signal.signal(signal.SIGINT, interrupt)\n"
        "from structout.cli import main\n"
        "main()\n"
    )
    model, journal = f"py:{slow}:Model", str(tmp_path / "j")
    (tmp_path / "in.txt").write_text("M6 bolt\n")
    data, log, out = "schemas/parts", str(tmp_path / "log.jsonl"), str(tmp_path / "out")
    by_form = ["--target", "compliance>=0.5", "--compliance-only"]
    for words, kept in (
        (["extract", str(tmp_path / "in.txt"), "--schema", BOLT], "nothing is kept"),
        (["label", str(tmp_path / "in.txt"), "--schema", BOLT, "--output", out], f"kept in {out}.journal"),
        (["recommend", data, *by_form, "--log", log, "--output", out], "kept in the log"),
        (["certify", data, "--log", log, "--output", out], "kept in the log"),
        (["run", str(tmp_path / "in.txt"), "--schema", BOLT, "--dry-run", "--journal", journal,
          "--quarantine", out], f"kept in {journal}"),
    ):  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-c", program, *words, "--model", model], cwd=ROOT, text=True,
            stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        said = process.stderr.readline()
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert (said, process.returncode) == ("asked\n", 130), said + err
        (line,) = (line for line in err.splitlines() if line != "asked")
        assert line.startswith("structout: interrupted: ")
        assert kept in line


def test_bench_interrupted_keeps_its_log(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import signal, time, structout.cli, structout.evaluation.harness as harness\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell hands it down as ignored\n"
        "from structout import Completion, Scripted\n"
        "def answer(prompt):\n"
        "    time.sleep(0.02)\n"
        f"    return Completion({GOOD!r})\n"
        "harness.model_of = lambda name: Scripted(answer)\n"
        "structout.cli.main()\n"
    )
    log = tmp_path / "log.jsonl"
    words = ["bench", "schemas/parts", "--split", "all", "--log", str(log), "--strategy", "Prompted()"]
    process = subprocess.Popen(
        [sys.executable, str(slow), *words], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    chunk = 1 + 2 * 32  # what the run is about, then what was answered and what came of it
    while (not log.is_file() or log.read_text().count("\n") < chunk) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("structout: interrupted: ")
    assert "Traceback" not in err
    assert json.loads(run("bench", "--rescore", log, "--json").stdout)["rows"][0]["n"] >= 32


def test_an_interruption_while_the_commands_are_imported() -> None:
    program = (
        "import sys, structout.cli\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *where):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "structout.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "structout: interrupted\n")


def test_a_log_gets_a_line_of_progress_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for seconds, expected in ((0.0, "structout: bench: 1 of 3\nstructout: bench: 2 of 3\n"), (3600.0, "")):
        monkeypatch.setattr(console, "_SELDOM", seconds)
        with console.progress("bench", 3) as advance:
            advance("Prompted()")
            advance("Prompted()")
        assert capfd.readouterr().err == expected
