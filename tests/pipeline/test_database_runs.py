"""`structout run` from PostgreSQL and into it: modes, kills, and what is never shown."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from structout.tables import staging
from tests.conftest import ROOT, Shell
from tests.pipeline.conftest import asked, rows
from tests.postgres import PASSWORD, execute

COUNT = 30
ACCEPTED = [f"k{n}" for n in range(1, COUNT + 1) if n % 7]
KEYS = "SELECT _key FROM bolts_out ORDER BY substr(_key, 2)::int"

# Ends itself at a moment of the writing, as `kill -9` does.
KILLED = """
import os, signal, sys
from structout.cli import main
from structout.pipeline.journal.held import Held
from structout.tables.staging import Target

moment = sys.argv.pop(1)
place, name, first = {
    "staged": (Target, "_move", False),
    "moved": (Held, "mark", False),
    "marked": (Held, "mark", True),
    "committed": (Held, "done", False),
}[moment]
its_own = getattr(place, name)

def killed(self, *given, **named):
    if name == "_move" and named.get("rehearsal"):
        return its_own(self, *given, **named)
    if first:
        its_own(self, *given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(place, name, killed)
main()
"""


@pytest.fixture
def command(words: list[str], postgres: str, tmp_path: Path) -> Iterator[list[str]]:
    """A run from one table into another, which does not exist yet."""
    made = "SELECT 'k' || n AS id, n || ' mm bolt' AS text, ARRAY[n] AS sizes FROM generate_series(1, 30) n"
    clear = "DROP TABLE IF EXISTS bolts, bolts_out CASCADE"
    execute(postgres, clear, f"CREATE TABLE bolts AS {made}", "ALTER TABLE bolts ADD PRIMARY KEY (id)")
    beside = ["--journal", str(tmp_path / "j"), "--quarantine", str(tmp_path / "q.jsonl")]
    query = "SELECT * FROM bolts ORDER BY substr(id, 2)::int"
    yield ["run", "-i", f"{postgres}#{query}", "-o", f"{postgres}#bolts_out", *beside, *words]
    execute(postgres, clear)


def test_a_run_from_a_table_into_a_table(command: list[str], shell: Shell, postgres: str, tmp_path: Path) -> None:
    done = shell(*command, "--metrics", tmp_path / "metrics", "--log-format", "json")
    assert done.returncode == 1
    assert f"to postgresql://tester:***@{postgres.rpartition('@')[2]}#bolts_out" in done.stderr
    assert [key for (key,) in execute(postgres, KEYS)] == ACCEPTED
    columns = "SELECT kind, size_mm, _status, jsonb_typeof(_edits), _tokens FROM bolts_out WHERE _key = 'k2'"
    assert execute(postgres, columns) == [("hex", 2.0, "valid", "array", 17)]
    assert rows(tmp_path / "q.jsonl")[0]["input"] == {"id": "k7", "text": "7 mm bolt", "sizes": [7]}
    shown = shell("status", tmp_path / "j", "--json").stdout
    assert json.loads(shown)["output"].startswith("postgresql://tester:***@")
    texts = [done.stdout, done.stderr, shown]
    texts += [file.read_bytes().decode("latin-1") for file in tmp_path.iterdir() if file.is_file()]
    assert [one for one in texts if PASSWORD in one or "of%3Ftests" in one] == []


def test_the_gate_reads_what_a_run_wrote(command: list[str], shell: Shell, postgres: str) -> None:
    assert shell(*command).returncode == 1
    schema = command[command.index("--schema") + 1]
    done = shell("validate", f"{postgres}#bolts_out", "--schema", schema)
    assert (done.returncode, done.stderr.count("26 documents")) == (0, 1)
    execute(postgres, "UPDATE bolts_out SET kind = 'round' WHERE _key = 'k1'")
    done = shell("validate", f"{postgres}#bolts_out", "--schema", schema)
    assert done.returncode == 1
    assert "tester:***@" in done.stdout
    assert "of%3Ftests" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("moment", "mode", "is_complete"),
    [
        ("staged", "replace", False),
        ("moved", "replace", False),
        ("marked", "replace", False),
        ("committed", "replace", True),
        ("marked", "upsert", False),
        ("committed", "upsert", True),
        ("moved", "append", False),
        ("marked", "append", False),
        ("committed", "append", True),
    ],
)
def test_a_killed_run_leaves_the_table_as_it_was_or_complete(
    command: list[str], shell: Shell, postgres: str, tmp_path: Path, moment: str, mode: str, is_complete: bool
) -> None:
    first = [*command, "--limit", "5", "--mode", "replace" if mode == "replace" else "upsert"]
    if mode != "replace":  # a row of another run, which stays
        first[first.index("--journal") + 1] = str(tmp_path / "other")
    assert shell(*first).returncode == 0
    before = execute(postgres, "SELECT * FROM bolts_out ORDER BY _key")
    if mode == "append":
        execute(
            postgres, "UPDATE bolts_out SET _key = 'z' || _key", "ALTER TABLE bolts_out DROP CONSTRAINT bolts_out_pkey"
        )
        before = execute(postgres, "SELECT * FROM bolts_out ORDER BY _key")
    program = [sys.executable, "-c", KILLED, moment, *command, "--mode", mode]
    assert subprocess.run(program, cwd=ROOT, check=False, capture_output=True).returncode == -9
    if not is_complete:
        assert execute(postgres, "SELECT * FROM bolts_out ORDER BY _key") == before
    own = KEYS.replace("ORDER", "WHERE _key LIKE 'k%' ORDER")
    for _ in range(2):
        if is_complete:
            assert [key for (key,) in execute(postgres, own)] == ACCEPTED
        done = shell(*command, "--mode", mode)
        assert done.returncode == 1
        said = f"{len(ACCEPTED)} rows of these are in the table since an earlier run, and were not appended again"
        assert (said in done.stderr) == (is_complete and mode == "append")
        is_complete = True
        assert [key for (key,) in execute(postgres, own)] == ACCEPTED
    assert sorted(set(asked(tmp_path))) == list(range(1, COUNT + 1))
    others = execute(postgres, "SELECT count(*) FROM bolts_out WHERE _key LIKE 'z%'")
    assert others == [(5 if mode == "append" else 0,)]


def test_append_adds_what_is_new(command: list[str], shell: Shell, postgres: str) -> None:
    append = [*command, "--mode", "append"]
    for limit, count in ((5, 5), (20, 18), (20, 18), (30, 26), (10, 26), (30, 26)):
        assert shell(*append, "--limit", str(limit)).returncode == (1 if limit > 6 else 0)
        assert execute(postgres, "SELECT count(*), count(DISTINCT _key) FROM bolts_out") == [(count, count)]
    done = shell(*append, "--fresh")
    assert done.returncode == 2
    assert "--fresh would append the rows of an earlier run again" in done.stderr
    execute(postgres, "DROP TABLE bolts_out")  # a new table of this name has no rows of the run
    assert shell(*append).returncode == 1
    assert execute(postgres, "SELECT count(*) FROM bolts_out") == [(26,)]


def test_a_table_that_does_not_fit_is_refused_before_a_model_is_asked(
    command: list[str], shell: Shell, postgres: str, tmp_path: Path
) -> None:
    execute(postgres, "CREATE VIEW bolts_out AS SELECT 1 AS kind")
    done = shell(*command)
    execute(postgres, "DROP VIEW bolts_out")
    assert done.returncode == 2
    assert "is not a table" in done.stderr
    execute(postgres, "CREATE TABLE bolts_out (kind text, size_mm float8, note text)")
    done = shell(*command)
    assert done.returncode == 2
    assert "give --bare" in done.stderr
    assert not (tmp_path / "asked").exists()
    assert shell(*command, "--bare").returncode == 1
    assert execute(postgres, "SELECT count(*) FROM bolts_out") == [(26,)]


def test_an_output_that_fails_costs_no_answer(
    command: list[str], shell: Shell, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adbc_driver_postgresql import dbapi

    down = [word.replace(postgres, f"{postgres.rpartition(':')[0]}:1/postgres") for word in command]
    done = shell(*down)
    assert done.returncode == 3
    assert "check that the server runs" in done.stderr
    assert not (tmp_path / "asked").exists()
    monkeypatch.setattr(staging, "_PATIENCE", "50ms")
    execute(postgres, "CREATE TABLE bolts_out (kind text, size_mm float8, note text)")
    with dbapi.connect(postgres) as other, other.cursor() as cursor:
        cursor.execute("INSERT INTO bolts_out VALUES ('other', 1, '')")
        done = shell(*command, "--bare")
    assert done.returncode == 3
    assert "end the other session, or try again later" in done.stderr
    assert len(asked(tmp_path)) == COUNT
    assert shell(*command, "--bare").returncode == 1
    assert len(asked(tmp_path)) == COUNT
    assert execute(postgres, "SELECT count(*) FROM bolts_out") == [(26,)]


def test_a_row_that_the_table_cannot_hold_is_in_the_quarantine(
    command: list[str], shell: Shell, postgres: str, tmp_path: Path
) -> None:
    assert shell(*command, "--limit", "1").returncode == 0
    execute(postgres, "ALTER TABLE bolts_out ALTER size_mm TYPE numeric(3, 1)")
    execute(postgres, "ALTER TABLE bolts_out ALTER _key TYPE varchar(2)")
    assert shell(*command).returncode == 1
    assert execute(postgres, "SELECT max(size_mm)::text, count(*) FROM bolts_out") == [("9.0", 8)]
    said = [row for row in rows(tmp_path / "q.jsonl") if row["key"] == "k10"]
    assert said[0]["input"]["text"] == "10 mm bolt"
    assert "the column '_key' of the table (character varying(2)) cannot hold 'k10'" in json.dumps(said)


def test_a_row_is_forgotten_in_the_table_too(command: list[str], shell: Shell, postgres: str, tmp_path: Path) -> None:
    assert shell(*command).returncode == 1
    forget = ["forget", tmp_path / "j", "--key", "k2", "--output", f"{postgres}#bolts_out"]
    done = shell(*forget, "--quarantine", tmp_path / "q.jsonl")
    assert done.returncode == 0, done.stderr
    assert "VACUUM FULL" in done.stderr
    assert "of%3Ftests" not in done.stdout + done.stderr
    assert [key for (key,) in execute(postgres, KEYS)] == [key for key in ACCEPTED if key != "k2"]
    assert shell(*command, "--mode", "append").returncode == 1
    assert execute(postgres, "SELECT count(*) FROM bolts_out") == [(25,)]
