"""One `structout run`, and what it cost."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

SCRIPTED = "py:benchmarks/pipeline/model.py:scripted"


class MissingServiceError(Exception):
    """Something that a part needs is missing: the part is not measured."""


class Cost(NamedTuple):
    """The cost of a command: seconds of the processor and of the clock, and the peak of resident memory in MB."""

    processor: float
    clock: float
    peak: float

    def of(self, count: int) -> dict[str, str]:
        """Columns of a table for a run over `count` rows."""
        return {
            "rows": f"{count:,}",
            "rows/s (processor)": f"{count / self.processor:,.0f}",
            "processor s": f"{self.processor:.1f}",
            "clock s": f"{self.clock:.1f}",
            "peak MB": f"{self.peak:.0f}",
        }


def words(source: str | Path, output: str | Path, *more: str, model: str = SCRIPTED) -> list[str]:
    """The command of a run over generated parts."""
    files = ["-i", str(source), "-o", str(output)]
    return [sys.executable, "-m", "structout", "run", "-s", "schemas/parts", *files, "--key", "id", "-m", model, *more]


def cost_of(command: list[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command that must pass."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    clock = time.perf_counter() - began
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {said[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, clock, usage.ru_maxrss / 1024)
