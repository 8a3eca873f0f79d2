"""(j) Runs that are killed (`kill -9`) at random moments, for each sink."""

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.pipeline.command import SCRIPTED, MissingServiceError, cost_of, words
from benchmarks.pipeline.scale import write_parts
from benchmarks.pipeline.services import postgres

SINKS = ("jsonl", "parquet", "duckdb", "postgres")
MODELS = {"scripted": (SCRIPTED, 2_000), "embedded": ("embedded", 8)}  # the model, and the rows
_SECONDS = "_seconds"  # differ from run to run
_LATE = 0.3  # of the kills: in the last part of a run, where it writes its files
_LAST = 0.5  # seconds


def measure(options: argparse.Namespace) -> dict[str, Any]:
    rows = []
    with ExitStack() as services:
        address = ""
        for name in options.models:
            for kind in options.sinks:
                try:
                    address = address or (services.enter_context(postgres()) if kind == "postgres" else "")
                    rows.append(_killed(name, kind, address, options.kills))
                except MissingServiceError as reason:
                    rows.append({"model": name, "sink": kind, **dict.fromkeys(_COLUMNS, ""), "same": f"- ({reason})"})
    note = (
        "Each run is killed at a random moment of an uninterrupted run, and started again, until it ends; then another "
        "begins. Before: the kills after which the output was not there yet, or was that of the run before. Same: of "
        "the ends, those whose content is that of an uninterrupted run (but for `_seconds`), with every row once."
    )
    return {"title": "Runs that are killed", "rows": rows, "note": note, "by": ["model", "sink"]}


_COLUMNS = ("rows", "kills", "before", "ends", "same")


@dataclass
class Sink:
    """An output, and what it holds: None without one."""

    kind: str
    folder: Path
    address: str = ""
    files: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        names = {"jsonl": "out.jsonl", "parquet": "out.parquet", "duckdb": "out.duckdb#parts"}
        return f"{self.address}#parts_killed" if self.kind == "postgres" else str(self.folder / names[self.kind])

    @property
    def beside(self) -> list[str]:
        return ["--journal", str(self.folder / "journal"), "--quarantine", str(self.folder / "rest.jsonl")]

    def clear(self) -> None:
        for one in self.folder.iterdir():
            if one.name != "in.jsonl":
                one.unlink()
        if self.kind == "postgres":
            with _query(self.address) as cursor:
                cursor.execute("DROP TABLE IF EXISTS parts_killed")

    def content(self) -> list[dict[str, Any]] | None:
        """The accepted rows, in order."""
        file = self.folder / self.output.rpartition("/")[2].partition("#")[0]
        if self.kind != "postgres" and not file.exists():
            return None
        if self.kind == "jsonl":
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        elif self.kind == "parquet":
            import pyarrow.parquet as pq

            rows = pq.read_table(file).to_pylist()
        elif self.kind == "duckdb":
            import duckdb

            with duckdb.connect(str(file)) as db:
                if not db.execute("SELECT 1 FROM information_schema.tables WHERE table_name = 'parts'").fetchone():
                    return None
                found = db.execute("SELECT * FROM parts")
                names = [column[0] for column in found.description or ()]
                rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        else:
            with _query(self.address) as cursor:
                cursor.execute("SELECT to_regclass('parts_killed') IS NOT NULL")
                if cursor.fetchone() != (True,):
                    return None
                cursor.execute("SELECT * FROM parts_killed ORDER BY _key")
                rows = cursor.fetch_arrow_table().to_pylist()
        return [{name: value for name, value in row.items() if name != _SECONDS} for row in rows]


def _killed(name: str, kind: str, address: str, kills: int) -> dict[str, Any]:
    model, count = MODELS[name]
    dice = random.Random(f"{name} {kind}")
    with tempfile.TemporaryDirectory() as folder:
        sink = Sink(kind, Path(folder), address)
        write_parts(sink.folder / "in.jsonl", count)
        command = words(sink.folder / "in.jsonl", sink.output, *sink.beside, model=model)
        sink.clear()
        whole = cost_of(command).clock
        expected = sink.content()
        assert expected is not None
        assert len({row["_key"] for row in expected}) == len(expected) == count, len(expected)
        killed = before = ends = same = 0
        sink.clear()
        while killed < kills or ends == 0:
            late = dice.random() < _LATE
            moment = whole - _LAST * dice.random() if late else whole * dice.random()
            if killed < kills and _ended_by_kill(command, moment):
                killed += 1
                found = sink.content()
                before += found is None
                assert found is None or found == expected, "a part of an output"
                continue
            if killed >= kills:
                cost_of(command)
            ends += 1
            same += sink.content() == expected
            sink.clear()
    return {
        "model": name,
        "sink": kind,
        "rows": f"{count:,}",
        "kills": killed,
        "before": before,
        "ends": ends,
        "same": f"{same} of {ends}",
    }


def _ended_by_kill(command: list[str], seconds: float) -> bool:
    """Start a run and kill it after some seconds; False if it ended by itself before."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    try:
        _, said = process.communicate(timeout=max(0.0, seconds))
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        time.sleep(0.05)  # until a server has noticed
        return True
    assert process.returncode == 0, said.decode()
    return False


@contextmanager
def _query(address: str) -> Iterator[Any]:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        yield cursor
