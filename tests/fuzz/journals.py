"""Journals: whatever became of the file, what is kept is whole, and nothing is written as valid that is not."""

import json
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout, suppress
from functools import cache
from io import StringIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from structout import Prompted, Repair, Schema, Scripted, extract_many
from structout.cli import codes, main
from tests.fuzz import noise
from tests.fuzz.target import Case

_SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer", "maximum": 99}},
    "required": ["a"],
    "additionalProperties": False,
}
_TEXTS = [f"row {n}" for n in range(12)]
_CODES = {code for code in vars(codes).values() if isinstance(code, int)}  # what a command may end with


def make(rng: Random) -> Case:
    """The damage itself is made when the journal is there, of the numbers here."""
    return {
        "way": rng.choice(["run", "extract"]),
        "seed": rng.randrange(2**32),
        "forged": rng.choice([0, 0, 1, 2, 5]),
        "damaged": rng.choice([0, 0, 1, 1, 2, 10]),
        "beside": rng.random() < 0.1,  # something stands where SQLite's own log would
    }


def _answers() -> dict[str, str]:
    """Ten right answers, one to repair, one that is none."""
    return {text: f'{{"a": {n}}}' if n < 10 else '{"a": 10,}' if n == 10 else "no" for n, text in enumerate(_TEXTS)}


@cache
def _place() -> TemporaryDirectory[str]:
    """A folder with an input, a schema and a script, that lives as long as the process."""
    place = TemporaryDirectory()
    rows = "".join(json.dumps({"text": text}) + "\n" for text in _TEXTS)
    for name, content in (("rows.jsonl", rows), ("s.json", json.dumps(_SCHEMA)), ("m.json", json.dumps(_answers()))):
        Path(place.name, name).write_text(content, encoding="utf-8")
    return place


@cache
def _base(way: str) -> bytes:
    """The journal of a whole run."""
    with TemporaryDirectory() as folder:
        journal = Path(folder, "j")
        found = _resumed(way, journal)
        if found or not journal.is_file():
            raise RuntimeError(f"the journal that is to be damaged is none: {found}")
        return journal.read_bytes()


def check(case: Case, folder: Path) -> str:
    rng, journal = Random(case["seed"]), folder / "j"
    journal.write_bytes(_base(case["way"]))
    for _ in range(case["forged"]):
        _forge(rng, journal)
    journal.write_bytes(noise.damaged(rng, journal.read_bytes(), case["damaged"]))
    if case["beside"]:
        (folder / "j-wal").write_bytes(rng.randbytes(rng.choice([0, 10, 5000])))
    return _resumed(case["way"], journal) or _resumed(case["way"], journal)


def _forge(rng: Random, journal: Path) -> None:
    """Put another value into one of the columns, as somebody might who knows SQLite."""
    odd: list[Any] = [
        None, 0, -1, 2**62, 1.5, float("inf"), "", "valid", "repaired", "odd", "\ud800"[:0], b"", b"\0" * 9, "{}",
        "[]", '{"a": 100}',
        "9" * 5000, "[" * 50_000, "5", "NaN", _bomb(), b"x" * 3000,
        zlib.compress(b'{"value": {"a": 100}, "status": "valid"}'),
    ]  # fmt: skip
    with closing(sqlite3.connect(journal)) as db, suppress(sqlite3.Error):
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = rng.choice([name for name in names if not name.startswith("sqlite_")])
        columns = [column[1] for column in db.execute(f"PRAGMA table_info({table})")]
        column, some = rng.choice(columns), rng.randrange(1, 4)
        value, place = rng.choice(odd), rng.randrange(12)
        kind = rng.randrange(6)
        if kind == 0:
            db.execute(
                f"DELETE FROM {table} WHERE {columns[0]} = (SELECT {columns[0]} FROM {table} LIMIT 1 OFFSET ?)", [place]
            )
        elif kind == 1:
            swapped = f"(SELECT o.{column} FROM {table} o ORDER BY o.{columns[0]} DESC LIMIT 1)"
            db.execute(f"UPDATE OR REPLACE {table} SET {column} = {swapped}")
        elif kind == 2 and rng.random() < 0.3:
            db.execute(
                rng.choice([f"DROP TABLE {table}", f"ALTER TABLE {table} RENAME TO gone", "PRAGMA user_version = 99"])
            )
        else:
            picked = f"SELECT {columns[0]} FROM {table} LIMIT ? OFFSET ?"
            db.execute(
                f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {columns[0]} IN ({picked})", [value, some, place]
            )
        db.commit()


@cache
def _bomb() -> bytes:
    """What is 3 GB when it is unpacked: one piece of zlib's, over and over."""
    packer = zlib.compressobj(9)
    start, piece = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH), bytes(1 << 24)
    return start + (packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)) * 192 + packer.flush()


def _resumed(way: str, journal: Path) -> str:
    """What is wrong with what the run comes to that goes on with a journal."""
    contract = Schema.of(_SCHEMA)
    if way == "extract":
        found = list(extract_many(_TEXTS, contract, Scripted(_answers()), Repair(Prompted()), journal=journal))
        if len(found) != len(_TEXTS):
            return "a row that was lost"
        return (
            "" if all(contract.check(one.value).ok for one in found if one.ok) else "an invalid value passed as valid"
        )
    place, output = Path(_place().name), journal.with_name("out.jsonl")
    output.unlink(missing_ok=True)
    code, told = _command(
        "run", "--schema", str(place / "s.json"), "--input", str(place / "rows.jsonl"), "--output", str(output),
        "--quarantine", str(journal.with_name("rest.jsonl")), "--journal", str(journal), "--bare",
        "--model", f"scripted:{place / 'm.json'}", "--strategy", "Repair(Prompted())",
    )  # fmt: skip
    if code not in _CODES or "Traceback" in told:
        return f"exit code {code}"
    lines = [json.loads(line) for line in _lines(output)]
    rest = sum(1 for _ in _lines(journal.with_name("rest.jsonl")))
    if not all(contract.check(line).ok for line in lines):
        return "an invalid value written as valid"
    if code not in (codes.PASSED, codes.FAILED):
        return "" if told.strip() else "an exit code that says nothing"
    return "" if len(lines) + rest == len(_TEXTS) else "a row that was lost"


def _lines(file: Path) -> Iterator[str]:
    if file.is_file():
        yield from file.read_text(encoding="utf-8").splitlines()


def _command(*arguments: str) -> tuple[Any, str]:
    """The exit code of a command, and what it says."""
    told = StringIO()
    with mock.patch.object(sys, "argv", ["structout", *arguments]), redirect_stdout(told), redirect_stderr(told):
        try:
            main()
        except SystemExit as ended:
            return ended.code or 0, told.getvalue()
    return 0, told.getvalue()
