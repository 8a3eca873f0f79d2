"""`structout forget`: rows leave every file, and the search of the bytes shows it."""

import gzip
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from structout.completion import Completion, Prompt
from structout.models import Scripted
from structout.pipeline.extraction import extract_many
from structout.pipeline.forget import holders
from structout.strategies import Prompted
from structout.surfaces import json_in_html, json_text
from structout.tables.fragments import Fragments
from structout.tables.removal import remove
from structout.tables.rows import read_rows
from tests.bolt import BOLT, Bolt
from tests.conftest import ROOT, Done, Shell
from tests.pipeline.conftest import rows

MODEL = """
import json, os
from structout.completion import Completion, Usage
from tests.pipeline.conftest import number

class Model:
    name = "tiny"

    def complete(self, prompts):
        with open(os.environ["ASKED"], "a") as asked:
            asked.write("".join(f"{number(prompt)}\\n" for prompt in prompts))
        return [Completion(self.answer(number(prompt)), Usage(calls=1, input_tokens=7)) for prompt in prompts]

    def answer(self, n):
        return json.dumps({"kind": "hex", "size_mm": n, "note": f"note-of-{n}-é"}) if n % 7 else f"refused-{n}-words"
"""
COUNT = 20


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    lines = (
        {"id": f"key-{n:03}x", "text": f"{n} mm bolt of customer-{n}-q", "owner": f"owner-{n}-Zoë"}
        for n in range(1, COUNT + 1)
    )
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def run(shell: Shell, folder: Path, output: str = "out.jsonl", *options: str | Path) -> Done:
    (folder / "asked").unlink(missing_ok=True)
    model = f"py:{folder / 'model.py'}:Model"
    words = ["--schema", BOLT, "--model", model, "--strategy", "Prompted()", "--key", "id", "--chunk", "4"]
    return shell("run", folder / "in.jsonl", "--output", folder / output, *words, *options)


def asked(folder: Path) -> list[int]:
    place = folder / "asked"
    return [int(line) for line in place.read_text().split()] if place.exists() else []


def texts(n: int) -> list[str]:
    """What is told of a row alone, in ASCII."""
    return [f"key-{n:03}x", f"customer-{n}-q", f"owner-{n}-", f"note-of-{n}-", f"refused-{n}-words"]


def holding(folder: Path, n: int) -> dict[str, list[str]]:
    """The files that hold a text of a row, but for its input."""
    found = {}
    for file in sorted(folder.iterdir()):
        if file.name in ("in.jsonl", "asked") or not file.is_file():
            continue
        data = file.read_bytes()
        data += gzip.decompress(data) if file.suffix == ".gz" else b""
        if held := [text for text in texts(n) if text.encode() in data]:
            found[file.name] = held
    return found


@pytest.mark.parametrize("n", [1, 5, 7, COUNT])  # the first is the dictionary of all others, 7 is in the quarantine
def test_a_row_leaves_every_file_and_the_others_stay(n: int, folder: Path, shell: Shell) -> None:
    assert run(shell, folder).returncode == 1
    before = {name: (folder / name).read_bytes().splitlines() for name in ("out.jsonl", "out.jsonl.quarantine.jsonl")}
    spent = _spent(folder / "out.jsonl.journal")
    assert holding(folder, n)
    done = shell("forget", folder / "out.jsonl.journal", "--key", f"key-{n:03}x")
    assert done.returncode == 0, done
    assert done.stdout.count("found nothing in ") == 3
    assert holding(folder, n) == {}
    for name, lines in before.items():
        kept = [line for line in lines if f"key-{n:03}x".encode() not in line]
        assert (folder / name).read_bytes().splitlines() == kept
    assert _spent(folder / "out.jsonl.journal") == spent, "the money was spent"
    after = {name: (folder / name).read_bytes() for name in before}
    again = run(shell, folder)
    assert "damaged" not in again.stderr
    accepted, others = (18, 1) if n == 7 else (17, 2)
    assert f"20 rows in = {accepted} to {folder / 'out.jsonl'} + {others} to " in again.stderr
    assert " + 1 forgotten\n" in again.stderr
    assert asked(folder) == []
    assert {name: (folder / name).read_bytes() for name in before} == after
    assert holding(folder, n) == {}
    twice = shell("forget", folder / "out.jsonl.journal", "--key", f"key-{n:03}x")
    assert (twice.returncode, "unknown key" in twice.stderr) == (4, True)


def _spent(journal: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(journal, isolation_level=None)) as db:
        return db.execute("SELECT * FROM spent").fetchall()


