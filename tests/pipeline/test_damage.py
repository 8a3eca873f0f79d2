"""A journal that was damaged or forged: the rest is kept, what is lost is named and asked again, nothing is believed."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from structout import DataError, JournalError, Schema, Scripted, extract_many
from structout.completion import Completion, Usage
from structout.errors import DamagedError, OtherRunError, StructoutWarning
from structout.pipeline.damage import named
from structout.pipeline.job import Job
from structout.pipeline.journal import Journal
from structout.pipeline.outcome import RowOutcome, completion_of
from structout.pipeline.output import placing
from structout.pipeline.rows import rows_of
from structout.pipeline.run import finish, local, process, retry_quarantine
from structout.pipeline.sealed import LARGEST, connect, loaded, packed, seal, unpacked, written
from structout.strategies import Prompted
from tests.conftest import ROOT, Bolt
from tests.pipeline.conftest import Done, Shell, rows
from tests.pipeline.test_run import MODEL
from tests.test_cli import BOLT

COUNT = 120
PAGE = 4096


@dataclass(frozen=True)
class Run:
    """A run that is done, to damage the journal of and to repeat."""

    folder: Path
    shell: Shell
    before: tuple[bytes, bytes]

    @property
    def journal(self) -> Path:
        return self.folder / "out.jsonl.journal"

    @property
    def files(self) -> tuple[bytes, bytes]:
        return tuple((self.folder / f"out.jsonl{end}").read_bytes() for end in ("", ".quarantine.jsonl"))  # type: ignore[return-value]

    @property
    def aside(self) -> list[Path]:
        return sorted(self.folder.glob("*.damaged*"))

    def again(self, *options: str) -> Done:
        """The same command; it must not end in a traceback."""
        (self.folder / "asked").unlink(missing_ok=True)
        words = ["--model", f"py:{self.folder / 'model.py'}:Model", "--strategy", "Prompted()", "--key", "id"]
        out = self.folder / "out.jsonl"
        done = self.shell("run", "--schema", BOLT, "-i", self.folder / "bolts.jsonl", "-o", out, *words, *options)
        assert "Traceback" not in done.stderr
        assert "make room" not in done.stderr
        return done

    def asked(self) -> list[int]:
        place = self.folder / "asked"
        return [int(line) for line in place.read_text().split()] if place.exists() else []

    def change(self, *statements: str, sealed: bool = False) -> None:
        """Change the journal by SQL; `sealed` writes the checksums as whoever forges it would."""
        db = connect(str(self.journal))
        for statement in statements:
            db.execute(statement)
        if sealed:
            db.execute("UPDATE outcomes SET seal = seal(position, digest, status, data)")
            db.execute("UPDATE completions SET seal = seal(key, data)")
            db.execute("UPDATE spent SET seal = seal(model, calls, input_tokens, output_tokens, seconds)")
            db.execute("UPDATE about SET seal = seal(name, value)")
        db.close()

    def forge(self, position: int, change: Callable[[dict[str, Any]], object]) -> None:
        """Write another outcome in the place of one, with the right checksum."""
        db = connect(str(self.journal))
        (dictionary,) = db.execute("SELECT value FROM about WHERE name = 'dictionary'").fetchone()
        (data,) = db.execute("SELECT data FROM outcomes WHERE position = ?", [position]).fetchone()
        row = unpacked(data, dictionary).to_json()
        change(row)
        query = "UPDATE outcomes SET data = ?1, seal = seal(position, digest, status, ?1) WHERE position = ?2"
        db.execute(query, [packed(json.dumps(row).encode(), dictionary), position])
        db.close()


@pytest.fixture
def run(tmp_path: Path, bolts: Callable[[int], Path], shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    bolts(COUNT)
    first = Run(tmp_path, shell, (b"", b""))
    assert first.again().returncode == 1
    return Run(tmp_path, shell, first.files)


def test_every_kind_of_damage_costs_what_it_hit(run: Run) -> None:
    kinds = {
        "data": (
            "UPDATE outcomes SET data = substr(data, 1, 30) || x'ff' || substr(data, 32) WHERE position = 4",
            "row 5",
        ),
        "digest": ("UPDATE outcomes SET digest = x'0011223344556677' WHERE position IN (2, 16)", "rows 3 and 17"),
        "status": ("UPDATE outcomes SET status = 'valid' WHERE position IN (6, 13)", "rows 7 and 14"),
        "no status": ("UPDATE outcomes SET status = 'fine' WHERE position BETWEEN 19 AND 24", "rows 20 to 25"),
        "position": ("UPDATE outcomes SET position = 500 WHERE position = 119", "row 501"),
        "swapped": ("UPDATE outcomes SET position = -1 - position WHERE position = 119", "was damaged"),
        "answer": ("UPDATE completions SET data = '{}' WHERE key = (SELECT min(key) FROM completions)", "the answers"),
        "spent": ("UPDATE spent SET input_tokens = 0", "what was spent before"),
        "dictionary": ("UPDATE about SET value = x'00' || substr(value, 2) WHERE name = 'dictionary'", "nothing of it"),
        "of which run": (
            "UPDATE about SET value = replace(value, 'Bolt', 'Nut') WHERE name = 'identity'",
            "nothing of",
        ),
    }
    whole = run.journal.read_bytes()
    for number, (kind, (statement, told)) in enumerate(kinds.items(), 1):
        run.journal.write_bytes(whole)
        run.change(statement)
        done = run.again()
        assert (done.returncode, told in done.stderr) == (2, True), (kind, done.stderr)
        assert run.asked() == [], "the answers were kept, and nothing is paid twice"
        assert run.files == run.before
        assert len(run.aside) == number
        assert run.again().returncode == 1
    db = connect(str(run.aside[0]))
    assert db.execute("SELECT count(*) FROM outcomes").fetchone() == (COUNT,), "the damaged file is still there"
    db.close()


@pytest.mark.parametrize("seed", range(12))
def test_bytes_that_flip_and_pages_that_are_gone(run: Run, seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(run.journal.read_bytes())
    place = dice.randrange(PAGE, len(data))
    page = place // PAGE * PAGE
    match seed % 3:
        case 0:
            for _ in range(20):
                data[dice.randrange(PAGE, len(data))] ^= 1 << dice.randrange(8)
        case 1:
            data[page : page + PAGE] = dice.randbytes(PAGE)
        case _:
            data[page : page + PAGE] = bytes(PAGE)
    run.journal.write_bytes(data)
    done = run.again()
    if done.returncode == 2 and "of which run" in done.stderr:  # what tells of it was hit twice
        assert run.journal.read_bytes() == data
        done = run.again("--fresh")
    assert done.returncode in (1, 2)  # 1: nothing was written there
    assert (done.returncode == 2) == bool(run.aside)
    assert run.files == run.before
    assert run.again().returncode == 1


def test_a_file_that_was_cut_keeps_what_is_left(run: Run) -> None:
    data = run.journal.read_bytes()
    dice = random.Random(3)
    kept = 0
    for length in [0, 1, 50, 99, 100, PAGE - 1, PAGE, len(data) - 1, *(dice.randrange(len(data)) for _ in range(10))]:
        for one in run.aside:
            one.unlink()
        run.journal.write_bytes(data[:length])
        done = run.again()
        assert done.returncode == 2
        if run.aside:
            assert "was damaged" in done.stderr
            kept += len(run.asked()) < COUNT
        else:
            assert run.journal.read_bytes() == data[:length], "what cannot be read at all is left alone"
            assert run.asked() == []
        assert run.files == run.before
    assert kept >= 5


def test_what_cannot_be_read_at_all_needs_a_word_and_is_kept(run: Run) -> None:
    for length in (0, 60, PAGE):
        data = run.journal.read_bytes()[:length]
        run.journal.write_bytes(data)
        done = run.again()
        assert (done.returncode, "--fresh" in done.stderr, run.aside) == (2, True, []), done.stderr
        assert run.again("--fresh").returncode in (1, 2)
        assert run.aside[-1].read_bytes()[100:] == data[100:]
        assert run.files == run.before
        for one in run.aside:
            one.unlink()


def test_a_row_that_inflates_without_end_is_not_inflated(run: Run) -> None:
    db = connect(str(run.journal))
    (dictionary,) = db.execute("SELECT value FROM about WHERE name = 'dictionary'").fetchone()
    packer = zlib.compressobj(9, zdict=dictionary)
    first, other = (packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    bomb = first + other * 191  # 3 GiB
    assert len(bomb) > 3 * 10**6
    query = "UPDATE outcomes SET data = ?1, seal = seal(position, digest, status, ?1) WHERE position = 8"
    db.execute(query, [bomb])
    db.close()
    words = ["--model", f"py:{run.folder / 'model.py'}:Model", "--strategy", "Prompted()", "--key", "id"]
    files = ["-i", f"{run.folder / 'bolts.jsonl'}", "-o", f"{run.folder / 'out.jsonl'}"]
    program = "import resource; resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30,) * 2);"
    program += "from structout.cli import main; main()"
    command = [sys.executable, "-c", program, "run", "--schema", BOLT, *files, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "row 9 of" in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert run.files == run.before


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a value that breaks the schema": lambda row: row.update(value={"kind": "hex", "size_mm": -3}, document=None),
    "another value": lambda row: row["value"].update(size_mm="8"),
    "a document that breaks it": lambda row: row["document"].update(kind="nail"),
    "NaN": lambda row: row["document"].update(size_mm=float("nan")),
    "true for a number": lambda row: (row["value"].update(size_mm=True), row["document"].update(size_mm=True)),
    "a deep value": lambda row: row.update(document=json.loads("[" * 400 + "]" * 400)),
    "a deeper value": lambda row: row.update(document=json.loads("[" * 900 + "]" * 900)),
    "a number without end": lambda row: row["document"].update(size_mm=10**4000),
    "another status": lambda row: row.update(status="invalid"),
    "an unknown status": lambda row: row.update(status="fine"),
    "a missing field": lambda row: row.pop("issues"),
    "a field more": lambda row: row.update(more=1),
    "a negative usage": lambda row: row["attempts"][0]["usage"].update(input_tokens=-5),
    "a usage that is NaN": lambda row: row["attempts"][0]["usage"].update(seconds=float("nan")),
    "a usage of a text": lambda row: row["attempts"][0].update(usage="none"),
    "an unknown usage": lambda row: row["attempts"][0]["usage"].update(wishes=3),
    "attempts that are numbers": lambda row: row.update(attempts=[1]),
    "attempts that are none": lambda row: row.update(attempts=None),
    "a negative cost": lambda row: row.update(cost=-1),
    "a cost without end": lambda row: row.update(cost=float("inf")),
    "edits that are none": lambda row: row.update(edits=[[1, 2]]),
    "issues that are texts": lambda row: row.update(issues="abc"),
    "confidence in words": lambda row: row.update(confidence={"/a": "sure"}),
    "spans that are none": lambda row: row.update(spans={"/a": 3}),
}


def test_a_forged_outcome_is_not_believed(run: Run) -> None:
    accepted = [position for position in range(20, COUNT, 2) if (position + 1) % 7][: len(HOSTILE)]
    for position, change in zip(accepted, HOSTILE.values(), strict=True):
        run.forge(position, change)
    run.change("UPDATE outcomes SET status = 'valid' WHERE position = 6", sealed=True)
    db = connect(str(run.journal))
    identity = json.loads(db.execute("SELECT value FROM about WHERE name = 'identity'").fetchone()[0])
    db.close()
    with Journal(run.journal, identity) as journal:
        wrong = journal.wrong(Schema.of(BOLT))
    assert sorted(wrong) == [6, *accepted]
    done = run.again()
    assert (done.returncode, "rows 7, 23, 25, 27, " in done.stderr) == (2, True), done.stderr
    assert (run.files, run.asked()) == (run.before, [])


def test_other_forgeries_end_in_a_word(run: Run) -> None:
    whole = run.journal.read_bytes()
    kinds = {
        "position": ("UPDATE outcomes SET position = 4000 WHERE position = 119", 2, "the input has lost rows"),
        "digest": ("UPDATE outcomes SET digest = x'00' WHERE position = 5", 2, "row 6 is not the one"),
        "spent": ("UPDATE spent SET input_tokens = -999999", 2, "what was spent before"),
        "spent in words": ("UPDATE spent SET calls = 'many'", 2, "what was spent before"),
        "of which run": (
            "UPDATE about SET value = '[[[' WHERE name LIKE 'identity%'",
            2,
            "its identity cannot be read",
        ),
        "dictionary": ("UPDATE about SET value = x'00' WHERE name LIKE 'dictionary%'", 2, "rows 1 to 120"),
        "of before": ("UPDATE about SET value = '7' WHERE name LIKE 'before%'", 2, "cannot be read"),
    }
    for kind, (statement, code, told) in kinds.items():
        run.journal.write_bytes(whole)
        run.change(statement, sealed=True)
        done = run.again()
        assert (done.returncode, told in done.stderr) == (code, True), (kind, done.stderr)
        assert run.files == run.before
    run.journal.write_bytes(whole)
    run.change("UPDATE completions SET data = '{\"text\": 1}'", "DELETE FROM outcomes WHERE position = 3", sealed=True)
    done = run.again()
    assert ("an answer in the journal is damaged and is asked again" in done.stderr, run.asked()) == (True, [4])


def test_what_the_journal_cannot_be_is_said_in_a_word(run: Run) -> None:
    run.journal.unlink()
    run.journal.mkdir()
    assert run.again().returncode == 2
    run.journal.rmdir()
    os.mkfifo(run.journal)
    done = run.again()
    assert (done.returncode, "is not a file" in done.stderr) == (2, True)
    run.journal.unlink()
    elsewhere = run.folder / "elsewhere"
    elsewhere.mkdir()
    run.journal.symlink_to(elsewhere / "journal")
    assert run.again().returncode == 1
    assert run.journal.is_symlink()
    Run(run.folder, run.shell, run.before).change("UPDATE outcomes SET status = 'fine' WHERE position = 1")
    assert run.again().returncode == 2
    assert sorted(path.name for path in elsewhere.iterdir()) == ["journal", "journal.damaged"]
    assert (run.journal.is_symlink(), run.files) == (True, run.before)
