"""`structout status`: the progress and the spending of a run, on one screen."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structout.cli.console import put, put_json, put_table
from structout.cli.options import JsonOption
from structout.errors import JournalError
from structout.surfaces import line

if TYPE_CHECKING:
    from rich.console import RenderableType

_KINDS = {
    "first": "first answers",
    "reask": "re-asks",
    "vote": "further samples",
    "verification": "verification",
    "waste": "cut off or refused",
    "other": "answers of no row: replaced, or not used yet",
    "shared": "shared by several rows",
}


def status(
    journal: Annotated[str, typer.Argument(metavar="JOURNAL", help="The journal of a run: OUTPUT.journal.")],
    as_json: JsonOption = False,
) -> None:
    """Show the progress of a run, its spending by kind and tag, its errors, and the confidence, also while it runs."""
    from structout.pipeline.status import read_status

    found = read_status(journal)
    if as_json:
        put_json(found)
    else:
        try:
            head, shown = screen(found)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            hint = "remove this file: the journal itself keeps everything"
            raise JournalError(f"{journal}.status is damaged: {error}", hint=hint) from error
        for told in head:  # not in the table, which would wrap a long path, and the numbers after it
            put(line(told))
        put_table(lambda _: shown)


def screen(state: dict[str, Any]) -> "tuple[list[str], RenderableType]":
    """A state as `read_status` returns it, for people: the first lines and the tables below."""
    from rich.console import Group
    from rich.text import Text

    known = {name: value for name, value in state.items() if value not in (None, {}, [])}
    versions = [
        [f"{m}: {v}", f"{n:,} answers"] for m, found in known.get("versions", {}).items() for v, n in found.items()
    ]
    confidence = [[f"from {tenth}", f"{n:,}"] for tenth, n in known.get("confidence", {}).items()]
    head = [f"{state['journal']}: {_progress(known)}"]
    if partial := known.get("partial"):
        head.append(f"{state.get('output', 'the output')} is partial: {partial['told']}, as of {partial['time']}")
    parts: list[RenderableType] = []
    for title, rows in (
        ("waits at a provider", [_waiting(one) for one in known.get("waiting", [])]),
        ("status", _counts(known.get("statuses"))),
        ("spent on", _spent(known.get("spending"), "by_kind", _KINDS)),
        ("tag", _spent(known.get("spending"), "by_tag", {})),
        ("issues of rows that were not accepted", _counts(known.get("errors"))),
        ("confidence of accepted rows", confidence),
        ("answers of the rows, by model and version", versions),
    ):
        if rows:
            parts += [Text(""), _table(title, rows)]
    return head, Group(*parts)


def _progress(state: dict[str, Any]) -> str:
    from structout.pipeline.progress import clock, cost_told, tokens_told

    done, total, accepted = state.get("rows", 0), state.get("total"), state.get("accepted", 0)
    judged = accepted + state.get("quarantined", 0)
    left, when, estimated = state.get("remaining_seconds"), state.get("time"), state.get("estimated_tokens", 0)
    is_done = total is not None and done >= total
    parts = [
        "running" if state.get("running") else "done" if is_done else "stopped",
        f"{done:,}{f'/{total:,}' if total is not None else ''} rows",
        *([f"yield {100 * accepted / judged:.1f} %"] if judged else []),
        *([f"{state['rows_per_second']:,.1f} rows/s"] if state.get("running") and state.get("rows_per_second") else []),
        *([f"ETA {clock(left)}"] if state.get("running") and left is not None else []),
        *([tokens_told(state["tokens"], estimated)] if state.get("tokens") else []),
        *([cost_told(state["cost_usd"], estimated)] if state.get("cost_usd") else []),
        *([f"seen {clock(max(0.0, time.time() - when))} ago"] if when is not None else []),
    ]
    return ", ".join(parts)


def _waiting(wave: dict[str, Any]) -> list[str]:
    job = f"job {wave['job']}" if wave["job"] else "job unknown"
    return [wave["model"] or wave["provider"], job, f"{wave['rows']:,} rows", f"since {wave['since']}"]


def _counts(found: dict[str, int] | None) -> list[list[str]]:
    return [[name, f"{count:,}"] for name, count in (found or {}).items()]


def _spent(spending: dict[str, Any] | None, by: str, names: dict[str, str]) -> list[list[str]]:
    from structout.pipeline.progress import cost_told, tokens_told

    rows = ((spending or {}).get(by) or {}).items()
    return [
        [
            names.get(name, name),
            f"{spent['calls']:,} calls",
            tokens_told(spent["tokens"], spent.get("estimated", 0)),
            cost_told(spent["cost"], spent.get("estimated", 0)),
        ]
        for name, spent in rows
    ]


def _table(title: str, rows: list[list[str]]) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column(Text(line(title)))
    for _ in range(max(map(len, rows)) - 1):
        table.add_column("", justify="right")
    for row in rows:
        table.add_row(*(Text(line(cell)) for cell in row))
    return table
