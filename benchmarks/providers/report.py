"""The report of the measure, and the matrix of support."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.providers.measure import TypeReport

Types = dict[str, TypeReport]
Reports = dict[tuple[str, str], Types]  # by kind and client

_HEAD = """# Providers, emulated

The servers are emulated on 127.0.0.1: they refuse and hold schemas as the providers are known to. A model with a
document in mind writes it in the form of the schema that it receives; a hasty model writes prose first, a careless one
always.
Each client may ask twice a row. pydantic-ai's agent asks by tools (its default), by native output, and by native
output with `strict=True`. instructor asks by tools (its default), with `strict=False`; a type that it refuses is the
field of a model. {types} Pydantic types, {rows} rows a kind and client. The clients: {clients}.

- held: the answer was held to the type's schema; rewritten: to another form of the schema; validated: to no schema, so
  that the answer was only checked; refused: no request about the type was accepted.
- stated: where the requests state the schema: in the field for the format of answers, as a tool, or nowhere.
- accepted: rows for which the client gave a document; invalid: accepted documents that Pydantic refuses.
- right: of the rows of a careful model, the rows that gave the document in mind.
- requests: a row, with refused requests and probes.
"""
_FIGURES = ["held", "rewritten", "validated", "refused", "stated", "rows accepted", "invalid", "right",
            "requests a row"]  # fmt: skip
_START, _END = "<!-- made by python -m benchmarks.providers -->", "<!-- end -->"


def written(reports: Reports, clients: str) -> str:
    """The whole report; `clients` names their versions."""
    first = next(iter(reports.values()))
    head = _HEAD.format(types=len(first), rows=sum(one.rows for one in first.values()), clients=clients)
    rows = [[kind, client, *figures(types)] for (kind, client), types in reports.items()]
    return "\n".join([head, table(["server", "client", *_FIGURES], rows), _short(reports)])


def figures(types: Types) -> list[str]:
    """The figures of one client at one kind of server."""
    held = Counter(one.held for one in types.values())
    ways = Counter(one.way for one in types.values() if one.held != "refused")
    total: Counter[str] = Counter()
    for one in types.values():
        total.update(
            {name: getattr(one, name) for name in ("rows", "accepted", "invalid", "meant", "right", "requests")}
        )
    return [
        *(str(held[name]) for name in ("held", "rewritten", "validated", "refused")),
        ", ".join(f"{way} {number}" for way, number in ways.most_common()),
        f"{total['accepted']} of {total['rows']}",
        str(total["invalid"]),
        f"{total['right']} of {total['meant']}",
        f"{total['requests'] / total['rows']:.2f}",
    ]


def _short(reports: Reports) -> str:
    """The types of which a document that a careful model had in mind did not come back."""
    rows = []
    for (kind, client), types in reports.items():
        found = {name: one for name, one in types.items() if one.right < one.meant}
        reason = next((one.reason for one in found.values() if one.reason), "")
        if found:
            rows.append(
                [kind, client, str(len(found)), ", ".join([*found][:12] + ["..."] * (len(found) > 12)), _cell(reason)]
            )
    return "## Types that fell short\n\n" + table(["server", "client", "types", "which", "the first reason"], rows)


def matrix(reports: Reports) -> str:
    """The matrix of support: structout alone, by kind of server and by type."""
    ours = {kind: types for (kind, client), types in reports.items() if client == "structout"}
    by_kind = table(["server (emulated)", *_FIGURES], [[kind, *figures(types)] for kind, types in ours.items()])
    names = list(next(iter(ours.values())))
    by_type = table(["type", *ours], [[name, *(types[name].held for types in ours.values())] for name in names])
    return f"{by_kind}\n## By type (emulated)\n\n{by_type}"


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
