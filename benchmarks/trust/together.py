"""Nothing is lost where two runs write one output at once: its files must be those of one of them.

Each run has a journal of its own, so no journal holds the other back, and another strategy, so that the runs accept
other rows. Each run may end as complete, or with an error that says that the other writes.
"""

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random

from benchmarks.pipeline.kills import Sink
from benchmarks.trust.nursery import Ended, Nursery, Order, nursery
from benchmarks.trust.part import MODEL, PLAIN, REPAIRED, SCHEMA, is_accepted, row
from benchmarks.trust.trial import Tried

_ROWS = 30
_KINDS = ("jsonl", "duckdb", "parquet")
_MOST = 8  # cases that a report shows


def tried(count: int, seed: int, fault: str = "") -> Tried:
    """So many pairs of runs, the second of which starts a little later."""
    broken = list[str]()
    with ExitStack() as ends:
        folders = [Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="trust-"))) for _ in range(2)]
        both = [ends.enter_context(nursery(folder)) for folder in folders]
        for number in range(count):
            with tempfile.TemporaryDirectory(prefix="trust-") as place:
                sink, later = Sink(_KINDS[number % len(_KINDS)], Path(place)), Random(f"{seed} {number}").random() / 50
                ended = _pair(both, sink, later, fault)
                if problem := _wrong(sink, ended):
                    broken.append(f"{sink.kind}: {problem}: {[(one.code, one.said[-200:]) for one in ended]}")
    return Tried(count, tuple(broken[:_MOST]))


def _pair(both: list[Nursery], sink: Sink, later: float, fault: str) -> list[Ended]:
    source = sink.folder / "in.jsonl"
    source.write_text("".join(json.dumps(row(number)) + "\n" for number in range(1, _ROWS + 1)), encoding="utf-8")

    def run(which: int) -> Ended:
        time.sleep(later * which)
        files = ["-i", str(source), "-o", sink.output, "--quarantine", str(sink.folder / "rest.jsonl")]
        how = ["-s", SCHEMA, "-m", MODEL, "--strategy", (PLAIN, REPAIRED)[which], "--key", "id", "--chunk", "5"]
        words = ["run", *files, *how, "--journal", str(sink.folder / f"journal{which}")]
        return both[which].run(Order(words, {"ASKED": str(sink.folder / f"asked{which}")}, fault=fault))

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(run, range(2)))


def _wrong(sink: Sink, ended: list[Ended]) -> str:
    """What is wrong with the files of two runs; "" if nothing is."""
    told = ["another process writes it" in one.said or one.code in (0, 1) for one in ended]
    if not all(told) or not any(one.code in (0, 1) for one in ended):
        return "a run that neither is complete nor says why"
    accepted = [int(str(one["_key"])[1:]) for one in sink.content() or []]
    rest = [int(json.loads(line)["key"][1:]) for line in (sink.folder / "rest.jsonl").read_text().splitlines()]
    rows = range(1, _ROWS + 1)
    wholes = [[number for number in rows if is_accepted(number, way)] for way in (PLAIN, REPAIRED)]
    if accepted not in wholes or sorted([*accepted, *rest]) != list(rows):
        return f"{accepted} were accepted, {rest} not"
    left = sorted(one.name for one in sink.folder.iterdir() if one.name.startswith("."))
    return f"files that are left: {left}" if left else ""
