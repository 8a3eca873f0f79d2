"""`structout run`: what comes of rows."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Shell
from tests.pipeline.conftest import asked, rows


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
    last = json.loads([line for line in done.stderr.splitlines() if line.startswith("{")][-1])
    assert (last["event"], last["rows"], last["accepted"], last["quarantined"]) == ("end", 50, 43, 7)
    assert 'structout_rows_total{status="valid"} 43' in (tmp_path / "metrics").read_text()
    before = out.read_bytes()
    assert shell(*words).returncode == 1
    assert out.read_bytes() == before
    assert len(asked(tmp_path)) == 50


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


def test_a_row_that_cannot_be_read_is_set_aside_unasked(words: list[str], tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "in.csv").write_text('id,text\n1,1 mm, zinc\n2,\n3,"   "\n4,"4 in\n5,5 mm\n6\n')
    assert shell("run", *words, "-i", tmp_path / "in.csv", "-o", tmp_path / "out.jsonl").returncode == 1
    others = rows(tmp_path / "out.jsonl.quarantine.jsonl")
    said = [
        "line 2 has 3 cells",
        "the record is blank",
        "the record is blank",
        "line 5: a quote",
        "the record is blank",
    ]
    assert len(others) == len(said)
    for row, message in zip(others, said, strict=True):
        assert row["issues"][0]["message"].startswith(message)
        assert row["issues"][0]["kind"] == "unreadable"
    assert others[0]["input"] == {"id": "1", "text": "1 mm", "(more)": " zinc"}
    assert asked(tmp_path) == [5]
    for nothing in ("in.csv", "in.jsonl"):
        (tmp_path / nothing).write_text("")
        assert shell("run", *words, "-i", tmp_path / nothing, "-o", tmp_path / "none.jsonl").returncode == 4


def test_keys_that_repeat_are_told(words: list[str], tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "in.csv").write_text("id,text\na,1 mm\nb,2 mm\na,3 mm\na,4 mm\n")
    for limit, told in (
        ("2", ""),
        ("3", "1 row has the same id as"),
        ("4", "2 rows have the same id as an earlier row"),
    ):
        done = shell("run", *words, "-i", tmp_path / "in.csv", "-o", tmp_path / "out.jsonl", "--limit", limit)
        assert (done.returncode, "the same id" in done.stderr, told in done.stderr) == (0, bool(told), True)


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


def test_the_least_yield_decides_about_the_quarantine(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", str(bolts(20)), "-o", str(tmp_path / "out.jsonl"), *words]  # 18 of 20 are accepted
    for least, code in (("0.9", 0), ("0.95", 1), ("0", 0), ("90%", 0), ("1", 1)):
        done = shell(*words, "--min-yield", least)
        assert done.returncode == code
        assert (f"missed: yield >= {least} (found 0.9)" in done.stderr) == bool(code)
        assert len(rows(tmp_path / "out.jsonl")) == 18
    refused = shell(*words, "--min-yield", "95")
    assert (refused.returncode, "invalid --min-yield: got '95'" in refused.stderr) == (2, True)


def test_the_quarantine_is_readable_and_safe_on_a_terminal(words: list[str], tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps({"id": 7, "text": "7 mm Łódź \x1b[31m \u202e \ud800"}) + "\n")
    assert shell("run", *words, "-i", tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl").returncode == 1
    written = (tmp_path / "out.jsonl.quarantine.jsonl").read_text(encoding="utf-8")
    assert "7 mm Łódź \\u001b[31m \\u202e \\ud800" in written
