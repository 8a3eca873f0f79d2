"""The pipeline measured: `python -m benchmarks.pipeline [a] [b] ... [j]`, all parts by default.

(a) generated part descriptions through `structout run` with a model that answers at once: speed, memory, journal, and
the start of a resumed run (`--counts`); (b) the embedded model and a plain loop over outlines (`--rows`); (c) the same
model behind llama.cpp's server; (d) `structout validate` and its peers; (e) one process and a local Ray with two
workers; (f) a server that answers after two seconds, with 256 requests in flight; (g) PostgreSQL in and out, (h) a wide
folder of Parquet, (i) an object store (`--place-rows`); (j) runs that are killed (`--sinks`, `--models`, `--kills`).

What is measured is kept in results/pipeline.json with the state of the code, and results/pipeline.md is written from
it. Rows of (a) and (j) that are measured one after the other in the same state of the code stay together, so that each
call fits in minutes. A part whose service is missing says so.
"""

import argparse
import json
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.pipeline import behind_server, embedded, gate, kills, places, ray_engine, scale
from benchmarks.pipeline.command import MissingServiceError

RESULTS = Path("benchmarks/results")
PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "a": scale.measure,
    "b": embedded.measure,
    "c": embedded.measure_server,
    "d": gate.measure,
    "e": ray_engine.measure,
    "f": behind_server.measure,
    "g": places.measure_postgres,
    "h": places.measure_folder,
    "i": places.measure_store,
    "j": kills.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all by default")
    parser.add_argument("--counts", nargs="+", type=int, default=[1_000, scale.ROWS], help="rows of (a), each a run")
    parser.add_argument("--rows", type=int, default=500, help="rows of (b) and (c)")
    parser.add_argument("--server-rows", type=int, default=behind_server.ROWS, help="rows of (f)")
    parser.add_argument("--place-rows", type=int, default=80_000, help="rows of (g), (h) and (i)")
    parser.add_argument("--sinks", nargs="+", choices=kills.SINKS, default=kills.SINKS, help="sinks of (j)")
    parser.add_argument("--models", nargs="+", choices=kills.MODELS, default=["scripted"], help="models of (j)")
    parser.add_argument("--kills", type=int, default=50, help="kills for each sink and model of (j)")
    options = parser.parse_args()
    kept = RESULTS / "pipeline.json"
    for part in options.parts or PARTS:
        try:
            measured = PARTS[part](options)
        except MissingServiceError as reason:
            print(f"({part}) is not measured: {reason}")
            measured = {"title": "Not measured", "rows": [], "note": f"{reason}."}
        results = json.loads(kept.read_text()) if kept.exists() else {}  # now: another part may be measured meanwhile
        results[part] = _together(results.get(part, {}), {**measured, "machine": _machine(), "state": _state()})
        kept.write_text(json.dumps(results, indent=1) + "\n")
        (RESULTS / "pipeline.md").write_text(report(results))
        print(section(part, results[part]))


def _machine() -> str:
    return f"{platform.machine()}, Python {platform.python_version()}"


def _state() -> str:
    """The commit that is measured, with a + if the code differs from it."""
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True).strip()
    changed = subprocess.check_output(["git", "status", "--porcelain", "structout", "benchmarks/pipeline"], text=True)
    return commit + "+" * bool(changed.strip())


def _together(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What was measured now, with the other rows that were measured before in the same state of the code."""
    if before.get("state") != now["state"] or before.get("machine") != now["machine"] or "by" not in now:
        return now

    def name(row: dict[str, Any]) -> list[Any]:
        return [row[one] for one in now["by"]]

    new = {json.dumps(name(row)): row for row in now["rows"]}
    return {**now, "rows": [*(row for row in before["rows"] if json.dumps(name(row)) not in new), *now["rows"]]}


def report(results: dict[str, Any]) -> str:
    """All tables."""
    head = "# The pipeline\n\nMade by `python -m benchmarks.pipeline`; see there what is measured.\n"
    return "\n".join([head, *(section(part, results[part]) for part in PARTS if part in results)])


def section(part: str, result: dict[str, Any]) -> str:
    """One table with what is to be said of it."""
    rows: list[dict[str, Any]] = result["rows"]
    heads = list(rows[0]) if rows else []
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *([str(row[head]) for head in heads] for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n" if rows else ""
    where = ", ".join(filter(None, [result["machine"], result.get("state", "")]))
    return f"## ({part}) {result['title']}\n\n{table}{result['note']} ({where})\n"


if __name__ == "__main__":
    main()
