"""Several writers of one file."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from structout import OutputError, Schema
from structout.tables.lock import locked
from structout.tables.output import writing
from structout.tables.whole_file import replacing
from tests.bolt import Bolt
from tests.conftest import ROOT


def files(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_writers_at_once_wait_for_one_another_and_leave_one_whole_file(tmp_path: Path) -> None:
    ready, found = threading.Barrier(8), list[str]()

    def write(letter: str) -> None:
        ready.wait()
        with replacing(tmp_path / "out") as stream:
            for _ in range(20):
                stream.write(letter.encode() * 10_000)
        found.append(letter)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcdefgh"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(found) == list("abcdefgh")
    assert (tmp_path / "out").read_text() in [letter * 200_000 for letter in "abcdefgh"]
    assert files(tmp_path) == ["out"]


def test_two_tables_of_one_database_are_written_at_once(tmp_path: Path) -> None:
    def write(table: str) -> None:
        with writing(f"{tmp_path}/d.duckdb#{table}", Schema.of(Bolt), bare=True) as put:
            put({"kind": table, "size_mm": 1}, {})

    threads = [threading.Thread(target=write, args=(f"t{number}",)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with duckdb.connect(tmp_path / "d.duckdb") as database:
        found = [database.execute(f"SELECT kind FROM t{number}").fetchall() for number in range(4)]
    assert found == [[(f"t{number}",)] for number in range(4)]
    assert files(tmp_path) == ["d.duckdb"]


def test_a_file_that_another_process_writes_is_an_output_error_that_says_so(tmp_path: Path) -> None:
    with locked(tmp_path / "out", "out"):
        assert files(tmp_path) == [".out.lock"]
        second = locked(tmp_path / "out", "out", patience=0)
        with pytest.raises(OutputError, match="cannot write out: another process writes it") as caught, second:
            pass
        assert caught.value.retryable
        assert "wait for that process" in (caught.value.hint or "")
        with locked(tmp_path / "other", "other", patience=0):
            pass
    assert files(tmp_path) == []


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from structout.tables.lock import locked\n"
        "with locked(Path(sys.argv[1]), 'out'): os._exit(7)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "out")], cwd=ROOT, check=False)
    assert (done.returncode, files(tmp_path)) == (7, [".out.lock"])
    with replacing(tmp_path / "out") as stream:
        stream.write(b"x")
    assert files(tmp_path) == ["out"]


def test_a_name_that_the_last_holder_removed_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock, names = fcntl.flock, [tmp_path / ".out.lock"]

    def late(number: int, how: int) -> None:  # between the open and the lock, the last holder removes the name
        if names:
            names.pop().unlink()
        flock(number, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with locked(tmp_path / "out", "out", patience=0):
        assert files(tmp_path) == [".out.lock"]
        with pytest.raises(OutputError, match="another process"), locked(tmp_path / "out", "out", patience=0):
            pass


@pytest.mark.parametrize("lack", ["of the system", "of the file system"])
def test_without_locks_files_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    def refuse(number: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    if lack == "of the system":
        monkeypatch.setitem(sys.modules, "fcntl", None)
    else:
        monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path / "out", "out", patience=0), replacing(tmp_path / "out") as stream:
        stream.write(b"x")
    assert (tmp_path / "out").read_bytes() == b"x"
    assert files(tmp_path) == ["out"]


def test_a_device_has_no_lock() -> None:
    with locked(Path(os.devnull), "it"):
        assert not Path(os.devnull).with_name(".null.lock").exists()
