"""(a) Many rows, a model that answers at once: what the bookkeeping costs."""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.pipeline.command import cost_of, words
from benchmarks.pipeline.model import scripted
from structout.pipeline.chunks import in_order
from structout.pipeline.form import Form
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.known import Known
from structout.pipeline.run import Files, finish, local, process
from structout.schema import Schema
from structout.strategies import Constrained, Reask, Repair
from structout.tables.rows import read_rows

ROWS = 80_000
_CHUNK = 32


def measure(options: argparse.Namespace) -> dict[str, Any]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in options.counts:
            source = Path(folder, f"{count}.jsonl")
            write_parts(source, count)
            rows.append(_run(source, count))
        source = Path(folder, f"{ROWS}.jsonl")
        if not source.exists():
            write_parts(source, ROWS)
        plain, kept, written = _overhead(source, Path(folder))
    note = (
        "Peak memory is the process's resident set. Resumed: the seconds of the processor until a run that knows all "
        "rows would ask for the next: to open the journal and check it, to know its outcomes (in brackets without the "
        f"journal's note), and to compare the input's rows. In one process over {ROWS:,} rows: {1e3 * plain:.3f} ms of "
        f"processor a row without a journal, {1e3 * kept:.3f} with: the journal takes {1e3 * (kept - plain):.3f} ms a "
        f"row (answers, outcomes, checksums). Writing both files takes {1e3 * written:.3f} ms a row."
    )
    return {"title": "`structout run`, a model that answers at once", "rows": rows, "note": note, "by": ["rows"]}


def part_rows(count: int) -> Iterator[dict[str, Any]]:
    """Generated descriptions."""
    spec = importlib.util.spec_from_file_location("generate", "schemas/parts/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return ({"id": row["id"], "text": row["text"]} for row in module.generate(count))


def write_parts(target: Path, count: int) -> None:
    """Generated descriptions, as JSONL."""
    with target.open("w", encoding="utf-8") as stream:
        for row in part_rows(count):
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def job() -> Job:
    """The job of the runs."""
    return Job(Schema.of("schemas/parts"), scripted(), Reask(Repair(Constrained())))


def _run(source: Path, count: int) -> dict[str, Any]:
    output = source.with_suffix(".out.jsonl")
    cost = cost_of(words(source, output))
    with output.open("rb") as lines:
        assert sum(1 for _ in lines) == count
    journal = source.parent / f"{output.name}.journal"
    again = subprocess.run(
        [sys.executable, "-m", "benchmarks.pipeline.scale", str(source), str(journal)], capture_output=True, check=True
    )
    opened, known, judged, passed = json.loads(again.stdout)
    return {
        **cost.of(count),
        "journal MB": f"{journal.stat().st_size / 1e6:.1f}",
        "resumed s": f"{opened + known + passed:.2f}",
        "opened": f"{opened:.2f}",
        "known": f"{known:.2f} ({judged:.2f})",
        "compared": f"{passed:.2f}",
    }


def resumed(source: str, path: str) -> list[float]:
    """Processor seconds of a resumed run: to open its journal, to know its outcomes with and without the journal's
    note, and to pass over the known rows.
    """
    before = job()
    before = Job(before.schema, Named(), before.strategy)
    began = time.process_time()
    with Journal(path, before.identity()) as journal:
        times = [time.process_time()]
        counts = []
        for by in ("note", "none"):
            known = Known(journal, before, None)
            counts.append(known.tally.spending.by_kind["first"].calls)
            times.append(time.process_time())
            if by == "note":
                with journal.transaction() as db:
                    db.execute("DELETE FROM about WHERE name LIKE 'note%'")
        for done in local()(read_rows(source, key="id"), before, journal):
            assert all(outcome is None for _, outcome in done)
        times.append(time.process_time())
    assert counts[0] == counts[1]
    return [after - earlier for earlier, after in zip([began, *times], times, strict=False)]


class Named:
    """The name of the model of the runs."""

    name = "scripted"

    def complete(self, prompts: Any) -> Any:
        raise NotImplementedError


def _overhead(source: Path, folder: Path) -> tuple[float, float, float]:
    """Processor seconds a row: without a journal, with one, and of writing the files."""
    one = job()
    began = time.process_time()
    for _ in in_order(read_rows(str(source), key="id"), one.outcomes, _CHUNK):
        pass
    plain = time.process_time() - began
    with Journal(folder / "journal", one.identity()) as journal:
        began = time.process_time()
        tally = process(read_rows(str(source), key="id"), one, journal, local())
        kept = time.process_time() - began
        began = time.process_time()
        finish(journal, one, tally.done, Files(str(folder / "o.jsonl"), str(folder / "q.jsonl"), Form.of(one.schema)))
        written = time.process_time() - began
    return plain / ROWS, kept / ROWS, written / ROWS


if __name__ == "__main__":
    print(json.dumps(resumed(*sys.argv[1:3])))
