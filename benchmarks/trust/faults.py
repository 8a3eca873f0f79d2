"""Nothing is lost where the system fails: each system call of a short run fails once, or the run is killed at it.

`strace --inject` of Debian's package strace makes a call of a run fail with EIO or ENOSPC, or sends SIGKILL at it. So
the faults also reach what is written below Python: SQLite, Arrow and DuckDB. The calls on the files of the run count:
between them, nothing on the disk changes. strace counts the calls of each name and of each thread apart, so a fault
names one of them. After each fault the same command runs again without one, and must come to what an undisturbed run
comes to. What the faulty run said, and what it left, is judged as well.
"""

import json
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.pipeline.command import MissingServiceError
from benchmarks.pipeline.kills import Sink
from benchmarks.pipeline.services import postgres
from benchmarks.trust.nursery import HANGS, Ended, Nursery, Order, nursery
from benchmarks.trust.part import MODEL, REPAIRED, SCHEMA, record, row
from benchmarks.trust.trial import Tried
from structout.tables.partial import mark_of

_ROWS = 6
_MOST = 8  # cases that a report shows
_CHANGES = ("write", "pwrite64", "ftruncate", "rename", "renameat2", "link", "unlink", "mkdir", "openat", "close")
_CALLS = (*_CHANGES, "fsync", "fdatasync", "read", "pread64")
_NEVER = 65_535  # the number of a call that no run reaches, the largest that strace takes
_CODES = (0, 1, 2, 3, 70, -signal.SIGKILL)


@dataclass(frozen=True)
class Fault:
    """A fault: the names of the calls that it hits (with commas), the number of the call among those of its name and
    its thread, and an error or SIGKILL.
    """

    calls: str
    number: int
    error: str

    def __str__(self) -> str:
        return f"{self.error} at call {self.number} of {self.calls}"

    @property
    def words(self) -> list[str]:
        """The words of strace."""
        how = "signal=SIGKILL" if self.error == "SIGKILL" else f"error={self.error}"
        return ["-e", f"trace={self.calls}", "-e", f"inject={self.calls}:{how}:when={self.number}"]


@dataclass(frozen=True)
class Run:
    """A short run with a sink."""

    nursery: Nursery
    sink: Sink
    fault: str = ""

    def order(self) -> Order:
        """The command."""
        files = ["-i", str(self.sink.folder / "in.jsonl"), "-o", self.sink.output, *self.sink.beside]
        how = ["-s", SCHEMA, "-m", MODEL, "--strategy", REPAIRED, "--key", "id", "--chunk", "2"]
        return Order(["run", *files, *how], {"ASKED": str(self.sink.folder / "asked")}, fault=self.fault)

    def plain(self) -> Ended:
        """An undisturbed run."""
        return self.nursery.run(self.order())

    def hit(self, fault: Fault) -> tuple[Ended, bool, dict[str, int]]:
        """A run with a fault, whether the fault came, and by name the calls of the thread with most of them."""
        log = self.sink.folder / "strace"
        watching: list[subprocess.Popen[str]] = []

        def trace(number: int) -> None:
            only = [word for path in self._paths(number) for word in ("-P", path)]
            command = ["strace", "-f", "-qqq", "-o", str(log), "-p", str(number), *only, *fault.words]
            watching.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
            _wait_until_traced(number, watching[0])

        ended = self.nursery.run(self.order(), trace)
        for one in watching:
            one.communicate(timeout=30)
        lines = log.read_text(errors="replace").splitlines()
        log.unlink(missing_ok=True)
        came = ended.code == -signal.SIGKILL if fault.error == "SIGKILL" else any("INJECTED" in line for line in lines)
        counted = Counter(found.groups() for line in lines if (found := re.match(r"(\d+) +(\w+)\(", line)))
        return ended, came, {name: max(counted[one] for one in counted if one[1] == name) for _, name in counted}

    def _paths(self, number: int) -> Iterator[str]:
        """The files of a run of this process."""
        folder = self.sink.folder
        for name in ("journal", "rest.jsonl", "journal.status", Path(self.sink.output.partition("#")[0]).name):
            yield from (str(folder / name), str(folder / f".{name}.{number}.part"), str(folder / f".{name}.lock"))
            yield from (str(folder / f"{name}-wal"), str(folder / f"{name}.wal"))
        yield str(folder)


def _wait_until_traced(number: int, strace: "subprocess.Popen[str]") -> None:
    status = Path(f"/proc/{number}/status")
    while "TracerPid:\t0\n" in status.read_text():
        if strace.poll() is not None:
            raise MissingServiceError(f"strace cannot trace: {strace.communicate()[1].strip()}")
        time.sleep(0.002)


def missing() -> str:
    """Why no system call can fail here; "" if strace is there."""
    return "" if shutil.which("strace") else "strace is not installed: install Debian's package strace"


