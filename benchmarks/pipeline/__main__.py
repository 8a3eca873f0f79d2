"""The pipeline measured: `python -m benchmarks.pipeline [a] [b] [c] [d] [e] [--rows N] [--million]`.

(a) generated part descriptions through `structout run` with a model that answers at once; (b) the embedded model and a
plain loop over outlines; (c) the same model behind llama.cpp's server; (d) `structout validate` and its peers; (e) one
process and a local Ray. What is measured is kept in results/pipeline.json, and results/pipeline.md is written from it.
"""

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.pipeline import embedded, gate, ray_engine, scale

RESULTS = Path("benchmarks/results")
PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "a": scale.measure,
    "b": embedded.measure,
    "c": embedded.measure_server,
    "d": gate.measure,
    "e": ray_engine.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all by default")
    parser.add_argument("--rows", type=int, default=500, help="rows of (b) and (c)")
    parser.add_argument("--million", action="store_true", help="(a) also with 1,000,000 rows")
    options = parser.parse_args()
    kept = RESULTS / "pipeline.json"
    for part in options.parts or PARTS:
        measured = PARTS[part](options)
        results = json.loads(kept.read_text()) if kept.exists() else {}  # now: another part may be measured meanwhile
        results[part] = {**measured, "machine": f"{platform.machine()}, Python {platform.python_version()}"}
        kept.write_text(json.dumps(results, indent=1) + "\n")
        (RESULTS / "pipeline.md").write_text(report(results))
        print(section(part, results[part]))


def report(results: dict[str, Any]) -> str:
    """All tables."""
    head = "# The pipeline\n\nMade by `python -m benchmarks.pipeline`; see there what is measured.\n"
    return "\n".join([head, *(section(part, results[part]) for part in PARTS if part in results)])


def section(part: str, result: dict[str, Any]) -> str:
    """One table with what is to be said of it."""
    rows: list[dict[str, Any]] = result["rows"]
    heads = list(rows[0])
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *([str(row[head]) for head in heads] for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## ({part}) {result['title']}\n\n{table}\n\n{result['note']} ({result['machine']})\n"


if __name__ == "__main__":
    main()
