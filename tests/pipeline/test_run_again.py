"""`structout run` that is run again: by another strategy, or once the model answers."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Shell
from tests.pipeline.conftest import asked, rows


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


def test_a_corrected_row_is_taken_from_the_corrected_file(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    source = bolts(10)
    words = ["run", str(source), "-o", str(tmp_path / "out.jsonl"), *words]
    assert shell(*words).returncode == 1
    source.write_text(source.read_text().replace("7 mm bolt", "8 mm bolt"))
    refused = shell(*words)
    assert (refused.returncode, "row 7 of the input differs from row 7 of" in refused.stderr) == (2, True)
    assert "if you corrected quarantined rows only, add --retry-quarantine" in refused.stderr
    assert shell(*words, "--retry-quarantine").returncode == 0
    source.write_text(source.read_text().replace("1 mm bolt", "2 mm bolt"))
    assert "--retry-quarantine" not in shell(*words).stderr


def test_the_quarantine_says_what_was_wrong_with_each_attempt(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    (tmp_path / "bad.json").write_text('{"mm": "{\\"size_mm\\": \\"six\\"}"}')
    other = [word if not word.startswith("py:") else f"scripted:{tmp_path / 'bad.json'}" for word in words]
    strategy = [word if word != "Prompted()" else "Reask(Prompted(), limit=1)" for word in other]
    assert shell("run", str(bolts(1)), "-o", str(tmp_path / "o.jsonl"), *strategy).returncode == 1
    (row,) = rows(tmp_path / "o.jsonl.quarantine.jsonl")
    first, last = (attempt["issues"] for attempt in row["attempts"])
    assert last == row["issues"]
    assert {one["pointer"] for one in first} == {"", "/size_mm"}
    assert {one["kind"] for one in first} == {"missing", "type"}


def test_a_scheduled_command_goes_on_after_the_quarantine_was_asked_again(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(10)), "-o", str(tmp_path / "out.jsonl"), *words]
    other = [word if word != "Prompted()" else "Reask(Prompted())" for word in words]
    assert shell(*words, "--limit", "6").returncode == 0
    done = shell(*other, "--limit", "6", "--retry-quarantine")
    assert (done.returncode, "no quarantined rows to retry: asking for all rows" in done.stderr) == (0, True)
    assert shell(*other).returncode == 2
    assert shell(*words).returncode == 1
    done = shell(*other, "--retry-quarantine")
    assert (done.returncode, "retrying 1 quarantined row: the model is asked, and paid, again\n" in done.stderr) == (
        1,
        True,
    )
    before = len(asked(tmp_path))
    assert [shell(*command).returncode for command in (words, other)] == [1, 1]
    assert len(asked(tmp_path)) == before
    assert shell(*words, "--max-tokens", "9").returncode == 2
    assert shell(*words, "--fresh").returncode == 1
    assert shell(*other).returncode == 2


def test_a_model_that_failed_is_3_until_it_answers(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(6)), "-o", str(tmp_path / "out.jsonl"), *words]
    script = (tmp_path / "model.py").read_text()
    (tmp_path / "model.py").write_text(script.replace("time.sleep", "raise RuntimeError('gone') #"))
    done = shell(*words)
    told = r"the model failed on 6 rows \(.*RuntimeError: gone\b.*\); run the same command again"
    assert (done.returncode, bool(re.search(told, done.stderr))) == (3, True), done.stderr
    assert {row["status"] for row in rows(tmp_path / "out.jsonl.quarantine.jsonl")} == {"error"}
    estimate = shell(*words, "--dry-run")
    assert estimate.returncode == 3
    assert re.search(r"the model failed on all of 6 rows, last: .*RuntimeError: gone", estimate.stderr)
    (tmp_path / "model.py").write_text(script)
    assert shell(*words).returncode == 0