def tried(count: int, seed: int, kind: str, errors: Sequence[str], fault: str = "", only: str = "") -> Tried:
    """About `count` faults, spread evenly over the calls of a run that begins and of a run that resumes; each call, if
    there are not so many. `only` names the calls that fail. Counts the faults that came: runs differ by a few calls.
    """
    if why := missing():
        return Tried(0, missing=why)
    with ExitStack() as services:
        try:
            address = services.enter_context(postgres()) if kind == "postgres" else ""
            log = Path(services.enter_context(tempfile.TemporaryDirectory(prefix="trust-")))
            made = services.enter_context(nursery(log))
            faults = list[tuple[Fault, bool]]()
            for again, error in product((False, True), errors):
                with tempfile.TemporaryDirectory(prefix="trust-") as place:
                    calls = only or ",".join(_CHANGES if error == "SIGKILL" else _CALLS)
                    never = Fault(calls, _NEVER, error)
                    _, most = judged(Run(made, Sink(kind, Path(place), address), fault), never, is_resumed=again)
                for name, times in sorted(most.items()):
                    faults += [(Fault(name, number, error), again) for number in range(1, times + 1)]
            start = seed % max(1, len(faults) // count)
            chosen = faults if count >= len(faults) else faults[start :: len(faults) // count][:count]
            hits, broken = 0, list[str]()
            for one, again in chosen:
                with tempfile.TemporaryDirectory(prefix="trust-") as place:
                    try:
                        hits += judged(Run(made, Sink(kind, Path(place), address), fault), one, is_resumed=again)[0]
                    except AssertionError as problem:
                        hits += 1
                        what = "a run that resumes" if again else "a new run"
                        broken.append(f"{kind}, {what}, {one}: {problem}")
        except MissingServiceError as reason:
            return Tried(0, missing=str(reason))
    return Tried(hits, tuple(broken[:_MOST]), (f"{hits:,} of {len(faults):,} calls.",))


def judged(run: Run, fault: Fault, *, is_resumed: bool) -> tuple[bool, dict[str, int]]:
    """Whether a fault came, and the calls that it could hit. Raises `AssertionError` if a promise broke."""
    sink, rows = run.sink, [row(number) for number in range(1, _ROWS + 3)]
    if sink.kind == "postgres":
        sink.clear()
    source = sink.folder / "in.jsonl"
    before = None
    if is_resumed:
        source.write_text("".join(json.dumps(one) + "\n" for one in rows[:_ROWS]), encoding="utf-8")
        assert run.plain().code in (0, 1)
        before = _content(sink)
    source.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    ended, came, calls = run.hit(fault)
    told = f"code {ended.code}: {ended.said[-500:]}"
    assert ended.code in _CODES, f"an unknown end: {told}"
    assert ended.code != 70, f"a fault of structout: {told}"
    assert "Traceback" not in ended.said, f"a traceback: {told}"
    assert HANGS not in ended.said, f"a run that hangs: {told}"
    assert ended.code in (0, 1, -signal.SIGKILL) or "error:" in ended.said or "damaged" in ended.said, (
        f"no word: {told}"
    )
    whole, after = _right(rows), _content(sink)
    if ended.code in (0, 1):
        _complete(run, whole, f"a run that says that it is complete, {told}")
    else:
        is_marked = mark_of(sink.output).exists()
        assert after in (before, whole) or is_marked, f"a part of an output: {told}"
    again = run.plain()
    _complete(run, whole, f"after {told}; again, code {again.code}: {again.said[-500:]}")
    assert again.code in (0, 1) or "was damaged" in again.said, f"no end: {again.code} {again.said[-500:]} after {told}"
    left = [one.name for one in sink.folder.iterdir() if not re.fullmatch(_KNOWN, one.name)]
    assert not left, f"files that are left: {left} after {told}"
    asked = (sink.folder / "asked").read_text().split()
    assert len(asked) <= len(rows) + 6, f"rows were asked again: {asked} after {told}"
    return came, calls


_KNOWN = r"in\.jsonl|journal(-wal|\.status|\.damaged.*)?|asked|rest\.jsonl|out\.(jsonl|parquet|duckdb)|said"


def _right(rows: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """The records that the output must hold."""
    return [record(number) for number in range(1, len(rows) + 1) if number % 7 != 0]


def _content(sink: Sink) -> list[dict[str, Any]] | None:
    """The records of the output, without their provenance."""
    try:
        found = sink.content()
    except Exception as error:
        raise AssertionError(f"an output that cannot be read: {error}") from error
    return found and [{name: one[name] for name in one if not name.startswith("_")} for one in found]


def _complete(run: Run, whole: list[dict[str, Any]], told: str) -> None:
    found = _content(run.sink)
    assert found is not None, f"no output: {told}"
    assert found == whole, f"another output: {told}"
    rest = run.sink.folder / "rest.jsonl"
    assert rest.exists(), f"no quarantine: {told}"
    keys = [json.loads(line)["key"] for line in rest.read_text().splitlines()]
    assert keys == ["k7"], f"the quarantine holds {keys}: {told}"
    assert not mark_of(run.sink.output).exists(), f"a mark: {told}"
