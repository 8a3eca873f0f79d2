"""The report of the measure, and the matrix of support."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.providers.measure import TypeReport

Types = dict[str, TypeReport]
Reports = dict[tuple[str, str], Types]  # by kind and client

_HEAD = """# Providers, emulated

The servers are emulated on 127.0.0.1: they refuse and hold schemas as the providers document. A model with a document
in mind writes it in the form of the schema that it receives; a hasty model writes prose first, a careless one always.
Each client may ask twice a row. {types} Pydantic types, {rows} rows a kind and client.

- held: the answer was held to the type's schema; rewritten: to another form of the schema; validated: to no schema, so
  that the answer was only checked; refused: no request about the type was accepted.
- accepted: rows for which the client gave a document; invalid: accepted documents that Pydantic refuses.
- right: of the rows of a careful model, the rows that gave the document in mind.
- requests: a row, with refused requests and probes.
"""
_START, _END = "<!-- made by python -m benchmarks.providers -->", "<!-- end -->"


def written(reports: Reports) -> str:
    """The whole report."""
    first = next(iter(reports.values()))
    head = _HEAD.format(types=len(first), rows=sum(one.rows for one in first.values()))
    parts = [head, _table(reports), *(_short(key, types) for key, types in reports.items() if key[1] == "structout")]
    return "\n".join(parts)


def _table(reports: Reports) -> str:
    titles = ["server", "client", "held", "rewritten", "validated", "refused", "rows accepted", "invalid", "right",
              "requests a row"]  # fmt: skip
    return table(titles, [[kind, client, *figures(types)] for (kind, client), types in reports.items()])


def figures(types: Types) -> list[str]:
    """The figures of one client at one kind of server."""
    held = Counter(one.held for one in types.values())
    total: Counter[str] = Counter()
    for one in types.values():
        total.update(
            {name: getattr(one, name) for name in ("rows", "accepted", "invalid", "meant", "right", "requests")}
        )
    return [
        *(str(held[name]) for name in ("held", "rewritten", "validated", "refused")),
        f"{total['accepted']} of {total['rows']}",
        str(total["invalid"]),
        f"{total['right']} of {total['meant']}",
        f"{total['requests'] / total['rows']:.2f}",
    ]


def _short(key: tuple[str, str], types: Types) -> str:
    """The types of which a row that was meant came back otherwise."""
    short = [(name, one) for name, one in types.items() if one.right < one.meant]
    if not short:
        return ""
    rows = [[name, one.held, f"{one.right} of {one.meant}", _cell(one.reason)] for name, one in short]
    return f"\n## {key[0]}, {key[1]}: types that fell short\n\n" + table(["type", "held", "right", "reason"], rows)


def matrix(reports: Reports) -> str:
    """The matrix of support: structout alone."""
    titles = ["server (emulated)", "held", "rewritten", "validated", "refused", "rows accepted", "invalid", "right",
              "requests a row"]  # fmt: skip
    return table(
        titles, [[kind, *figures(types)] for (kind, client), types in reports.items() if client == "structout"]
    )


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def put(path: Path, text: str) -> None:
    """Write the text between the marks of a file."""
    before = path.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(_START)}.*?{re.escape(_END)}", re.DOTALL)
    path.write_text(pattern.sub(lambda _: f"{_START}\n\n{text}\n{_END}", before), encoding="utf-8")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:120]
