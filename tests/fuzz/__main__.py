"""The fuzzer, for as long as is wanted: `python -m tests.fuzz --seconds 3600 --seed 1`. Exit code 1: it found some."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.fuzz.search import Finding, search
from tests.fuzz.targets import NAMES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long to try")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the same seed makes the same tries")
    parser.add_argument("--targets", nargs="+", choices=NAMES, default=NAMES, help="what to try")
    parser.add_argument("--findings", type=Path, default=Path("findings"), help="the folder for what is found")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="tries at a time")
    parser.add_argument("--replay", type=Path, nargs="+", default=[], help="TARGET/NAME.json or TARGET/SEED-NUMBER")
    asked = parser.parse_args()
    known: Counter[tuple[str, str]] = Counter()
    columns = (TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(f"seed {asked.seed}", total=asked.seconds)
        began, tries = time.monotonic(), 0
        for done, finding in search(asked.targets, asked.seed, asked.seconds, asked.jobs, asked.replay):
            tries += done
            if finding is not None:
                known[finding.target, finding.reason] += 1
                if known[finding.target, finding.reason] == 1:
                    progress.console.print(f"{finding.target}: {finding.reason}: {_write(finding, asked.findings)}")
            told = f"seed {asked.seed}: {tries:,} tries, {len(known)} findings"
            progress.update(bar, completed=time.monotonic() - began, description=told)
    for (target, reason), count in sorted(known.items()):
        print(f"{count:6} x {target}: {reason}")
    print(f"{tries:,} tries, {len(known)} findings", file=sys.stderr)
    return 1 if known else 0


def _write(finding: Finding, folder: Path) -> Path:
    file = folder / finding.target / f"{finding.origin}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"reason": finding.reason, "case": finding.case}, indent=1) + "\n", encoding="utf-8")
    return file


if __name__ == "__main__":
    sys.exit(main())
