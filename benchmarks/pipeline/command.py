"""One `structout run`, and what it cost."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_EVERY = 0.02  # seconds between two looks at the memory
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
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stderr=said, text=True, env={**os.environ, **(environment or {})})
        ended, peak = 0, 0.0
        while not ended:
            time.sleep(_EVERY)
            peak = max(peak, _peak(process.pid))
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        clock = time.perf_counter() - began
        if process.returncode != 0:
            said.seek(0)
            reason = said.read()[-2000:]
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {reason}")
    return Cost(usage.ru_utime + usage.ru_stime, clock, peak)


def _peak(process: int) -> float:
    """The peak of a process's resident memory in MB; 0 if it has ended.

    `wait4` would tell the peak of this process where it is larger: a process inherits it until it runs its program.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"^VmHWM:\s+([0-9]+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
