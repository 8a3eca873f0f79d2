"""`structout run`: what is refused before anything is asked, in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Shell
from tests.pipeline.conftest import MODEL, rows


def test_pipes_nothing_and_refusals(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    beside = ["--journal", str(tmp_path / "j"), "--quarantine", str(tmp_path / "q.jsonl")]
    plain = [*words[:-2], *beside]
    done = shell("run", "--bare", *plain, stdin="2 mm\n3 mm\n")
    assert (done.returncode, [json.loads(line)["size_mm"] for line in done.stdout.splitlines()]) == (0, [2, 3])
    changed = shell("run", *plain, "--max-tokens", "9", stdin="2 mm\n3 mm\n")
    assert (changed.returncode, changed.stderr.count("\n")) == (2, 1)
    assert "another sampling (max_tokens: 512, now 9)" in changed.stderr
    assert shell("run", *plain, "--max-tokens", "9", "--fresh", stdin="2 mm\n").returncode == 0
    assert shell("run", *plain, "--max-tokens", "9", "--fresh", stdin="").returncode == 4
    assert shell("run", *plain, "-o", str(tmp_path / "no/o.jsonl"), stdin="2 mm\n").returncode == 2
    assert shell("run", *plain, "--budget-usd", "1", stdin="2 mm\n").returncode == 2


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
    (tmp_path / "bolts.xlsx").write_text("[]")
    before = sorted(tmp_path.iterdir())
    for place, options, message in (
        (source, ["--column", "nosuch"], "no column 'nosuch'; it has: id, text"),
        (source, ["--key", "nosuch"], "no column 'nosuch'; it has: id, text"),
        (tmp_path / "bolts.csv", ["--column", "nosuch"], "no column 'nosuch'; it has: id, text"),
        (tmp_path / "bolts.txt", [], "no column 'id'; it has: text"),
        (tmp_path / "bolts.xlsx", [], "unknown input format"),
    ):
        done = shell("run", *words, "-i", place, "-o", tmp_path / "out.jsonl", *options, "--model", "py:none:None")
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
        assert sorted(tmp_path.iterdir()) == before
    source.write_text('{"id": 1}\n{"id": 2, "text": "2 mm"}\n')
    assert shell("run", *words, "-i", source, "-o", tmp_path / "out.jsonl").returncode == 1


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


def test_another_option_is_told_from_a_changed_input(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", str(bolts(3)), "-o", str(tmp_path / "out.jsonl"), *words[:-2], "--strategy", "Prompted()"]
    assert shell(*words, "--key", "id").returncode in (0, 1)
    done = shell(*words)
    assert (done.returncode, "it was read with --key id: give the same option" in done.stderr) == (2, True), done.stderr
    done = shell(*words, "--key", "id", "--column", "id")
    assert (done.returncode, "it was read with --column text" in done.stderr) == (2, True), done.stderr
    (tmp_path / "out.jsonl.journal").unlink()
    shell(*words)
    assert "it was read with no --key" in shell(*words, "--key", "id").stderr
    bolts(3).write_text('{"id": 1, "text": "other"}\n')
    refused = shell(*words).stderr
    assert "row 1 of the input differs" in refused
    assert "for another input, such as the next night's, name another --output or --journal" in refused
    assert "done already" not in refused
