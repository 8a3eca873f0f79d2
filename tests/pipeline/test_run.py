"""`structout run` as a shell sees it: interrupted, refused, killed, resumed."""

import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.test_cli import BOLT
from tests.conftest import ROOT, Shell
from tests.pipeline.conftest import MODEL, rows


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments that all runs here have."""
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    return ["--schema", BOLT, "--model", f"py:{tmp_path / 'model.py'}:Model", "--strategy", "Prompted()", "--key", "id"]


def asked(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "asked").read_text().split()]


def test_every_row_comes_out_once_here_or_there(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    out = tmp_path / "out.jsonl"
    words = ["run", "-i", str(bolts(50)), "-o", str(out), *words]
    done = shell(*words, "--price", "1,2", "--log-format", "json", "--metrics", str(tmp_path / "metrics"))
    assert done.returncode == 1
    accepted, others = rows(out), rows(tmp_path / "out.jsonl.quarantine.jsonl")
    assert [row["_key"] for row in accepted] == [f"k{n}" for n in range(1, 51) if n % 7]
    assert [row["key"] for row in others] == [f"k{n}" for n in range(7, 51, 7)]
    assert others[0]["input"] == {"id": "k7", "text": "7 mm bolt"}
    assert others[0]["attempts"][0]["text"] == "no"
    assert others[0]["issues"][0]["kind"] == "not_json"
    assert accepted[0]["_cost"] == pytest.approx((11 * 1 + 5 * 2) / 1e6)
    last = json.loads(done.stderr.splitlines()[-2])
    assert (last["event"], last["rows"], last["accepted"], last["quarantined"]) == ("end", 50, 43, 7)
    assert 'structout_rows_total{status="valid"} 43' in (tmp_path / "metrics").read_text()
    before = out.read_bytes()
    assert shell(*words).returncode == 1
    assert out.read_bytes() == before
    assert len(asked(tmp_path)) == 50


def test_pipes_nothing_and_refusals(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    beside = ["--journal", str(tmp_path / "j"), "--quarantine", str(tmp_path / "q.jsonl")]
    plain = [*words[:-2], *beside]
    done = shell("run", "--bare", *plain, stdin="2 mm\n3 mm\n")
    assert (done.returncode, [json.loads(line)["size_mm"] for line in done.stdout.splitlines()]) == (0, [2, 3])
    changed = shell("run", *plain, "--max-tokens", "9", stdin="2 mm\n3 mm\n")
    assert (changed.returncode, changed.stderr.count("\n")) == (2, 1)
    assert "another sampling" in changed.stderr
    assert shell("run", *plain, "--max-tokens", "9", "--fresh", stdin="2 mm\n").returncode == 0
    assert shell("run", *plain, "--max-tokens", "9", "--fresh", stdin="").returncode == 4
    assert shell("run", *plain, "-o", str(tmp_path / "no/o.jsonl"), stdin="2 mm\n").returncode == 2
    assert shell("run", *plain, "--budget-usd", "1", stdin="2 mm\n").returncode == 2


def test_what_is_sampled_is_asked_once_where_it_is_seeded(words: list[str], tmp_path: Path, shell: Shell) -> None:
    beside = ["--journal", tmp_path / "j", "--quarantine", tmp_path / "q.jsonl", *words[:-2]]
    for options, calls in (([], 1), (["--temperature", "1"], 2), (["--temperature", "1", "--seed", "3"], 1)):
        (tmp_path / "asked").unlink(missing_ok=True)
        assert shell("run", *beside, *options, "--fresh", stdin="2 mm\n2 mm\n").returncode == 0
        assert len(asked(tmp_path)) == calls
    for options in ([], ["--temperature", "1"], ["--temperature", "1", "--seed", "4"]):
        refused = shell("run", *beside, *options, stdin="2 mm\n2 mm\n")
        assert (refused.returncode, "another sampling" in refused.stderr) == (2, True)
    assert shell("run", *beside, "--temperature", "-1", stdin="2 mm\n").returncode == 2


@pytest.mark.parametrize(
    "options",
    [
        ["--model", "embeded"],
        ["--model", "path:nope"],
        ["--model", "scripted:nope.json"],
        ["--model", "openai:gpt"],
        ["--strategy", "Verify(Prompted(), Learned('nope.json'))"],
        ["--strategy", "Promted()"],
    ],
)
def test_what_would_fail_again_is_wrong_usage(
    words: list[str], tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    plain = [*words[:-2], "--journal", tmp_path / "j", "--quarantine", tmp_path / "q.jsonl"]
    done = shell("run", *plain, *options, stdin="2 mm\n")
    assert (done.returncode, done.stderr[:7], done.stderr.count("\n")) == (2, "error: ", 1)


def test_an_input_that_is_not_there_leaves_nothing_behind(words: list[str], tmp_path: Path, shell: Shell) -> None:
    before = sorted(tmp_path.iterdir())
    done = shell("run", *words, "-i", tmp_path / "none.csv", "-o", tmp_path / "out.jsonl")
    assert (done.returncode, "none.csv" in done.stderr) == (2, True)
    assert sorted(tmp_path.iterdir()) == before


def test_a_column_that_is_not_there_is_found_out_first(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    source = bolts(3)
    (tmp_path / "bolts.csv").write_text("id,text\nk1,1 mm\n")
    (tmp_path / "bolts.txt").write_text("1 mm\n")
    (tmp_path / "bolts.json").write_text("[]")
    before = sorted(tmp_path.iterdir())
    for place, options, message in (
        (source, ["--text", "nosuch"], "no column 'nosuch'; it has: id, text"),
        (source, ["--key", "nosuch"], "no column 'nosuch'; it has: id, text"),
        (tmp_path / "bolts.csv", ["--text", "nosuch"], "no column 'nosuch'; it has: id, text"),
        (tmp_path / "bolts.txt", [], "no column 'id'; it has: text"),
        (tmp_path / "bolts.json", [], "unknown input format"),
    ):
        done = shell("run", *words, "-i", place, "-o", tmp_path / "out.jsonl", *options, "--model", "py:none:None")
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
        assert sorted(tmp_path.iterdir()) == before
    source.write_text('{"id": 1}\n{"id": 2, "text": "2 mm"}\n')
    assert shell("run", *words, "-i", source, "-o", tmp_path / "out.jsonl").returncode == 1


def test_a_row_that_cannot_be_read_is_set_aside_unasked(words: list[str], tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "in.csv").write_text('id,text\n1,1 mm, zinc\n2,\n3,"   "\n4,"4 in\n5,5 mm\n6\n')
    assert shell("run", *words, "-i", tmp_path / "in.csv", "-o", tmp_path / "out.jsonl").returncode == 1
    others = rows(tmp_path / "out.jsonl.quarantine.jsonl")
    said = ["line 2 has 3 cells", "the record is blank", "the record is blank", "line 5: a quote", "the record is not"]
    assert len(others) == len(said)
    for row, message in zip(others, said, strict=True):
        assert row["issues"][0]["message"].startswith(message)
    assert others[0]["input"] == {"id": "1", "text": "1 mm", "(more)": " zinc"}
    assert asked(tmp_path) == [5]
    for nothing in ("in.csv", "in.jsonl"):
        (tmp_path / nothing).write_text("")
        assert shell("run", *words, "-i", tmp_path / nothing, "-o", tmp_path / "none.jsonl").returncode == 4


def test_keys_that_repeat_are_told(words: list[str], tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "in.csv").write_text("id,text\na,1 mm\nb,2 mm\na,3 mm\na,4 mm\n")
    for limit, told in (("2", ""), ("4", "2 rows have the same id as an earlier row")):
        done = shell("run", *words, "-i", tmp_path / "in.csv", "-o", tmp_path / "out.jsonl", "--limit", limit)
        assert (done.returncode, "have the same id" in done.stderr, told in done.stderr) == (0, bool(told), True)


def test_only_the_first_rows_of_what_is_done(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(20)), "-o", str(tmp_path / "out.jsonl"), *words]
    assert shell(*words).returncode == 1
    assert shell(*words, "--limit", "5").returncode == 0
    assert [row["_key"] for row in rows(tmp_path / "out.jsonl")] == ["k1", "k2", "k3", "k4", "k5"]
    assert shell(*words).returncode == 1
    assert len(rows(tmp_path / "out.jsonl")) == 18
    assert len(asked(tmp_path)) == 20


def test_what_the_output_has_no_place_for_is_found_out_first_or_set_aside(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    (tmp_path / "model.py").write_text(
        MODEL.replace("bolt(prompt)", "type(bolt(prompt))('{\"n\": 1' + 20 * '0' + '}')")
    )
    for name, code in (("_key", 2), ("n", 1)):
        schema = {"type": "object", "properties": {name: {"type": "integer"}}}
        (tmp_path / "schema.json").write_text(json.dumps(schema))
        place = [
            "--schema",
            str(tmp_path / "schema.json"),
            "-i",
            str(bolts(2)),
            "-o",
            str(tmp_path / f"{name}.parquet"),
        ]
        assert shell("run", *words, *place).returncode == code
        assert (tmp_path / "asked").exists() == (name == "n")
    others = rows(tmp_path / "n.parquet.quarantine.jsonl")
    assert [(row["key"], row["input"]["text"]) for row in others] == [("k1", "1 mm bolt"), ("k2", "2 mm bolt")]


def test_what_cannot_be_written_is_found_out_before_anything_is_asked(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    (tmp_path / "text.duckdb").write_text("no database")
    before = sorted([*tmp_path.iterdir(), bolts(2)])
    for options, code, message in (
        (["-o", tmp_path / "z.duckdb#"], 2, "names no table"),
        (["-o", tmp_path / "text.duckdb#t"], 3, "cannot write"),
        (["-o", tmp_path / "o.jsonl", "--metrics", tmp_path / "none/m"], 2, "cannot write"),
    ):
        done = shell("run", *words, "-i", bolts(2), *options)
        assert (done.returncode, message in done.stderr) == (code, True), done.stderr
        assert sorted(tmp_path.iterdir()) == before


def test_no_file_of_a_run_overwrites_another(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, before = bolts(3), bolts(3).read_bytes()
    monkeypatch.chdir(tmp_path)
    for options in (
        ["-o", "./bolts.jsonl"],
        ["-o", "o.jsonl", "--quarantine", source],
        ["-o", "o.jsonl", "--quarantine", "./o.jsonl"],
        ["-o", "o.jsonl", "--journal", tmp_path / "o.jsonl"],
        ["-o", "o.jsonl", "--metrics", "bolts.jsonl"],
    ):
        done = shell("run", "-i", source, *options, *words)
        assert (done.returncode, "are the same file" in done.stderr) == (2, True), options
        assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bolts.jsonl", "model.py"]


def test_a_budget_ends_the_run_with_3_and_a_higher_one_resumes(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(60)), "-o", str(tmp_path / "out.jsonl"), "--chunk", "5", *words]
    done = shell(*words, "--budget-tokens", "300")
    assert done.returncode == 3
    assert "error: the budget of 300 tokens is used up" in done.stderr
    assert not (tmp_path / "out.jsonl").exists()
    assert 0 < len(asked(tmp_path)) <= 20
    assert shell(*words, "--budget-tokens", "3000").returncode == 1
    assert sorted(asked(tmp_path)) == list(range(1, 61))


def test_a_dry_run_estimates_and_pays_nothing_twice(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(100)), "-o", str(tmp_path / "out.jsonl"), "--price", "1000,1000", *words]
    free = shell(*words, "--dry-run", "--probe", "0")
    assert free.returncode == 0
    assert "no model was asked" in free.stdout
    assert not (tmp_path / "asked").exists()
    done = shell(*words, "--dry-run")
    assert len(asked(tmp_path)) == 20
    low, high = (float(word.lstrip("$")) for word in done.stdout.splitlines()[2].split()[1::2])
    assert low < 1.6 < high
    assert high - low < 0.1
    assert shell(*words).returncode == 1
    assert len(asked(tmp_path)) == 100


def test_a_dry_run_changes_nothing(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(30)), "-o", str(tmp_path / "out.jsonl"), *words]
    other = [word if word != "Prompted()" else "Reask(Prompted())" for word in words]
    assert shell(*other, "--dry-run", "--probe", "0").stdout.startswith("30 rows to ask, estimated from 20 prompts")
    assert shell(*words, "--limit", "25").returncode == 1
    before = rows(tmp_path / "out.jsonl")
    for options, count, new in (
        ([], 5, 5),  # numbers 26 to 30, of which one is in vain
        (["--retry-quarantine"], 4, 4),
        (["--fresh"], 30, 16),
    ):
        already = len(asked(tmp_path))
        plain = words if not options else other
        done = shell(*plain, *options, "--dry-run")
        assert (done.returncode, done.stdout.split()[0]) == (0, str(count)), options
        assert len(asked(tmp_path)) <= already + new
        assert rows(tmp_path / "out.jsonl") == before
    known = len(asked(tmp_path))
    assert shell(*words).returncode == 1
    assert len(asked(tmp_path)) == known
    assert shell(*words, "--dry-run").stdout.split()[0] == "0"
    assert shell(*words, "--dry-run", "--probe", "0", "--price", "1,1").stdout.splitlines()[1:] == [
        "tokens  0 to 0", "cost    $0.00 to $0.00", "time    about 0:00:00"
    ]  # fmt: skip


def test_a_dry_run_of_a_pipe_and_of_nothing(words: list[str], tmp_path: Path, shell: Shell) -> None:
    beside = ["--journal", str(tmp_path / "j"), "--quarantine", str(tmp_path / "q.jsonl"), "--dry-run"]
    plain = [*words[:-2], *beside]
    assert shell("run", *plain, stdin="").returncode == 4
    assert not (tmp_path / "j").exists()
    assert shell("run", *plain, "--probe", "2", stdin="2 mm\n3 mm\n4 mm\n").stdout.startswith("1,000 rows")
    assert shell("run", *plain, stdin="2 mm\n3 mm\n4 mm\n").stdout.startswith("1 rows")


def test_the_quarantine_is_asked_again_by_another_strategy(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(30)), "-o", str(tmp_path / "out.jsonl"), *words]
    shell(*words)
    again = [*words, "--retry-quarantine"]
    assert shell(*again).returncode == 1
    assert len(asked(tmp_path)) == 30 + 4
    (tmp_path / "yes.json").write_text('{"mm": "{\\"kind\\": \\"hex\\", \\"size_mm\\": 1}"}')
    other = [word if not word.startswith("py:") else f"scripted:{tmp_path / 'yes.json'}" for word in again]
    done = shell(*other)
    assert (done.returncode, "retrying 4 quarantined rows" in done.stderr) == (0, True)
    assert [row["_key"] for row in rows(tmp_path / "out.jsonl")] == [f"k{n}" for n in range(1, 31)]
    assert len({row["_fingerprint"] for row in rows(tmp_path / "out.jsonl")}) == 2
    assert rows(tmp_path / "out.jsonl.quarantine.jsonl") == []


def test_a_scheduled_command_goes_on_after_the_quarantine_was_asked_again(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(10)), "-o", str(tmp_path / "out.jsonl"), *words]
    other = [word if word != "Prompted()" else "Reask(Prompted())" for word in words]
    assert shell(*words, "--limit", "6").returncode == 0
    done = shell(*other, "--limit", "6", "--retry-quarantine")
    assert (done.returncode, "retrying 0 quarantined rows" in done.stderr) == (0, True)
    assert shell(*other).returncode == 2
    assert shell(*words).returncode == 1
    done = shell(*other, "--retry-quarantine")
    assert (done.returncode, "retrying 1 quarantined rows" in done.stderr) == (1, True)
    before = len(asked(tmp_path))
    assert [shell(*command).returncode for command in (words, other)] == [1, 1]
    assert len(asked(tmp_path)) == before
    assert shell(*words, "--max-tokens", "9").returncode == 2
    assert shell(*words, "--fresh").returncode == 1
    assert shell(*other).returncode == 2


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
            assert process.wait() == -signal.SIGKILL
            killed += 1
        else:  # it was done before its moment came: from the start again
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


def test_an_interrupted_run_says_so_and_goes_on(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch, shell: Shell
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
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, "interrupted" in error) == (130, True)
    assert "Traceback" not in error
    monkeypatch.setenv("PAUSE", "0")
    assert shell(*words).returncode == 1


def test_a_model_that_failed_is_3_until_it_answers(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(6)), "-o", str(tmp_path / "out.jsonl"), *words]
    script = (tmp_path / "model.py").read_text()
    (tmp_path / "model.py").write_text(script.replace("time.sleep", "raise RuntimeError('gone') #"))
    done = shell(*words)
    assert (done.returncode, "the model failed on 6 of them" in done.stderr) == (3, True)
    assert {row["status"] for row in rows(tmp_path / "out.jsonl.quarantine.jsonl")} == {"error"}
    estimate = shell(*words, "--dry-run")
    assert estimate.returncode == 3
    assert re.search(r"the model failed on all of 6 rows, last: .*RuntimeError: gone", estimate.stderr)
    (tmp_path / "model.py").write_text(script)
    assert shell(*words).returncode == 0


def test_a_budget_needs_the_price_of_every_model(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    other = words[3]
    way = f"Cascade(Prompted(), On({other!r}, Prompted()), Verify(Prompted(), Judge({other!r})))"
    (tmp_path / "prices.json").write_text(json.dumps({other: [1, 2]}))
    options = ["--strategy", way, "--price", "1,2", "--budget-usd", "1"]
    words = ["run", "-i", str(bolts(20)), "-o", str(tmp_path / "out.jsonl"), *words, *options]
    done = shell(*words)
    assert (done.returncode, f"the price of {other} is unknown" in done.stderr) == (2, True)
    assert not (tmp_path / "asked").exists()
    assert not (tmp_path / "out.jsonl.journal").exists()
    done = shell(*words, "--prices", str(tmp_path / "prices.json"))
    assert (done.returncode, "cost unknown" in done.stderr) == (1, False)
