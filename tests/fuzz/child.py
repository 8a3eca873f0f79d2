"""A process of its own for the tries, since what is tried may hang, or take the process with it."""

import faulthandler
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from tests.fuzz.target import ROOT, Case, wrong
from tests.fuzz.targets import target

CPU_SECONDS, WALL_SECONDS = 10.0, 60.0
MEMORY = 1 << 30
_FRAME = re.compile(r'File "(?:.*/)?(structout/[^"]*)", line \d+ in (\S+)')


class Child:
    """Tries cases of one target, one at a time. A try that kills the process is a finding, and the next one has a new
    process.
    """

    def __init__(self, name: str, cpu: float = CPU_SECONDS, wall: float = WALL_SECONDS) -> None:
        self.name = name
        self._cpu, self._wall = cpu, wall
        self._process: subprocess.Popen[str] | None = None
        self._words: IO[str] = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  (closed by `close`)

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._stop()
        self._words.close()

    def attempt(self, case: Case) -> str:
        """What is wrong with what comes of a case; "" if nothing is."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(case) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        return str(json.loads(answer)) if answer else self._died(process)

    def _start(self) -> "subprocess.Popen[str]":
        self._words.seek(0)
        self._words.truncate()
        command = [sys.executable, "-m", "tests.fuzz.child", self.name, str(self._cpu), str(self._wall)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=self._words, text=True)

    def _died(self, process: "subprocess.Popen[str]") -> str:
        code = process.wait()
        self._stop()
        self._words.seek(0)
        told = self._words.read()
        if code > 0 or ("import" in told and not _FRAME.search(told)):
            raise RuntimeError(f"the tries of {self.name} cannot be made:\n{told[-2000:]}")
        why = {
            signal.SIGPROF: f"more than {self._cpu:g} CPU seconds",
            signal.SIGALRM: f"more than {self._wall:g} seconds",
        }.get(signal.Signals(-code), f"killed by {signal.Signals(-code).name}")
        where = _FRAME.search(told)
        return f"{why} at {where[1]}:{where[2]}" if where else why

    def _stop(self) -> None:
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(BrokenPipeError):
                    if pipe is not None:
                        pipe.close()
            self._process.wait()
            self._process = None


def serve(name: str, cpu: float, wall: float) -> None:
    """Try the cases that come on stdin, one a line, each within bounds that kill, and answer each with a line."""
    tried = target(name)
    answers, sys.stdout = sys.stdout, sys.stderr
    faulthandler.enable(all_threads=False)
    for alarm in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(alarm, signal.SIG_DFL)
        faulthandler.register(alarm, all_threads=True, chain=True)
    with tempfile.TemporaryDirectory() as place:
        for number, line in enumerate(sys.stdin):
            folder = Path(place, str(number))
            folder.mkdir()
            signal.setitimer(signal.ITIMER_PROF, cpu)
            signal.setitimer(signal.ITIMER_REAL, wall)
            reason = wrong(tried, json.loads(line), folder)
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            if number == 0:  # what is imported and built once is no try's own
                _limit_memory()
            print(json.dumps(reason), file=answers, flush=True)


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


if __name__ == "__main__":
    serve(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
    os._exit(0)  # whatever threads the tries have left behind
