"""What becomes of 75 Pydantic types at each kind of server, with structout and with its peers.

    python -m benchmarks.providers [--kinds A,B] [--clients A,B] [--out DIR] [--json FILE]

The servers are emulated on 127.0.0.1 (see `benchmarks.emulated`), so the figures speak of schemas, not of models.
Results go to benchmarks/results/providers.md, and into the matrix of docs/support.md; FILE takes every type's figures.
"""

import argparse
import json
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.providers.clients import CLIENTS
from benchmarks.providers.kinds import KINDS
from benchmarks.providers.measure import measured
from benchmarks.providers.report import Reports, Types, matrix, put, written

_RESULTS = Path("benchmarks/results")
_SUPPORT = Path("docs/support.md")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", help="the first letters of kinds, separated by commas")
    parser.add_argument("--clients", help="the names of clients, separated by commas")
    parser.add_argument("--out", type=Path, default=_RESULTS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    starts = tuple(options.kinds.split(",")) if options.kinds else ("",)
    clients = options.clients.split(",") if options.clients else CLIENTS
    reports: Reports = {}
    for kind in (kind for kind in KINDS if kind.name.startswith(starts)):
        for client in clients:
            try:
                reports[kind.name, client] = measured(client, kind)
            except ImportError as error:
                print(f"{client} is not installed: {error}", file=sys.stderr)
                continue
            print(f"{kind.name}, {client}: {summary(reports[kind.name, client])}", flush=True)
    if not reports:
        parser.exit(1, "nothing was measured\n")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "providers.md").write_text(written(reports, _versions()), encoding="utf-8")
    known = [[*key, {name: asdict(one) for name, one in types.items()}] for key, types in reports.items()]
    if options.json:
        options.json.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    if not options.kinds and not options.clients and options.out == _RESULTS:
        put(_SUPPORT, matrix(reports))


def _versions() -> str:
    found = []
    for name in ("structout", "pydantic-ai-slim", "instructor"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} (not installed)")
    return ", ".join(found)


def summary(types: Types) -> str:
    """One line about one client at one kind of server."""
    rows = sum(one.rows for one in types.values())
    return f"{sum(one.accepted for one in types.values())} of {rows} rows accepted"


if __name__ == "__main__":
    main()
