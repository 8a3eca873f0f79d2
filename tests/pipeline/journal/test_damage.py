"""A journal that was damaged: what is lost is named and asked again, and the rest is kept."""

import os
import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from structout import Scripted, Usage, extract_many
from structout.errors import StructoutWarning
from structout.pipeline.job import Job
from structout.pipeline.journal.damage import named
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.tables import LATER, connect, seal
from structout.pipeline.run import local, process
from structout.tables.rows import rows_of
from tests.bolt import Bolt
from tests.pipeline.conftest import COUNT, Run

PAGE = 4096


def test_every_kind_of_damage_costs_what_it_hit(run: Run) -> None:
    kinds = {
        "data": (
            "UPDATE outcomes SET data = substr(data, 1, 30) || x'ff' || substr(data, 32) WHERE position = 4",
            "row 5",
        ),
        "digest": ("UPDATE outcomes SET digest = x'0011223344556677' WHERE position IN (2, 16)", "rows 3 and 17"),
        "status": ("UPDATE outcomes SET status = 'valid' WHERE position IN (6, 13)", "rows 7 and 14"),
        "no status": ("UPDATE outcomes SET status = 'fine' WHERE position BETWEEN 19 AND 24", "rows 20 to 25"),
        "position": ("UPDATE outcomes SET position = 500 WHERE position = 89", "row 501"),
        "swapped": ("UPDATE outcomes SET position = -1 - position WHERE position = 89", "was damaged"),
        "answer": ("UPDATE completions SET data = '{}' WHERE key = (SELECT min(key) FROM completions)", "the answers"),
        "spent": ("UPDATE spent SET input_tokens = 0", "the earlier spending"),
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


@pytest.mark.parametrize("seed", range(9))
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
    if done.returncode == 2 and "no longer says which run" in done.stderr:  # what tells of it was hit twice
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
    for length in [1, 100, PAGE, *(dice.randrange(len(data)) for _ in range(10))]:
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


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_who_may_read_the_files_of_a_run(run: Run) -> None:
    files = [run.folder / "out.jsonl", run.folder / "out.jsonl.quarantine.jsonl", run.journal]
    for one in files:
        one.unlink()
    before = os.umask(0o027)
    try:
        assert run.again().returncode == 1
        assert [mode(one) for one in files] == [0o640] * 3
        files[0].chmod(0o600)
        assert run.again().returncode == 1
        assert mode(files[0]) == 0o600, "a file that is written anew is not opened to more people"
        assert run.again("--private").returncode == 1
        assert [mode(one) for one in files] == [0o600] * 3
        assert os.umask(0o027) == 0o027, "the umask of the process is as it was"
        run.change("UPDATE outcomes SET status = 'fine' WHERE position = 1")
        assert run.again().returncode == 2
        assert [mode(one) for one in (run.journal, *run.aside)] == [0o600] * 2, "so is a journal that was repaired"
    finally:
        os.umask(before)


def test_a_private_journal_of_a_program(tmp_path: Path) -> None:
    for private, expected in ((False, 0o666), (True, 0o600)):
        place = tmp_path / f"{private}"
        before = os.umask(0)
        try:
            results = extract_many(["a"], Bolt, Scripted("no"), "Prompted()", journal=place, private=private)
            assert [result.status for result in results] == ["invalid"]
            assert mode(place) == expected
        finally:
            os.umask(before)


def test_a_program_is_warned_and_asks_again(job: Job, model: Scripted, tmp_path: Path) -> None:
    texts = [f"{n} mm" for n in range(1, 21)]

    def extracted() -> list[Any]:
        return list(extract_many(texts, job.schema, model, job.strategy, journal=tmp_path / "j", chunk=4))

    first = extracted()
    calls = model.calls
    folder = Run(tmp_path, None, (b"", b""))  # type: ignore[arg-type]
    (tmp_path / "j").rename(folder.journal)
    folder.change("UPDATE outcomes SET status = 'fine' WHERE position IN (2, 16)")
    folder.journal.rename(tmp_path / "j")
    with pytest.warns(StructoutWarning, match="rows 3 and 17"):
        assert extracted() == first
    (tmp_path / "j").rename(folder.journal)
    folder.forge(4, lambda row: row["document"].update(kind="nail"))
    folder.forge(9, lambda row: row.pop("issues"))
    folder.journal.rename(tmp_path / "j")
    with pytest.warns(StructoutWarning) as told:
        assert extracted() == first
    assert {str(one.message).partition(" of ")[0].partition(": ")[2] for one in told} == {"row 5", "row 10"}
    assert model.calls == calls


def test_a_dry_run_leaves_a_damaged_journal_alone(run: Run) -> None:
    run.change("UPDATE outcomes SET status = 'fine' WHERE position IN (1, 4)")
    left = run.folder / f".{run.journal.name}.123.part-journal"
    left.write_text("by a run that was killed")
    before = run.journal.read_bytes()
    done = run.again("--dry-run")
    assert (done.returncode, "is damaged; lost: rows 2 and 5" in done.stderr) == (2, True), done.stderr
    assert (run.journal.read_bytes(), run.aside) == (before, [])
    assert run.again().returncode == 2
    assert not left.exists()


def test_a_log_that_is_damaged_or_gone_costs_what_was_in_it(run: Run) -> None:
    """As a power cut would: SQLite itself leaves out what does not fit together."""
    whole = run.folder / "whole"
    with Journal(run.journal, {}, only=()) as journal:
        journal.forget_completions([])
        kept = [*journal.outcomes()]
        journal.add_outcomes([(n, b"", one) for n, one in enumerate(kept[:1], COUNT)])
        shutil.copy(run.journal, whole)
        shutil.copy(f"{run.journal}-wal", f"{whole}-wal")
    data = whole.read_bytes(), Path(f"{whole}-wal").read_bytes()
    assert len(data[1]) > 100
    for log in (None, b"", data[1][:50], data[1][: len(data[1]) // 2], bytes(len(data[1])), data[1][::-1]):
        whole.write_bytes(data[0])
        Path(f"{whole}-wal").unlink(missing_ok=True)
        if log is not None:
            Path(f"{whole}-wal").write_bytes(log)
        with Journal(whole, {}, only=()) as journal:
            assert [*journal.outcomes(limit=COUNT)] == kept
            assert not journal.damaged


def test_a_journal_without_checksums_gets_them(job: Job, model: Scripted, tmp_path: Path) -> None:
    texts = [f"{n} mm" for n in range(1, 21)]
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows_of(texts), job, journal, local())
        first = [*journal.outcomes()], journal.spent()
    unseal(tmp_path / "j")
    calls = model.calls
    for _ in range(2):
        with Journal(tmp_path / "j", job.identity()) as journal:
            process(rows_of(texts), job, journal, local())
            assert ([*journal.outcomes()], journal.spent(), journal.damaged) == (*first, False)
    unseal(tmp_path / "j")
    data = bytearray((tmp_path / "j").read_bytes())
    data = data[: len(data) - PAGE]
    (tmp_path / "j").write_bytes(data)
    with pytest.warns(StructoutWarning, match="was damaged"):
        journal = Journal(tmp_path / "j", job.identity())
    with journal:
        process(rows_of(texts), job, journal, local())
        assert [*journal.outcomes()] == first[0]
    assert model.calls <= calls + 40


def unseal(place: Path) -> None:
    """Make version 2 of a journal."""
    narrow(place)
    db = sqlite3.connect(place, isolation_level=None)
    db.execute("DELETE FROM about WHERE name LIKE '% (copy)' OR name = 'codec'")
    db.execute("DROP TABLE batches")
    for table in ("about", "outcomes", "completions", "spent"):
        db.execute(f"ALTER TABLE {table} DROP COLUMN seal")
    db.execute("PRAGMA user_version = 2")
    db.execute("VACUUM")
    db.close()


def narrow(place: Path) -> None:
    """Make version 3 of a journal."""
    db = connect(str(place))
    for column in LATER:
        db.execute(f"ALTER TABLE spent DROP COLUMN {column}")
    db.execute("UPDATE spent SET seal = seal(model, calls, input_tokens, output_tokens, seconds)")
    db.execute("PRAGMA user_version = 3")
    db.close()


def test_a_journal_of_version_3_counts_cached_tokens_from_here_on(tmp_path: Path) -> None:
    def add(usage: Usage) -> Usage:
        with Journal(tmp_path / "j", {}) as journal:
            journal.add_completions("m", {}, usage)
            assert not journal.damaged
            return journal.spent()["m"]

    add(Usage(2, 20, 10, 0.5, reused_tokens=8, stored_tokens=4, thinking_tokens=3))
    assert add(Usage(1, 10, 5)) == Usage(3, 30, 15, 0.5, reused_tokens=8, stored_tokens=4, thinking_tokens=3)
    narrow(tmp_path / "j")
    whole = (tmp_path / "j").read_bytes()
    assert add(Usage(1, 10, 5, stored_tokens=6)) == Usage(4, 40, 20, 0.5, stored_tokens=6)

    (tmp_path / "j").write_bytes(whole)
    change(tmp_path / "j", "UPDATE spent SET calls = 1")
    with pytest.warns(StructoutWarning, match="it lost the earlier spending"), Journal(tmp_path / "j", {}) as journal:
        assert journal.spent() == {}

    (tmp_path / "j").write_bytes(whole)
    change(tmp_path / "j", "CREATE TABLE widened (a)")  # so that it cannot be migrated
    with pytest.warns(StructoutWarning, match="nothing of it is lost"), Journal(tmp_path / "j", {}) as journal:
        assert journal.spent() == {"m": Usage(3, 30, 15, 0.5)}


def change(place: Path, *statements: str) -> None:
    db = connect(str(place))
    for statement in statements:
        db.execute(statement)
    db.close()


def test_stretches_of_rows_are_named_by_their_numbers() -> None:
    assert named([(2, 2)]) == "row 3"
    assert named([(16, 16), (2, 2), (19, 21), (22, 24)]) == "rows 3, 17 and 20 to 25"
    assert named([(999, 999), (1200, None), (1201, 1210)]) == "rows 1,000 and 1,201 to the end"
    assert named([(0, None)]) == "all rows"
    assert named([(n, n) for n in range(0, 40, 2)]).endswith("17, 19 and 10 other stretches")


def test_cells_that_are_moved_are_another_row() -> None:
    assert (
        len({seal(1, b"ab", "c"), seal(1, b"a", "bc"), seal(11, b"ab", "c"), seal("1", b"abc"), seal(2, b"ab", "c")})
        == 5
    )
