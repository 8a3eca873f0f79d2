"""Memory, handles and speed stay as they are: mixed work in one process, a server and many threads.

Memory and open files are looked at every second. Work is measured in seconds of the processor, since other programs may
use it too.
"""

import gc
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

from benchmarks.trust.nursery import ROOT
from benchmarks.trust.part import Part, answer, record, row
from benchmarks.trust.trial import Trial, Tried
from structout import Completion, Model, Prompt, Schema, Scripted, Usage, extract_many, load_model, repair
from structout.tables.output import writing
from structout.tables.rows import read_rows

_GROWTH = 48.0  # MB that memory may grow between the second quarter and the last
_SLOWER = 1.5  # times the processor's seconds for the same work
_HANDLES = 8  # more open files
_THREADS = 64


class Look(NamedTuple):
    """MB of resident memory, open files, and seconds of the processor for a unit of work."""

    memory: float
    handles: int
    seconds: float


def _memory() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def watched(work: Callable[[int], None], seconds: float = 0.0, rounds: int = 8) -> Tried:
    """Work for so many seconds and rounds at least, and what grew meanwhile: the second quarter against the last."""
    looks, done, started = list[Look](), 0, time.monotonic()
    while time.monotonic() < started + seconds or done < rounds:
        began = time.process_time()
        work(done)
        gc.collect()
        looks.append(Look(_memory(), len(os.listdir("/proc/self/fd")), time.process_time() - began))
        done += 1
    quarter = max(1, len(looks) // 4)
    first, last = looks[quarter : 2 * quarter], looks[-quarter:]
    grown = median(one.memory for one in last) - median(one.memory for one in first)
    more = min(one.handles for one in last) - max(one.handles for one in first)
    slower = median(one.seconds for one in last) / median(one.seconds for one in first)
    broken = [
        told
        for told, is_broken in (
            (f"memory grew by {grown:.0f} MB", grown > _GROWTH),
            (f"{more} more open files", more > _HANDLES),
            (f"the same work takes {slower:.1f} times as long", slower > _SLOWER),
        )
        if is_broken
    ]
    took = f"{time.monotonic() - started:,.0f} seconds, {done:,} rounds"
    told = f"{took}: {grown:+.0f} MB, {more:+d} files, {slower:.2f} times the processor's seconds."
    return Tried(done, tuple(broken), (told,))


def mixed(seconds: int, seed: int, leak: Callable[[], None] = lambda: None) -> Tried:
    """Calls, journals, repairs, inputs, outputs and grammars, over and over."""
    with tempfile.TemporaryDirectory(prefix="trust-") as place:

        def work(number: int) -> None:
            _round(Path(place), number, seed)
            leak()

        return watched(work, seconds)


def _round(place: Path, number: int, seed: int) -> None:
    rng = Random(f"{seed} {number}")
    numbers = [rng.randrange(1, 10**6) for _ in range(40)]
    texts = [row(one)["text"] for one in numbers]
    model = Scripted(lambda prompt: Completion(answer(_number(prompt)), Usage(calls=1)), keep=False)
    journal = place / "j"
    for kept in (None, journal, journal):
        results = list(extract_many(texts, Part, model, "Repair(Prompted())", journal=kept))
        assert all(
            one.value is None or one.value.model_dump() == record(n) for n, one in zip(numbers, results, strict=True)
        )
    for file in place.iterdir():
        file.unlink()
    schema = Schema.of({"type": "object", "properties": {f"f{number}": {"type": "integer"}}})
    assert repair(f"{{f{number}: 5}}", schema).ok
    for name in ("out.jsonl", "out.parquet", "out.csv"):
        with writing(str(place / name), Schema.of(Part), bare=True) as write:
            for one in numbers:
                write(record(one), {})
        assert len(list(read_rows(str(place / name), text="kind"))) == len(numbers)


def _number(prompt: Prompt) -> int:
    return int(prompt.messages[-1].content.split("\n")[1].split()[0])


@contextmanager
def _server() -> Iterator[str]:
    """A chat server that answers at once, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.pipeline.slow_server", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(30)


def served(rows: int, seed: int) -> Tried:
    """Small rows against a server on loopback: 500 a round."""
    from structout.models.openai.client import OpenAIModel

    with _server() as address:
        model = OpenAIModel("m", f"{address}/v1", dialect="json_schema", in_flight=32)
        schema = Schema.of(str(ROOT / "schemas" / "parts"))

        def work(number: int) -> None:
            texts = [f"{seed} {number} {n}" for n in range(500)]
            assert sum(1 for one in extract_many(texts, schema, model) if one.attempts) == len(texts)

        found = watched(work, rounds=max(8, rows // 500))
    return Tried(found.times * 500, found.broken, found.table)


def threads(count: int, seed: int) -> Tried:
    """64 threads on one model: each gets the answers that it gets alone."""
    model: Model = load_model("embedded")
    schema = Schema.of({"type": "object", "properties": {"size_mm": {"type": "integer"}}, "required": ["size_mm"]})
    texts = [f"M{n} bolt" for n in range(4, 4 + min(count, 8))]
    alone = [one.document for one in extract_many(texts, schema, model, "Constrained()")]
    broken, found = list[str](), dict[int, Any]()

    def work(number: int) -> None:
        text = texts[number % len(texts)]
        found[number] = [one.document for one in extract_many([text], schema, model, "Constrained()")]

    for start in range(0, count, _THREADS):
        running = [threading.Thread(target=work, args=(n,)) for n in range(start, min(count, start + _THREADS))]
        for one in running:
            one.start()
        for one in running:
            one.join()
    for number in range(count):
        if found.get(number) != [alone[number % len(texts)]]:
            broken.append(f"thread {number} got {found.get(number)}, alone {alone[number % len(texts)]}")
    return Tried(count, tuple(broken[:8]))


TRIALS = (
    Trial("mixed work in one process, in seconds", 3, 7_200, mixed),
    Trial("small rows against a server on loopback", 0, 1_000_000, served),
    Trial("64 threads on the embedded model, in calls", 0, 640, threads),
)