@pytest.mark.parametrize("output", ["out.csv", "out.tsv.gz", "out.jsonl.gz", "out.parquet", "out.duckdb#bolts"])
def test_every_format_of_output_is_rewritten(output: str, folder: Path, shell: Shell) -> None:
    run(shell, folder, output)
    place = output.replace("#", ".")
    done = shell("forget", folder / f"{place}.journal", "--key", "key-003x", "--key", "key-014x", "--json")
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert found["removed"] == {
        str(folder / output): 1, str(folder / f"{place}.quarantine.jsonl"): 1, str(folder / f"{place}.journal"): 2,
    }  # fmt: skip
    assert holding(folder, 3) == holding(folder, 14) == {}
    kept = [row.key for row in read_rows(str(folder / output), text="note", key="_key")]
    assert kept == [f"key-{n:03}x" for n in range(1, COUNT + 1) if n % 7 and n != 3]
    assert " + 2 forgotten\n" in run(shell, folder, output).stderr
    assert asked(folder) == []


def test_the_place_of_a_forgotten_row_outlives_a_retry_and_not_a_fresh_start(folder: Path, shell: Shell) -> None:
    run(shell, folder)
    assert shell("forget", folder / "out.jsonl.journal", "--key", "key-007x").returncode == 0
    words = ["--retry-quarantine", "--strategy", "Repair(Prompted())"]
    assert "+ 1 forgotten" in run(shell, folder, "out.jsonl", *words).stderr
    assert asked(folder) == [14]
    lines = (folder / "in.jsonl").read_text().splitlines()
    lines[6] = json.dumps({"id": "", "text": ""})
    (folder / "in.jsonl").write_text("\n".join(lines))
    assert "+ 1 forgotten" in run(shell, folder).stderr, "the row may be blank now"
    fresh = run(shell, folder, "out.jsonl", "--fresh")
    assert "no longer knows its forgotten rows (1)" in fresh.stderr
    assert json.loads((folder / "out.jsonl.quarantine.jsonl").read_text().splitlines()[0])["key"] == ""


def test_a_dry_run_changes_nothing(folder: Path, shell: Shell) -> None:
    run(shell, folder)
    before = {file.name: file.read_bytes() for file in folder.glob("out*")}
    done = shell("forget", folder / "out.jsonl.journal", "--key", "key-003x", "--key", "key-099x", "--dry-run")
    assert (done.returncode, done.stdout.count("holds 1 row")) == (1, 2)
    assert "unknown key 'key-099x'" in done.stderr
    assert {file.name: file.read_bytes() for file in folder.glob("out*")} == before
    hostile = shell("forget", folder / "out.jsonl.journal", "--key", "\x1b[2J\n::x::")
    assert (hostile.returncode, "\x1b" in hostile.stderr) == (4, False)


def test_what_is_left_elsewhere_is_named(folder: Path, shell: Shell) -> None:
    run(shell, folder)
    (folder / "out.jsonl.journal.damaged").write_bytes((folder / "out.jsonl").read_bytes())
    done = shell("forget", folder / "out.jsonl.journal", "--key", "key-003x")
    assert done.returncode == 1
    assert "out.jsonl.journal.damaged still holds " in done.stdout
    assert "customer-3-q" not in done.stdout, "a message does not repeat the text"
    assert "note-of-3" not in done.stdout + done.stderr


def test_a_bare_output_is_refused_before_anything_changes(folder: Path, shell: Shell) -> None:
    run(shell, folder, "out.jsonl", "--bare")
    before = (folder / "out.jsonl.journal").read_bytes()
    words = ["forget", folder / "out.jsonl.journal", "--key", "key-003x"]
    named = shell(*words, "--output", folder / "out.jsonl")
    assert (named.returncode, "has no column _key" in named.stderr) == (2, True)
    assert (folder / "out.jsonl.journal").read_bytes() == before
    beside = shell(*words)
    assert (beside.returncode, f"{folder / 'out.jsonl'} still holds " in beside.stdout) == (1, True)
    assert " + 1 forgotten\n" in run(shell, folder, "out.jsonl", "--bare").stderr
    assert holding(folder, 3) == {}


def test_the_other_rows_of_a_table_stay_byte_for_byte(folder: Path, shell: Shell) -> None:
    run(shell, folder, "out.csv")
    lines = (folder / "out.csv").read_bytes().splitlines(keepends=True)
    assert shell("forget", folder / "out.csv.journal", "--key", "key-003x").returncode == 0
    assert (folder / "out.csv").read_bytes().splitlines(keepends=True) == [x for x in lines if b"key-003x" not in x]


def test_an_output_elsewhere_must_be_named(folder: Path, shell: Shell) -> None:
    run(shell, folder, "out.jsonl", "--journal", folder / "kept", "--quarantine", folder / "others.jsonl")
    words = ["forget", folder / "kept", "--key", "key-003x", "--key", "key-007x"]
    assert "name it with --output" in shell(*words, "--dry-run").stderr
    done = shell(*words, "--output", folder / "out.jsonl", "--quarantine", folder / "others.jsonl")
    assert (done.returncode, "--output" in done.stderr) == (0, False)
    assert holding(folder, 3) == holding(folder, 7) == {}


