"""(e) The same work on this machine, by one process and by a local Ray."""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.pipeline.scale import write_parts

COUNT = 600


def measure(options: argparse.Namespace) -> dict[str, Any]:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_parts(folder / "parts.jsonl", COUNT)
        for engine in ("local", "ray"):
            command = [
                sys.executable, "-m", "structout", "run", "-s", "schemas/parts", "-i", str(folder / "parts.jsonl"),
                "-o", str(folder / f"{engine}.jsonl"), "--key", "id", "-m", "py:benchmarks.pipeline.model:Busy",
                "--chunk", "8", "--engine", engine, "--actors", "2",
            ]  # fmt: skip
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
            seconds = time.perf_counter() - began
            rows.append(
                {"engine": engine, "rows": COUNT, "clock s": f"{seconds:.1f}", "rows/s": f"{COUNT / seconds:.1f}"}
            )
        same = (folder / "local.jsonl").read_bytes() == (folder / "ray.jsonl").read_bytes()
        assert same
    note = (
        "A model that takes 50 ms of processor a row; Ray with two actors on two cores, its start included. "
        "Both outputs are the same, byte for byte."
    )
    return {"title": "One process against a local Ray", "rows": rows, "note": note}
