"""Does `Windowed` find every row once? `python -m benchmarks.long` (a few minutes of one core).

A scripted reader reads each window without an error (`documents.read`). It knows no row whose column titles it does not
see. So every row that is missing or found twice is a fault of the cutting or the merging. Results go to
results/long.md.
"""

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.long import report
from benchmarks.long.documents import KINDS, SCHEMA, Kind, document, read
from structout import Prompt, Prompted, Schema, Scripted, Task
from structout.strategies import Windowed

LINES = (27, 100, 500, 2205)
WINDOWS = (60, 150, 400, 1000, 3000)
SHARES = (0.0, 0.1, 0.25, 0.5)  # overlaps, of a window
HEAD = """## Windows

`python -m benchmarks.long`: a scripted reader reads each window without an error, so each row that is missing or found
twice is a fault of the cutting or the merging. It skips rows whose column titles it does not see. Tokens are counted as
four characters each. 3 % of the rows are equal to the row before them. "Exact" counts documents whose whole record is
right and accepted.

"""


def perfect(prompt: Prompt) -> str:
    """The answer of a reader without errors."""
    found = re.fullmatch(r"<(record(?:-\d+)?)>\n(.*)\n</\1>", prompt.messages[-1].content, re.DOTALL)
    return json.dumps(read(found[2] if found else ""))


def measured(kinds: Sequence[Kind], lines: int, window: int, overlap: int, seeds: int) -> Iterator[tuple[str, Any]]:
    """For each document: its kind, and the counts of its rows."""
    schema = Schema.of(SCHEMA)
    for kind in kinds:
        for seed in range(seeds):
            made = document(kind, lines, seed)
            model = Scripted(perfect, keep=False)
            (result,) = Windowed(Prompted(), window, overlap).run([Task(made.text, schema)], model)
            found: Any = result.document or {"lines": []}
            wanted = Counter(json.dumps(one) for one in made.truth["lines"])
            got = Counter(json.dumps(one) for one in found["lines"])
            yield (
                kind,
                {
                    "rows": lines,
                    "found": sum((wanted & got).values()),
                    "extra": sum((got - wanted).values()),
                    "exact": result.ok and result.document == made.truth,
                    "windows": len(result.attempts),
                },
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="documents of each kind and length")
    parser.add_argument("--lines", type=int, nargs="+", default=LINES)
    args = parser.parse_args()
    table = [
        "| lines | window | overlap | windows a document | rows | found | missing | doubled or wrong | exact |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    began, all_rows, all_found, all_extra = time.monotonic(), 0, 0, 0
    for lines in args.lines:
        for window in WINDOWS:
            for overlap in dict.fromkeys(int(window * share) for share in SHARES):
                made = [one for _, one in measured(KINDS, lines, window, overlap, args.seeds)]
                rows, found, extra, windows, exact = (
                    sum(one[name] for one in made) for name in ("rows", "found", "extra", "windows", "exact")
                )
                all_rows, all_found, all_extra = all_rows + rows, all_found + found, all_extra + extra
                table.append(
                    f"| {lines:,} | {window:,} | {overlap:,} | {windows / len(made):.1f} | {rows:,} "
                    f"| {100 * found / rows:.2f} % | {rows - found} | {extra} | {exact}/{len(made)} |"
                )
                print(table[-1], flush=True)
    summary = (
        f"In all: {all_rows:,} rows, {all_rows - all_found} missing, {all_extra} doubled or wrong. Kinds: "
        f"{', '.join(KINDS)}; {args.seeds} documents of each kind and length.\n"
    )
    print(summary, f"{time.monotonic() - began:.0f} s")
    report.write("windows", HEAD + "\n".join(table) + f"\n\n{summary}")


if __name__ == "__main__":
    main()