def test_a_label_is_forgotten_and_its_file_written_again(folder: Path, shell: Shell) -> None:
    labels = folder / "labels.jsonl"
    words = ["--schema", BOLT, "--model", f"py:{folder / 'model.py'}:Model", "--strategy", "Prompted()"]
    assert shell("label", folder / "in.jsonl", "--output", labels, *words).returncode == 0
    done = shell("forget", f"{labels}.journal", "--key", "3")
    assert (done.returncode, f"{labels} still holds " in done.stdout) == (1, True)
    (folder / "asked").unlink()
    assert shell("label", folder / "in.jsonl", "--output", labels, *words).returncode == 0
    assert asked(folder) == []
    assert holding(folder, 3) == {}
    assert len(rows(labels)) == 17


def test_a_forged_quarantine_is_refused(folder: Path, shell: Shell) -> None:
    run(shell, folder)
    rest = folder / "out.jsonl.quarantine.jsonl"
    forged = {"key": [], "status": "x", "input": None, "issues": [7], "fingerprint": ""}
    rest.write_text(json.dumps(forged))
    done = shell("forget", folder / "out.jsonl.journal", "--key", "key-003x")
    assert (done.returncode, "it is not a row of structout" in done.stderr) == (2, True), done


def test_what_killed_runs_left_beside_the_files_is_removed(folder: Path, shell: Shell) -> None:
    run(shell, folder)
    for name in (".out.jsonl.77.part", ".out.jsonl.quarantine.jsonl.7.part"):
        (folder / name).write_bytes((folder / "out.jsonl").read_bytes())
    assert shell("forget", folder / "out.jsonl.journal", "--key", "key-007x").returncode == 0
    assert not list(folder.glob(".out*"))


def test_the_other_parts_of_a_database_stay(folder: Path, shell: Shell) -> None:
    duckdb = pytest.importorskip("duckdb")
    run(shell, folder, "out.duckdb#bolts")
    with duckdb.connect(folder / "out.duckdb") as database:
        database.execute("CREATE TABLE other (n INTEGER PRIMARY KEY, name VARCHAR NOT NULL)")
        database.execute("INSERT INTO other VALUES (1, 'one')")
        database.execute("CREATE VIEW seen AS SELECT count(*) AS n FROM bolts")
    assert shell("forget", folder / "out.duckdb.bolts.journal", "--key", "key-003x").returncode == 0
    with duckdb.connect(folder / "out.duckdb") as database:
        assert database.execute("SELECT * FROM other").fetchall() == [(1, "one")]
        assert database.execute("SELECT n FROM seen").fetchall() == [(17,)]
        with pytest.raises(duckdb.ConstraintException):
            database.execute("INSERT INTO other VALUES (1, 'two')")


def test_what_a_killed_run_left_beside_a_database_is_searched(folder: Path, shell: Shell) -> None:
    run(shell, folder, "out.parquet")
    run(shell, folder, "out.duckdb#bolts")
    (folder / "out.parquet").rename(folder / "out.duckdb.77.parquet")
    done = shell("forget", folder / "out.duckdb.bolts.journal", "--key", "key-003x")
    assert (done.returncode, "out.duckdb.77.parquet still holds /record/note" in done.stdout) == (1, True), done


def test_a_removal_that_was_interrupted_goes_on(folder: Path, shell: Shell) -> None:
    run(shell, folder)
    out = folder / "out.jsonl"
    out.write_bytes(b"".join(line for line in out.read_bytes().splitlines(keepends=True) if b"key-003x" not in line))
    done = shell("forget", f"{out}.journal", "--key", "key-003x")
    assert (done.returncode, done.stdout.count("removed 1 row from ")) == (0, 1)
    assert holding(folder, 3) == {}


def test_wrong_files_are_refused(folder: Path, shell: Shell) -> None:
    run(shell, folder)
    journal = folder / "out.jsonl.journal"
    for words, said in (
        ([folder / "none.journal", "--key", "1"], "it is not a file"),
        ([folder / "out.jsonl", "--key", "1"], "is not a journal"),
        ([journal], "--key is missing"),
        ([journal, "--key", "1", "--quarantine", folder / "in.jsonl"], "is not a quarantine"),
        ([journal, "--key", "1", "--output", folder / "model.py"], "unknown output format"),
        ([journal, "--key", "1", "--output", journal], "are the same file"),
        ([journal, "--key", "1", "--log", folder / "in.jsonl"], "is not the log of a bench"),
    ):
        done = shell("forget", *words)
        assert (done.returncode, said in done.stderr) == (2, True), done


