"""`structout forget` in bench logs and reports, and `bench --no-transcripts`."""

import json
from pathlib import Path

import pytest

from tests.bolt import BOLT
from tests.conftest import Shell

SECRET = "customer-of-bolt-{}-"


@pytest.fixture
def bench(tmp_path: Path) -> list[str]:
    """A bench of ten bolts, of which each text, label and answer has words of its own."""
    rows = [
        {
            "key": f"bolt-{n:03}-key",
            "text": f"bolt {n}. for {SECRET.format(n)}",
            "expected": {"kind": "hex", "size_mm": n, "note": f"label-of-{n}-"},
        }
        for n in range(10)
    ]
    (tmp_path / "bolts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    answers = {f"bolt {n}.": json.dumps({"kind": "hex", "size_mm": n, "note": f"answer-to-{n}-"}) for n in range(10)}
    (tmp_path / "script.json").write_text(json.dumps({**answers, "bolt 4.": "bad answer-to-4-"}))
    words = [
        "bench",
        str(tmp_path / "bolts.jsonl"),
        "--schema",
        BOLT,
        "--model",
        f"scripted:{tmp_path / 'script.json'}",
    ]
    return [*words, "--strategy", "Reask(Prompted())", "--split", "all", "--log", str(tmp_path / "log.jsonl")]


def told(n: int) -> list[bytes]:
    """What is told of a record alone."""
    return [one.encode() for one in (f"bolt-{n:03}-key", SECRET.format(n), f"label-of-{n}-", f"answer-to-{n}-")]


def holds(file: Path, n: int) -> list[bytes]:
    return [one for one in told(n) if one in file.read_bytes()]


@pytest.fixture
def journal(tmp_path: Path, shell: Shell) -> Path:
    """The journal of a run over the same records."""
    words = ["--schema", BOLT, "--model", f"scripted:{tmp_path / 'script.json'}", "--strategy", "Prompted()"]
    out = tmp_path / "out.jsonl"
    (tmp_path / "script.json").write_text(json.dumps({"bolt": '{"kind": "hex", "size_mm": 6}'}))
    assert shell("run", tmp_path / "bolts.jsonl", "-o", out, "--key", "key", *words).returncode == 0
    return Path(f"{out}.journal")


@pytest.mark.parametrize("n", [0, 4])
def test_a_record_leaves_the_log_and_the_report_too(
    n: int, bench: list[str], tmp_path: Path, shell: Shell, request: pytest.FixtureRequest
) -> None:
    assert shell(*bench).returncode == 0
    log, report = tmp_path / "log.jsonl", tmp_path / "log.html"
    journal = request.getfixturevalue("journal")
    assert len(holds(log, n)) == len(holds(report, n)) == 4
    lines = log.read_bytes().splitlines()
    done = shell("forget", journal, "--key", f"bolt-{n:03}-key", "--log", log, "--report", report)
    assert done.returncode == 0, done
    assert holds(log, n) == holds(report, n) == holds(journal, n) == holds(tmp_path / "out.jsonl", n) == []
    kept = log.read_bytes().splitlines()
    assert len(lines) - len(kept) == (3 if n == 4 else 2), "the outcome and its completions"
    assert kept == [line for line in lines if line in kept]
    assert all(len(holds(log, other)) == 4 for other in range(10) if other != n)
    assert shell("bench", "--rescore", log).returncode == 0
    assert json.loads(shell("bench", "--rescore", log, "--json").stdout)["rows"][0]["n"] == 9
    assert json.loads(_data(report))["about"]["records"] == 10
    assert shell("forget", journal, "--key", f"bolt-{n:03}-key", "--log", log, "--report", report).returncode == 4


def _data(report: Path) -> str:
    return report.read_text().partition('id="data">')[2].partition("</script>")[0]


def test_a_report_without_its_log_is_refused(
    bench: list[str], tmp_path: Path, shell: Shell, request: pytest.FixtureRequest
) -> None:
    assert shell(*bench).returncode == 0
    log, report = tmp_path / "log.jsonl", tmp_path / "log.html"
    journal = request.getfixturevalue("journal")
    before = journal.read_bytes()
    words = ["forget", journal, "--key", "bolt-001-key"]
    alone = shell(*words, "--report", report)
    assert (alone.returncode, f"unknown log of {report}" in alone.stderr) == (2, True)
    other = shell(*words, "--report", tmp_path / "bolts.jsonl", "--log", log)
    assert (other.returncode, "is not a report of structout bench" in other.stderr) == (2, True)
    report.write_text(report.read_text().replace('"records":10', '"records":11'))
    changed = shell(*words, "--report", report, "--log", log)
    assert (changed.returncode, "shows no run of" in changed.stderr) == (2, True)
    assert journal.read_bytes() == before


def test_a_log_of_which_every_record_is_forgotten_is_empty(
    bench: list[str], tmp_path: Path, shell: Shell, request: pytest.FixtureRequest
) -> None:
    assert shell(*bench).returncode == 0
    log, report = tmp_path / "log.jsonl", tmp_path / "log.html"
    keys = [word for n in range(10) for word in ("--key", f"bolt-{n:03}-key")]
    done = shell("forget", request.getfixturevalue("journal"), *keys, "--log", log, "--report", report)
    assert done.returncode == 0, done
    assert len(log.read_text().splitlines()) == 1
    assert json.loads(_data(report))["outcomes"] == []


@pytest.mark.parametrize(
    "line", ['{"a": 1}', '{"completion": []}', '{"key": "k", "attempts": 7}', '{"key": "k", "issues": [7]}']
)
def test_a_forged_log_is_refused(
    line: str, bench: list[str], tmp_path: Path, shell: Shell, request: pytest.FixtureRequest
) -> None:
    assert shell(*bench).returncode == 0
    log = tmp_path / "log.jsonl"
    with log.open("a") as stream:
        stream.write(f"{line}\n")
    done = shell("forget", request.getfixturevalue("journal"), "--key", "bolt-001-key", "--log", log)
    assert (done.returncode, "it is not a bench log" in done.stderr) == (2, True), done


def test_a_bench_without_transcripts_keeps_numbers_alone(bench: list[str], tmp_path: Path, shell: Shell) -> None:
    log, report = tmp_path / "log.jsonl", tmp_path / "log.html"
    done = shell(*bench, "--no-transcripts", "--json")
    assert done.returncode == 0, done
    for file in (log, report):
        for n in range(10):
            assert holds(file, n) == [f"bolt-{n:03}-key".encode()], "the keys stay"
        assert b"Answer with" not in file.read_bytes()
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert rows[0]["transcripts"] is False
    assert [row["status"] for row in rows[1:]].count("invalid") == 1
    assert sum(row["usage"]["calls"] for row in rows[1:]) == 11
    assert "keeps no transcripts" in report.read_text()
    assert json.loads(_data(report))["rows"][0]["n"] == json.loads(done.stdout)["rows"][0]["n"] == 10
    refused = shell("bench", "--rescore", log)
    assert (refused.returncode, "holds no transcripts" in refused.stderr) == (2, True)
    baseline = shell(*bench, "--baseline", log)
    assert (baseline.returncode, "holds no transcripts" in baseline.stderr) == (2, True)


def test_transcripts_that_a_log_already_holds_are_not_hidden(bench: list[str], tmp_path: Path, shell: Shell) -> None:
    log, page = tmp_path / "log.jsonl", tmp_path / "page.html"
    assert shell(*bench).returncode == 0
    before = log.read_bytes()
    refused = shell(*bench, "--no-transcripts")
    assert (refused.returncode, "holds the transcripts of an earlier run" in refused.stderr) == (2, True)
    assert log.read_bytes() == before
    assert shell("bench", "--rescore", log, "--no-transcripts", "--html", page).returncode == 0
    assert all(len(holds(page, n)) == 1 for n in range(10))
