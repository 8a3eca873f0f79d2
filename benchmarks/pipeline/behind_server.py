"""(f) A server that answers each request after two seconds, with 256 requests in flight."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks.pipeline.scale import write_parts

SECONDS, IN_FLIGHT = 2.0, 256
ROWS = 20_000  # about three minutes


def measure(options: argparse.Namespace) -> dict[str, Any]:
    count: int = options.server_rows
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.pipeline.slow_server", str(SECONDS)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        address = server.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as folder:
            row = _run(address, Path(folder), count)
    finally:
        server.stdin.close()
        server.wait(30)
    most = IN_FLIGHT / SECONDS
    note = (
        f"A server on loopback in a process of its own: {IN_FLIGHT} requests in flight can get {most:.0f} rows/s. From "
        "the first request to the last answer, as the server saw them; the run begins with few requests in flight, and "
        "the share without this start is that of the answers after 30 s. The journal is kept as always."
    )
    return {"title": "The journal behind a server", "rows": [row], "note": note}


def _run(address: str, folder: Path, count: int) -> dict[str, Any]:
    write_parts(folder / "parts.jsonl", count)
    output = folder / "out.jsonl"
    command = [
        sys.executable, "-m", "structout", "run", "-s", "schemas/parts", "-i", str(folder / "parts.jsonl"),
        "-o", str(output), "--key", "id", "-m", f"openai:m@{address}/v1#json_schema,{IN_FLIGHT}",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    with output.open("rb") as lines:
        assert sum(1 for _ in lines) == count
    with urlopen(f"{address}/seen") as reply:
        seen = json.load(reply)
    most = IN_FLIGHT / SECONDS
    steady = [at for at in seen["at"] if at >= 30]
    rate = (len(steady) - 1) / (steady[-1] - steady[0]) if len(steady) > IN_FLIGHT else 0.0
    return {
        "rows": f"{count:,}",
        "most in flight": seen["peak"],
        "s": f"{seen['seconds']:.1f}",
        "rows/s": f"{count / seen['seconds']:.1f}",
        "share": f"{100 * count / seen['seconds'] / most:.1f} %",
        "rows/s after 30 s": f"{rate:.1f}",
        "share after 30 s": f"{100 * rate / most:.1f} %",
        "processor s": f"{usage.ru_utime + usage.ru_stime:.1f}",
    }
