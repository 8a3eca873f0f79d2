"""The spellings of options: the current ones in --help, the former ones still accepted."""

import json
from pathlib import Path

import pytest

from tests.conftest import Shell, needs

OUTPUTS = ["run", "validate", "label", "finetune", "recommend", "certify"]
INPUTS = ["extract", "run", "label", "validate", "repair"]
FORMER = {"--out", "--input", "-i"}
SCRIPTED = ["--schema", "schema.json", "--model", "scripted:answers.json", "--strategy", "Prompted()"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a schema, rows to read, labelled records, and a model that answers them all."""
    monkeypatch.chdir(tmp_path)
    Path("schema.json").write_text(json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}}))
    Path("answers.json").write_text(json.dumps({"": '{"n": 1}'}))
    Path("rows.txt").write_text("one\ntwo\n")
    rows = [{"key": f"{n}", "text": f"row {n}.", "expected": {"n": 1}} for n in range(240)]
    Path("labels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def help_words(shell: Shell, monkeypatch: pytest.MonkeyPatch, command: str) -> set[str]:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    done = shell(command, "--help")
    assert done.returncode == 0
    return set(done.stdout.replace(",", " ").split())


@pytest.mark.parametrize("command", sorted({*OUTPUTS, *INPUTS}))
def test_help_lists_one_spelling(shell: Shell, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    words = help_words(shell, monkeypatch, command)
    assert not words & FORMER
    assert {"--output", "-o"} <= words or command not in OUTPUTS
    assert {"[INPUT]", "[INPUT]..."} & words or command not in INPUTS


@needs("torch")
@pytest.mark.parametrize("spelling", ["--output", "-o", "--out"])
def test_every_spelling_says_where_the_result_goes(folder: Path, shell: Shell, spelling: str) -> None:
    labels = ["labels.jsonl", *SCRIPTED, "--log", "log.jsonl"]
    for words in (
        ["label", "rows.txt", *SCRIPTED],
        ["recommend", *labels, "--target", "compliance>=0.9", "--compliance-only"],
    ):
        done = shell(*words, spelling, words[0])
        assert (done.returncode, f"in {words[0]}" in done.stderr) == (0, True), done.stderr
        assert Path(words[0]).is_file()
    assert "cannot write no/such/file" in shell("certify", *labels, spelling, "no/such/file").stderr
    tuned = shell("finetune", "labels.jsonl", *SCRIPTED[:4], spelling, "tuned")
    assert (tuned.returncode, "cannot fine-tune scripted:answers.json" in tuned.stderr) == (2, True), tuned.stderr


def test_a_result_without_a_place_is_wrong_usage(folder: Path, shell: Shell) -> None:
    for words in (["label", "rows.txt", "--schema", "schema.json"], ["finetune", "labels.jsonl"]):
        done = shell(*words)
        assert (done.returncode, "--output" in done.stderr, "--out'" in done.stderr) == (2, True, False), done.stderr


@pytest.mark.parametrize("source", [["rows.txt"], ["--input", "rows.txt"], ["-i", "rows.txt"], ["--input=rows.txt"]])
def test_every_spelling_says_what_a_run_reads(folder: Path, shell: Shell, source: list[str]) -> None:
    done = shell("run", *source, *SCRIPTED, "-o", "out.jsonl")
    assert (done.returncode, "2 rows in" in done.stderr) == (0, True), done.stderr
    assert Path("out.jsonl").read_text().count("\n") == 2


@pytest.mark.parametrize("option", ["--column", "--text"])
def test_every_spelling_says_which_column_a_run_reads(folder: Path, shell: Shell, option: str) -> None:
    Path("rows.csv").write_text("note\none\n")
    done = shell("run", "rows.csv", *SCRIPTED, "-o", "out.jsonl", option, "note")
    assert (done.returncode, "1 row in" in done.stderr) == (0, True), done.stderr


def test_a_run_reads_a_pipe_unless_it_is_told_otherwise(folder: Path, shell: Shell) -> None:
    for source in ([], ["-"], ["--input", "-"]):
        done = shell("run", *source, *SCRIPTED, "-o", "out.jsonl", "--fresh", stdin="one\n")
        assert (done.returncode, "1 row in" in done.stderr) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "rows.txt", "-i", "rows.txt", *SCRIPTED], "both INPUT and --input are given"),
        (["run", "--input", "rows.txt", "-", *SCRIPTED], "both INPUT and --input are given"),
        (["label", "rows.txt", *SCRIPTED, "-o", "a", "--out", "b"], "both --output and --out are given"),
        (["run", "rows.txt", *SCRIPTED, "--column", "a", "--text", "b"], "both --column and --text are given"),
        (["certify", "labels.jsonl", "--out", "b", "--output", "a"], "both --output and --out are given"),
    ],
)
def test_two_spellings_at_once_are_wrong_usage(folder: Path, shell: Shell, words: list[str], message: str) -> None:
    before = sorted(folder.iterdir())
    done = shell(*words)
    assert (done.returncode, done.stderr) == (2, f"error: {message} (omit one of them)\n")
    assert sorted(folder.iterdir()) == before