def test_a_journal_in_use_is_refused_in_words(folder: Path, shell: Shell) -> None:
    run(shell, folder)
    code = (
        "import sys; from structout.pipeline.journal import Journal; j = Journal(sys.argv[1], {}, only=(), adopt=False)"
    )
    code += "; print('open', flush=True); sys.stdin.read()"
    journal = folder / "out.jsonl.journal"
    with subprocess.Popen(
        [sys.executable, "-c", code, journal], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        done = shell("forget", journal, "--key", "key-003x")
        other.communicate()
    assert (done.returncode, "is in use by another run" in done.stderr) == (3, True)


def test_the_log_of_changes_of_a_killed_run_is_emptied(folder: Path, shell: Shell) -> None:
    run(shell, folder)
    live = folder / "out.jsonl.journal"
    code = "import os, sys, sqlite3; db = sqlite3.connect(sys.argv[1]); db.execute('PRAGMA journal_mode = WAL')"
    code += "; db.execute('UPDATE completions SET data = data || 1'); db.commit()"
    code += "; db.execute('UPDATE completions SET data = substr(data, 1, length(data) - 1)'); db.commit(); os._exit(0)"
    subprocess.run([sys.executable, "-c", code, live], check=True)
    assert b"note-of-3-" in Path(f"{live}-wal").read_bytes()
    assert shell("forget", live, "--key", "key-003x").returncode == 0
    assert holding(folder, 3) == {}


def test_a_text_that_another_row_has_too_stays(folder: Path, shell: Shell) -> None:
    lines = [json.dumps({"id": key, "text": "3 mm bolt of both-of-them"}) for key in ("first-key", "second-key")]
    (folder / "in.jsonl").write_text("\n".join(lines))
    assert run(shell, folder).returncode == 0
    before = _answers(folder / "out.jsonl.journal")
    done = shell("forget", folder / "out.jsonl.journal", "--key", "first-key")
    assert done.returncode == 0, done
    assert "kept rows hold the same text at /record/note" in done.stdout
    assert _answers(folder / "out.jsonl.journal") == before != [], "the equal prompt got one answer"
    assert b"first-key" not in b"".join(file.read_bytes() for file in folder.glob("out*"))
    files = f"1 to {folder}/out.jsonl + 0 to {folder}/out.jsonl.quarantine.jsonl + 1 forgotten\n"
    assert files in run(shell, folder).stderr
    assert shell("forget", folder / "out.jsonl.journal", "--key", "second-key").returncode == 0
    assert _answers(folder / "out.jsonl.journal") == []
    assert b"both-of-them" not in b"".join(file.read_bytes() for file in folder.glob("out*"))
    assert " + 2 forgotten\n" in run(shell, folder).stderr


def _answers(journal: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(journal, isolation_level=None)) as db:
        return db.execute("SELECT key, data FROM completions").fetchall()


def test_a_program_gets_an_invalid_result_for_a_forgotten_row(tmp_path: Path) -> None:
    prompts: list[Prompt] = []

    def answer(prompt: Prompt) -> Completion:
        prompts.append(prompt)
        return Completion('{"kind": "hex", "size_mm": 4}')

    model = Scripted(answer)
    journal = tmp_path / "run.journal"
    list(extract_many(["one bolt", "two bolts"], Bolt, model, Prompted(), journal=journal))
    (held,) = holders(str(journal))
    assert remove([held], ["2"]).is_complete
    found = list(extract_many(["one bolt", "anything else"], Bolt, model, Prompted(), journal=journal))
    assert [one.status for one in found] == ["valid", "invalid"]
    assert str(found[1].issues[0]) == "(document): the row was forgotten"
    assert len(prompts) == 2


def test_a_forgotten_row_outlives_damage(folder: Path, shell: Shell) -> None:
    run(shell, folder)
    journal = folder / "out.jsonl.journal"
    assert shell("forget", journal, "--key", "key-003x").returncode == 0
    with closing(sqlite3.connect(journal, isolation_level=None)) as db:
        db.execute("UPDATE about SET value = x'00' WHERE name LIKE 'dictionary%'")
    assert run(shell, folder).returncode == 2, "the other rows are lost and asked again"
    assert 3 not in asked(folder)
    assert " + 1 forgotten\n" in run(shell, folder).stderr


@pytest.mark.parametrize("text", ["plain words", 'a "quoted" word', "Zoë \u2028 x\\y", "<b>&amp;", "##[set-env"])
def test_a_text_is_found_in_each_of_its_forms(text: str, tmp_path: Path) -> None:
    one = Fragments()
    one.add({"name": text})
    for write in (str, json.dumps, json_text, json_in_html, lambda text: json.dumps(json.dumps({"a": text}))):
        (tmp_path / "file").write_bytes(b"x" * 5_000_000 + write(text).encode() + b"y")
        found = one.search(tmp_path / "file")
        assert [place for place, _ in found.found] == ["/name"]
        assert found.size == (tmp_path / "file").stat().st_size
