"""`structout validate`, the gate."""

import json
from pathlib import Path

import pytest

from tests.bolt import BOLT
from tests.cli.conftest import GOOD
from tests.conftest import Shell


@pytest.mark.parametrize(
    ("name", "content", "options", "code"),
    [
        ("a.jsonl", f"{GOOD}\n{GOOD}\n", [], 0),
        ("a.jsonl", f"{GOOD}\nno\n", [], 1),
        ("a.jsonl", f"{GOOD}\nno\n", ["--min-valid", "0.5"], 0),
        ("a.jsonl", f"```json\n{GOOD}```\n", [], 1),
        ("a.json", f"```json\n{GOOD}\n```\n", ["--repair", "lossless"], 0),
        ("a.json", GOOD, [], 0),
        ("a.jsonl", "", [], 4),
        ("a.jsonl", GOOD, ["--repair", "wild"], 2),
        ("a.jsonl", GOOD, ["--schema", "nope.json"], 2),
    ],
)
def test_validate_is_a_gate(
    tmp_path: Path, name: str, content: str, options: list[str], code: int, shell: Shell
) -> None:
    (tmp_path / name).write_text(content)
    done = shell("validate", tmp_path / name, "--schema", BOLT, *options)
    assert done.returncode == code
    assert done.stderr.count("\n") == 1


def test_validate_says_where_and_what(shell: Shell) -> None:
    done = shell("validate", "--schema", BOLT, stdin=f'{GOOD}\n{{"kind": "hex"}}\n')
    assert done.stdout.startswith("-:2: ")
    assert 'the key "size_mm" is missing' in done.stdout
    done = shell("validate", "--schema", BOLT, "--json", stdin='{"kind": "hex"}\n')
    assert json.loads(done.stdout)["issues"][0]["kind"] == "missing"


def test_a_threshold_that_warns_leaves_the_exit_code_zero(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.jsonl").write_text(f'{GOOD}\n{{"kind": "hex"}}\n')
    words = ["validate", tmp_path / "a.jsonl", "-s", BOLT, "--min-valid", "0.5"]
    page = tmp_path / "a.html"
    warned = shell(*words, "--warn-valid", "0.9", "--warn-field", "size_mm=0.9", "--report", f"html={page}")
    assert warned.returncode == 0
    assert "warning: valid >= 0.9 (found 0.5), size_mm valid >= 0.9 (found 0.5)" in warned.stderr
    assert "The gate passes with a warning: valid &gt;= 0.9 was demanded" in page.read_text()
    assert "warning" not in shell(*words, "--warn-valid", "0.5", "--warn-invalid", "1").stderr
    failed = shell(*words, "--max-invalid", "0", "--warn-invalid", "0", "--report", "github=-")
    assert failed.returncode == 1
    assert "::error file=" in failed.stdout
    assert "::warning title=structout::invalid <= 0: found 1" in failed.stdout
    assert shell(*words, "--warn-field", "none=0.9").returncode == 2


def test_a_report_of_an_input_that_broke_off_says_so(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.json").write_text(f"[{GOOD}, {GOOD}")
    (tmp_path / "b.jsonl").write_text("")
    for name, code in (("a.json", 1), ("b.jsonl", 4)):
        done = shell("validate", tmp_path / name, "-s", BOLT, "--max-invalid", "0", "--report", "md=-")
        assert done.returncode == code, done.stderr
        assert "Passed" not in done.stdout


def test_several_inputs_are_judged_as_one_and_named_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.json").write_text('{"type": "object", "properties": {"a": {"type": "integer"}}}')
    Path("x.jsonl").write_text('{"a": 1}\n{"a": "b"}\n')
    Path("y.json").write_text('[{"a": 2}, {"a": null}]')
    for jobs in ("1", "2"):
        words = ["validate", "-s", "s.json", "x.jsonl", "y.json", "--jobs", jobs, "--min-valid", "0.5"]
        done = shell(*words, "--report", "github=g.txt", "--report", "sarif=s.sarif")
        assert done.returncode == 0, done.stderr
        assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == ["x.jsonl:2", "y.json:2"]
        assert "2 of 4 documents are valid" in done.stderr
        assert Path("g.txt").read_text().count("::warning file=") == 2  # the gate holds
        assert '"uri": "y.json"' in Path("s.sarif").read_text()
    rows = [json.loads(line) for line in shell(*words, "--json").stdout.splitlines()]
    assert [(row["source"], row["line"]) for row in rows] == [
        ("x.jsonl", 1), ("x.jsonl", 2), ("y.json", 1), ("y.json", 2)
    ]  # fmt: skip
    assert shell("validate", "-s", "s.json", "*.jsonl", "--min-valid", "0.5").returncode == 0
    assert shell("validate", "-s", "s.json", "none*").returncode == 2


def test_batches_yaml_and_delimiters_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell) -> None:
    monkeypatch.chdir(tmp_path)
    body = {"choices": [{"message": {"content": GOOD}, "finish_reason": "stop"}]}
    entry = {"custom_id": "k", "response": {"status_code": 200, "body": body}, "error": None}
    gone = {"custom_id": "k2", "response": None, "error": {"message": "expired\x1b[31m"}}
    Path("batch.jsonl").write_text(f"{json.dumps(entry)}\n{json.dumps(gone)}\n")
    Path("s.csv").write_text("kind;size_mm\nhex;6\n")
    unasked = shell("validate", "batch.jsonl", "--schema", BOLT)
    assert (unasked.returncode, "--format openai-batch" in unasked.stderr) == (2, True)
    done = shell("validate", "batch.jsonl", "--schema", BOLT, "--format", "openai-batch", "--rejects", "no.jsonl")
    assert done.returncode == 1
    assert done.stdout.startswith("batch.jsonl:2: ")
    assert "\x1b" not in done.stdout
    assert json.loads(Path("no.jsonl").read_text())["issues"][0]["kind"] == "unanswered"
    assert shell("validate", "s.csv", "--schema", BOLT).returncode == 1
    assert shell("validate", "s.csv", "--schema", BOLT, "--delimiter", ";").returncode == 0
    assert shell("validate", "s.csv", "--schema", BOLT, "--delimiter", "x").returncode == 2
    pytest.importorskip("yaml")
    Path("a.yml").write_text("kind: hex\nsize_mm: 6\n---\nkind: no\nsize_mm: 6\n")
    done = shell("validate", "a.yml", "s.csv", "--delimiter", ";", "--schema", BOLT)
    assert (done.returncode, done.stdout.partition(": ")[0]) == (1, "a.yml:3")
    assert "2 of 3 documents are valid" in done.stderr
