"""(a) Many rows, a model that answers at once: what the bookkeeping costs."""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.pipeline.model import scripted
from structout.pipeline.chunks import in_order
from structout.pipeline.form import Form
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.run import Files, finish, local, process
from structout.schema import Schema
from structout.strategies import Constrained, Reask, Repair
from structout.tables.rows import read_rows

ROWS = 80_000


def measure(options: argparse.Namespace) -> dict[str, Any]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (1_000, ROWS, *([1_000_000] if options.million else [])):
            source = Path(folder, f"{count}.jsonl")
            write_parts(source, count)
            rows.append(_run(source, count))
        source = Path(folder, f"{ROWS}.jsonl")
        plain, kept, again, written = _overhead(source, Path(folder))
    note = (
        f"Peak memory is the process's resident set. In one process over the {ROWS:,} rows: {1e3 * plain:.3f} ms of "
        f"processor a row without a journal, {1e3 * kept:.3f} with: the journal takes {1e3 * (kept - plain):.3f} ms a "
        f"row (answers and outcomes). With half of the rows done, a resumed run comes to the first new row after "
        f"{again * ROWS / 2:.2f} s of processor; writing both files takes {1e3 * written:.3f} ms a row."
    )
    return {"title": "`structout run`, a model that answers at once", "rows": rows, "note": note}


def write_parts(target: Path, count: int) -> None:
    """Generated descriptions, as JSONL."""
    spec = importlib.util.spec_from_file_location("generate", "schemas/parts/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with target.open("w", encoding="utf-8") as stream:
        for row in module.generate(count):
            stream.write(json.dumps({"id": row["id"], "text": row["text"]}, ensure_ascii=False) + "\n")


def _run(source: Path, count: int) -> dict[str, Any]:
    output = source.with_suffix(".out.jsonl")
    command = [
        sys.executable, "-m", "structout", "run", "-s", "schemas/parts", "-i", str(source), "-o", str(output),
        "--key", "id", "-m", "py:benchmarks/pipeline/model.py:scripted",
    ]  # fmt: skip
    began = time.perf_counter()
    process_ = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process_.pid, 0)
    process_.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    with output.open("rb") as lines:
        written = sum(1 for _ in lines)
    assert (process_.returncode, written) == (0, count), (process_.returncode, written)
    processor = usage.ru_utime + usage.ru_stime
    return {
        "rows": f"{count:,}",
        "rows/s (processor)": f"{count / processor:,.0f}",
        "processor s": f"{processor:.1f}",
        "clock s": f"{seconds:.1f}",
        "peak MB": f"{usage.ru_maxrss / 1024:.0f}",
        "journal MB": f"{(source.parent / f'{output.name}.journal').stat().st_size / 1e6:.1f}",
    }


def _overhead(source: Path, folder: Path) -> tuple[float, float, float, float]:
    """Processor seconds a row: without a journal, with one, passing over known rows, and writing the files."""
    job = Job(Schema.of("schemas/parts"), scripted(), Reask(Repair(Constrained())))
    began = time.process_time()
    for _ in in_order(read_rows(str(source), key="id"), job.outcomes, 32):
        pass
    plain = time.process_time() - began
    with Journal(folder / "journal", job.identity()) as journal:
        began = time.process_time()
        tally = process(read_rows(str(source), key="id"), job, journal, local())
        kept = time.process_time() - began
        began = time.process_time()
        process(islice(read_rows(str(source), key="id"), ROWS // 2), job, journal, local())
        again = time.process_time() - began
        began = time.process_time()
        finish(journal, job, tally.done, Files(str(folder / "o.jsonl"), str(folder / "q.jsonl"), Form.of(job.schema)))
        written = time.process_time() - began
    return plain / ROWS, kept / ROWS, again / (ROWS // 2), written / ROWS
