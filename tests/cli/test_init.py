"""`structout init`: the folder that it writes runs as its README says, and nothing is overwritten."""

import csv
import io
import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from structout import Dataset, Schema
from tests.bolt import BOLT
from tests.conftest import ROOT, Shell, needs

ROWS: list[dict[str, Any]] = [
    {
        "text": f"{kind} bolt no {n}, {6 + n % 3} mm",
        "kind": kind,
        "size (mm)": 6 + n % 3,
        "note": None if n % 4 else "x",
    }
    for n, kind in enumerate(["hex", "flange"] * 8)
]
ANSWER = {"kind": "hex", "size (mm)": 6, "note": None}
MODEL = "scripted:answers.json"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("answers.json").write_text(json.dumps({"bolt": json.dumps(ANSWER)}))
    Path("rows.csv").write_text(table(ROWS))


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV."""
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def commands(folder: str) -> list[list[str]]:
    """The commands in the README of a folder."""
    lines = Path(folder, "README.md").read_text().splitlines()
    return [shlex.split(line.removeprefix("$ structout ")) for line in lines if line.startswith("$ structout ")]


def write(format: str) -> str:  # noqa: A002
    """The rows as a file."""
    name = f"rows.{format}"
    labelled = [{"text": row["text"], "expected": {k: v for k, v in row.items() if k != "text"}} for row in ROWS]
    if format == "jsonl":
        Path(name).write_text("\n".join(map(json.dumps, ROWS)))
    elif format == "json":
        Path(name).write_text(json.dumps(labelled))
    elif format == "parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(ROWS), name)
    return name


@pytest.mark.parametrize("format", ["csv", "jsonl", "json", pytest.param("parquet", marks=needs("pyarrow"))])
def test_the_commands_of_the_readme_work_when_copied(
    format: str,  # noqa: A002
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = shell("init", "new/bolts", "--sample", write(format), "--model", MODEL)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(os.listdir("new/bolts")) == ["README.md", "records.jsonl", "schema.py"]
    assert 'Literal["hex", "flange"]' in Path("new/bolts/schema.py").read_text()
    data = Dataset.load("new/bolts")
    assert [record.written for record in data] == [{k: v for k, v in row.items() if k != "text"} for row in ROWS]
    found = commands("new/bolts")
    assert [words[0] for words in found] == ["run", "bench", "validate"]
    monkeypatch.chdir("new/bolts")
    for words in found:
        assert shell(*words).returncode == 0, words


def test_texts_with_an_example_make_a_folder_that_runs_without_labels(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("texts.txt").write_text("hex bolt 6\nflange bolt 8\n")
    done = shell("init", "--sample", "texts.txt", "--model", MODEL, "--example", json.dumps(ANSWER))
    assert (done.returncode, done.stderr) == (0, "")
    assert [words[0] for words in commands("texts")] == ["run", "validate"]
    monkeypatch.chdir("texts")
    assert [shell(*words).returncode for words in commands(".")] == [0, 0]


def test_texts_alone_make_a_folder_with_a_schema_to_fill_in(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("lines.csv").write_text("line_id;description;cost_center\nL1;two hex bolts;0007\nL2;a nut;0008\n")
    Path("answers.json").write_text(json.dumps(json.dumps({"subject": "a part"})))
    words = ["init", "made", "--sample", "lines.csv", "--column", "description", "--model", MODEL]
    made = shell(*words, "--no-labels")
    assert (made.returncode, "schema.py is a stub" in made.stdout) == (0, True), made.stderr
    assert shell(*words, "--no-labels", "--label-column", "cost_center").returncode == 2
    monkeypatch.chdir("made")
    for command in commands("."):
        done = shell(*command)
        assert done.returncode == 0, done.stderr
    (first, _) = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert (first["_key"], first["subject"], first["cost_center"]) == ("L1", "a part", "0007")


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_ids_become_keys_and_other_columns_stay_beside_the_records(
    delimiter: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"00{n}{delimiter}hex, bolt {n}{delimiter}DE01" for n in range(4)]
    Path("orders.csv").write_text("\n".join((delimiter.join(("id", "text", "werk")), *lines)))
    options = ["--sample", "orders.csv", "--model", MODEL, "--example", json.dumps(ANSWER)]
    told = shell("init", *options)
    assert told.returncode == 0
    assert "the column id became the key of the records, and is not a field" in told.stdout
    both = shell("init", "named", *options[:4], "--label-column", "id", "--label-column", "werk")
    assert both.returncode == 0, both.stderr
    labelled = json.loads(Path("named/records.jsonl").read_text().splitlines()[1])
    assert (labelled["key"], labelled["expected"]["id"]) == ("001", "001"), "a key and a field"
    run, validate = commands("orders")
    assert run[run.index("--key") : run.index("--output")] == ["--key", "key", "--keep", "werk"]
    monkeypatch.chdir("orders")
    assert [shell(*words).returncode for words in (run, validate)] == [0, 0]
    row = json.loads(Path("out.jsonl").read_text().splitlines()[1])
    assert (row["_key"], row["werk"], row["kind"]) == ("001", "DE01", "hex")
    monkeypatch.chdir("..")
    assert shell("init", "b", *options, "--delimiter", ":").returncode == 2
    Path("orders.csv").write_text("\n".join(("id,text", "1,a", "2,b")))
    done = shell("init", "c", *options[:-2])
    assert (done.returncode, "name columns with --label-column" in done.stderr) == (2, True)


def test_rows_that_are_skipped_for_one_reason_are_told_once(shell: Shell) -> None:
    Path("rows.csv").write_text(table(ROWS) + "a,b,c,d,e\n" * 5)
    done = shell("init", "--sample", "rows.csv", "--model", MODEL)
    assert done.stderr.count("\n") == 1
    assert "quote the cell that holds ',', and 4 more rows for this reason" in done.stderr


def test_a_schema_that_exists_is_kept_and_reads_the_cells(shell: Shell) -> None:
    rows = [{"id": n, "text": f"bolt {n}", "kind": "hex", "size_mm": n, "note": "7"} for n in range(3)]
    Path("rows.csv").write_text(table(rows))
    assert shell("init", "--sample", "rows.csv", "--model", MODEL, "--schema", BOLT).returncode == 0
    assert Path("rows/schema.py").read_bytes() == (ROOT / "tests/bolt.py").read_bytes()
    data = Dataset.load("rows/records.jsonl", "rows/schema.py:Bolt")
    assert [record.written for record in data] == [{"kind": "hex", "size_mm": n, "note": "7"} for n in range(3)]
    assert all("schema.py:Bolt" in words for words in commands("rows"))
    done = shell("init", "b", "--sample", "rows.csv", "--model", MODEL, "--schema", "tests.bolt:Bolt")
    assert (done.returncode, "path/to/file.py:Name" in done.stderr) == (2, True)
    Path("bolt.json").write_text(json.dumps(Schema.of(BOLT).json_schema))
    assert shell("init", "c", "--sample", "rows.csv", "--model", MODEL, "--schema", "bolt.json").returncode == 0
    assert len(Dataset.load("c")) == 3


def test_labels_that_do_not_fit_leave_no_folder(shell: Shell) -> None:
    Path("rows.csv").write_text(table([{"text": "bolt", "kind": "round", "size_mm": 6}]))
    done = shell("init", "--sample", "rows.csv", "--model", MODEL, "--schema", BOLT)
    assert (done.returncode, done.stderr.count("\n"), "invalid expected document" in done.stderr) == (2, 1, True)
    assert not Path("rows").exists()


@pytest.mark.parametrize("name", ["schema.py", "schema.json", "records.jsonl", "records.csv", "README.md"])
def test_nothing_is_overwritten(name: str, shell: Shell) -> None:
    Path("rows").mkdir()
    (Path("rows") / name).write_text("mine")
    done = shell("init", "--sample", "rows.csv", "--model", MODEL)
    assert (done.returncode, done.stderr.startswith(f"error: rows already holds {name}")) == (2, True)
    assert {one.name: one.read_text() for one in Path("rows").iterdir()} == {name: "mine"}


def test_a_folder_with_other_files_is_used(shell: Shell) -> None:
    assert shell("init", ".", "--sample", "rows.csv", "--model", MODEL).returncode == 0
    assert len(Dataset.load(".")) == len(ROWS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--sample and --model are missing (give --sample FILE and --model NAME"),
        (["--model", MODEL], "--sample is missing"),
        (["--sample", "rows.csv", "--yes"], "--model is missing"),
        (["--sample", "rows.csv", "--model", "embeded"], "unknown model 'embeded'"),
        (["--sample", "none.csv", "--model", MODEL], "none.csv"),
        (
            ["--sample", "other.csv", "--model", MODEL],
            "has no column 'text' (name the column of the texts",
        ),
        (["--sample", "bare.csv", "--model", MODEL], "has no labels to infer a schema from (give --schema SCHEMA"),
        (["--sample", "rows.csv", "--model", MODEL, "--label-column", "colour"], "has no column 'colour'"),
        (["--sample", "rows.csv", "--model", MODEL, "--label-column", "text"], "names the column of the texts"),
        (["--sample", "rows.csv", "--model", MODEL, "--example", "[1]"], "[1]"),
        (["--sample", "rows.csv", "--model", MODEL, "--example", "{}"], "the labels have no fields"),
        (
            ["--sample", "rows.csv", "--model", MODEL, "--example", "{}", "--schema", BOLT],
            "both --schema and",
        ),
    ],
)
def test_without_a_terminal_what_is_missing_or_wrong_is_named(words: list[str], told: str, shell: Shell) -> None:
    Path("other.csv").write_text("body,kind\na,hex\n")
    Path("bare.csv").write_text("text\na\n")
    done = shell("init", *words)
    assert (done.returncode, told in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr
    assert not Path("rows").exists()


def test_no_row_is_lost_without_a_word(shell: Shell) -> None:
    rows = [*ROWS, {**ROWS[0], "text": ""}, {"text": "bolt without a label", "kind": "", "size (mm)": "", "note": ""}]
    Path("rows.csv").write_text(table(rows) + "a,b,c,d,e\n")
    done = shell("init", "--sample", "rows.csv", "--model", MODEL)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "structout: skipped row 19: line 20 has 5 cells, the header 4: quote the cell that holds ','",
        "structout: skipped record 17: it has no text in text",
        "structout: left out 1 row without a label",
    ]
    assert len(Dataset.load("rows")) == len(ROWS)


def test_the_names_and_values_of_a_sample_never_become_code(shell: Shell) -> None:
    evil = '"""\n__import__("pathlib").Path("owned").touch()\n"""'
    rows = [{"text": f"bolt {n}", evil: [evil, "\x1b[31m'"][n % 2], "x): pass #": evil} for n in range(8)]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = shell("init", "--sample", "rows.jsonl", "--model", MODEL)
    assert done.returncode == 0, done.stderr
    assert len(Dataset.load("rows")) == 8
    assert not Path("owned").exists()
    assert "\x1b" not in done.stdout + Path("rows/schema.py").read_text() + Path("rows/README.md").read_text()


def test_in_a_terminal_what_is_missing_is_asked(tmp_path: Path) -> None:
    Path("other.csv").write_text(table([{"id": 1, "body": "hex bolt no 1, 6 mm", "kind": "hex"}]))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "structout", "init"]
    asked = subprocess.Popen(
        command, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    os.close(theirs)
    answers = ["other.csv", "", "kind", MODEL, "", "y"]  # the sample, texts, labels, model, folder, go on
    os.write(ours, "".join(f"{one}\n" for one in answers).encode())
    out, _ = asked.communicate(timeout=120)
    os.close(ours)
    assert (asked.returncode, b"wrote schema.py, 1 record with labels" in out) == (0, True)
    (record,) = Dataset.load("other")
    assert (record.text, record.written) == ("hex bolt no 1, 6 mm", {"kind": "hex"})
