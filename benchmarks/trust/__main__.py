"""`python -m benchmarks.trust [quick|full] [PROMISE ...]` tries to break the promises, and writes results/trust.md.

quick: a small number of cases of each trial, always the same ones, within 90 seconds. full: so many cases that it takes
hours. What was tried is kept in a folder (`--folder`) with the state of the code, and a trial that is there with as
many cases or more is not made again: the same command resumes. `--also` takes what was tried in other states of the
code; the page names the state of each trial. `--share` makes a part of the cases of full, and `--only` the trials whose
names hold a text. It exits with 1 if a promise was broken.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path

from benchmarks.trust.promises import PROMISES
from benchmarks.trust.report import Line, report
from benchmarks.trust.trial import Promise, Trial, Tried

RESULTS = Path(__file__).parent.parent / "results" / "trust.md"


@dataclass(frozen=True)
class Kept:
    """The folder that keeps what was tried in this state of the code, and in those that count `also`."""

    folder: Path
    state: str
    also: tuple[str, ...] = ()

    def _file(self, trial: Trial, count: int | str, seed: int, state: str) -> Path:
        name = hashlib.sha256(f"{trial.what} {seed} {state}".encode()).hexdigest()[:16]
        return self.folder / f"{name}-{count}.json"

    def found(self, trial: Trial, count: int, seed: int) -> Line | None:
        """What a trial of so many cases or more came to before, the largest of them; None if there was none."""
        counts = {
            int(file.stem.partition("-")[2]): (file, state)
            for state in (*self.also, self.state)
            for file in self.folder.glob(self._file(trial, "*", seed, state).name)
        }
        if max(counts, default=0) < count:
            return None
        file, state = counts[max(counts)]
        kept = json.loads(file.read_text(encoding="utf-8"))
        tried = kept["tried"]
        found = Tried(tried["times"], tuple(tried["broken"]), tuple(tried["table"]), tried["missing"])
        return Line(trial.what, found, kept["seconds"], state)

    def keep(self, trial: Trial, count: int, seed: int, line: Line) -> None:
        """Keep what a trial came to."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"what": trial.what, "seconds": line.seconds, "tried": asdict(line.tried)}, indent=1)
        self._file(trial, count, seed, self.state).write_text(text, encoding="utf-8")


def state() -> str:
    """The commit that is tried, with a + if the code differs from it."""
    code = ["structout", "benchmarks/trust"]
    commit = subprocess.check_output(["git", "log", "-1", "--format=%h", "--", *code], text=True).strip()
    changed = subprocess.check_output(["git", "status", "--porcelain", *code], text=True)
    return commit + "+" * bool(changed.strip())


def lines(promise: Promise, size: str, share: float, seed: int, only: str, kept: Kept) -> Iterator[Line]:
    """What each trial of a promise comes to."""
    for trial in promise.trials:
        count = trial.quick if size == "quick" else max(trial.quick, ceil(trial.full * share))
        if not count or only not in trial.what:
            continue
        line = kept.found(trial, count, seed)
        if line is None:
            began = time.monotonic()
            tried = trial.attempt(count, seed)
            line = Line(trial.what, tried, time.monotonic() - began, kept.state)
            if not tried.missing:
                kept.keep(trial, count, seed, line)
        told = line.tried.missing or f"{line.tried.times:,} times, {len(line.tried.broken)} broken"
        print(f"{promise.name}: {trial.what}: {told} ({line.seconds:.0f} s)", flush=True)
        for one in line.tried.broken:
            print(f"  {one}", flush=True)
        yield line


def main() -> None:
    """Run, write the report, and exit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=__doc__)
    parser.add_argument("size", nargs="?", choices=["quick", "full"], default="quick")
    parser.add_argument("promises", nargs="*", choices=[[], *PROMISES], help="all by default")
    parser.add_argument("--folder", type=Path, default=Path(".trust"), help="keeps what was tried")
    parser.add_argument("--also", nargs="+", default=[], metavar="STATE", help="other states whose trials count")
    parser.add_argument("--share", type=float, default=1.0, help="the share of the cases of full")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a text in the names of the trials")
    parser.add_argument("--write", action="store_true", help="write results/trust.md; full always does")
    options = parser.parse_args()
    kept = Kept(options.folder, state(), tuple(options.also))
    found = {
        name: list(lines(PROMISES[name], options.size, options.share, options.seed, options.only, kept))
        for name in options.promises or PROMISES
    }
    if options.write or options.size == "full":
        text = report(found, f"{options.size}, a share of {options.share:g} or more, seed {options.seed}")
        RESULTS.write_text(text, encoding="utf-8")
    sys.exit(1 if any(line.tried.broken for some in found.values() for line in some) else 0)


if __name__ == "__main__":
    main()
