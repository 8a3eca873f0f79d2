"""A process that imports structout once, and forks: each fork is a run that can be killed, starved or traced."""

import gc
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
_MOMENTS = frozenset(
    {"open", "write", "flush", "close", "fsync", "replace", "rename", "link", "unlink", "remove", "execute", "mkdir"}
    | {"executemany", "commit", "write_table", "fetchall", "fetchone"}
)
_SILENT = (str, bytes, io.StringIO)  # their methods of these names reach no file
_LAST = 120.0  # seconds; a run that takes longer hangs
HANGS = "hangs"


@dataclass(frozen=True)
class Order:
    """One run. `words` are the words of `structout`, or of `extract` (see `_extract`).

    The process kills itself at the moment with number `kill`: before or after one of the calls of `_MOMENTS`. It cannot
    write a file beyond `largest` bytes. `fault` names a fault that is seeded into structout (see `FAULTS`).
    """

    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    kill: int = 0
    largest: int = 0
    fault: str = ""


@dataclass(frozen=True)
class Ended:
    """The end of a run: its exit code, negative for a signal, and what it said."""

    code: int
    said: str


class Nursery:
    """The process, from this side. `traced` may watch a run: it gets the number of the process before it starts."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "said"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.trust.nursery"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, order: Order, traced: Callable[[int], Any] | None = None) -> Ended:
        """Run to the end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([asdict(order), str(self._log), traced is not None]) + "\n")
        self._process.stdin.flush()
        number = int(self._process.stdout.readline())
        if traced is not None:
            traced(number)
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        said = self._log.read_text(encoding="utf-8", errors="replace")
        return Ended(code, f"{said}{HANGS}" if code == -signal.SIGALRM else said)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    """A nursery, until the end of the block."""
    made = Nursery(folder)
    try:
        yield made
    finally:
        made.close()


# --- in the process itself ---


def serve() -> None:
    """Run orders until the input ends."""
    import duckdb  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    _warm_up()
    for line in sys.stdin:
        order, log, is_traced = json.loads(line)
        gate, opened = os.pipe()
        if not (process := os.fork()):
            os.close(opened)
            _child(Order(**order), log, gate if is_traced else None)
        print(process, flush=True)
        os.close(gate)
        if is_traced:
            sys.stdin.readline()
        os.close(opened)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def _warm_up() -> None:
    """One whole run, after which all that a run imports and builds is there."""
    from benchmarks.trust.part import MODEL, PLAIN, SCHEMA, row

    with tempfile.TemporaryDirectory() as place, redirect_stderr(io.StringIO()):
        source, output = Path(place, "in.jsonl"), Path(place, "out.parquet")
        source.write_text("".join(json.dumps(row(number)) + "\n" for number in range(1, 9)), encoding="utf-8")
        os.environ["ASKED"] = str(Path(place, "asked"))
        words = ["-i", str(source), "-o", str(output), "-s", SCHEMA, "-m", MODEL, "--strategy", PLAIN, "--key", "id"]
        _command(["run", *words])
        _extract(["extract", str(source), str(Path(place, "j")), PLAIN, str(Path(place, "results"))][1:])
    gc.collect()
    gc.freeze()


def _child(order: Order, log: str, gate: int | None) -> None:
    """Carry out an order, and end the process."""
    code = 99
    try:
        os.environ.update(order.environment)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        FAULTS.get(order.fault, lambda: None)()
        signal.setitimer(signal.ITIMER_REAL, _LAST)
        if gate is not None:
            os.read(gate, 1)  # until it is traced
        if order.largest:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order.largest, order.largest))
        if order.kill:
            _kill_at(order.kill)
        code = _extract(order.words[1:]) if order.words[0] == "extract" else _command(order.words)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.setprofile(None)
        os._exit(code)


def _command(words: Sequence[str]) -> int:
    from structout.cli import main

    sys.argv = ["structout", *words]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _extract(words: Sequence[str]) -> int:
    """`extract_many` with a journal: the words are the input, the journal, the strategy, and a file for the results."""
    from benchmarks.trust.part import Noting, Part
    from structout import extract_many
    from structout.errors import StructoutError

    source, journal, strategy, results = words
    texts = [json.loads(line)["text"] for line in Path(source).read_text(encoding="utf-8").splitlines()]
    with Path(results).open("w", encoding="utf-8") as seen:
        try:
            for result in extract_many(texts, Part, Noting(), strategy, chunk=2, journal=journal):
                value = None if result.value is None else result.value.model_dump()
                seen.write(json.dumps(value) + "\n")
                seen.flush()
        except StructoutError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            return 3 if error.retryable else 2
    return 0


def _kill_at(count: int) -> None:
    left = count

    def look(frame: object, event: str, called: Any) -> None:
        nonlocal left
        if event not in ("c_call", "c_return") or getattr(called, "__name__", "") not in _MOMENTS:
            return
        if not isinstance(getattr(called, "__self__", ""), _SILENT):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(look)
    sys.setprofile(look)


def _write_twice() -> None:
    """Seed a fault: the first record of an output is written twice."""
    from structout.tables import output

    plain = output._json_lines

    def lines(stream: Any) -> Any:
        write, count = plain(stream), 0

        def twice(row: dict[str, Any]) -> None:
            nonlocal count
            count += 1
            for _ in range(2 if count == 1 else 1):
                write(row)

        return twice

    output._json_lines = lines


def _write_in_place() -> None:
    """Seed a fault: a file is written where it stands, so that a kill leaves a part of it."""
    from structout.pipeline import run
    from structout.tables import output

    @contextmanager
    def replacing(path: str | Path, *, keep: bool = True) -> Iterator[Any]:
        if keep:
            with Path(path).open("wb", buffering=0) as stream:
                yield stream
        else:
            yield None

    output.replacing = run.replacing = replacing  # type: ignore[attr-defined]


def _forget_digests() -> None:
    """Seed a fault: a changed row is taken for the row that the journal knows."""
    from structout.pipeline.journal.journal import Journal

    plain = Journal.known
    Journal.known = lambda self, first, last: dict.fromkeys(plain(self, first, last), b"")  # type: ignore[method-assign]


def _fail_quietly() -> None:
    """Seed a fault: an error while a file is synced and replaced is swallowed."""
    from structout.tables import whole_file

    @contextmanager
    def written(path: object) -> Iterator[None]:
        with suppress(OSError):
            yield

    whole_file._written = written


def _lock_nothing() -> None:
    """Seed a fault: two processes may write a file at once."""
    from structout.tables import output, removal, whole_file

    @contextmanager
    def locked(file: Path, shown: object) -> Iterator[None]:
        yield

    for module in (output, removal, whole_file):
        module.locked = locked  # type: ignore[attr-defined]


FAULTS: Mapping[str, Callable[[], None]] = {
    "twice": _write_twice,
    "in place": _write_in_place,
    "digests": _forget_digests,
    "quietly": _fail_quietly,
    "unlocked": _lock_nothing,
}

if __name__ == "__main__":
    serve()
    os._exit(0)  # what DuckDB has to say of frozen objects at its end is no matter
