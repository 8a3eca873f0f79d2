"""One record before and after: its text, and the values that a strategy made of it."""

from typing import TYPE_CHECKING

from structout import surfaces
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.report import Report
from structout.evaluation.reporting.conclusion import best_of

if TYPE_CHECKING:
    from rich.console import RenderableType

_MARKS = {"right": "right", "missing": "missing"}


def typical(report: Report) -> Outcome | None:
    """The outcome of the most accurate strategy on a record in the middle: half of the records have at least as many
    values right. None without outcomes or labels.
    """
    rows = report.rows() if report.has_labels else []
    if not rows:
        return None
    best = best_of(rows)
    own = report.plain[Arm(best.strategy, best.model, best.setting)]
    by_share = sorted(own, key=lambda one: (one.score.right / max(one.score.leaves, 1), one.key))
    return by_share[len(by_share) // 2]


def one_record(report: Report) -> "RenderableType":
    """The typical record of a report for a terminal: before, and after, with each value compared with its label."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    outcome = typical(report)
    if outcome is None:
        return Text("")
    grid = Table(title=Text(f"after, by {surfaces.line(outcome.arm.label)}: {outcome.status}"), box=None)
    grid.title_justify = "left"
    for head in ("field", "value", "", "label"):
        grid.add_column(Text(head), overflow="fold")
    for leaf in outcome.score.found:
        answer = "" if leaf.verdict == "missing" else surfaces.json_text(leaf.answer)
        label = "" if leaf.verdict == "right" else surfaces.json_text(leaf.expected)
        cells = (leaf.pointer or "(document)", answer, _MARKS.get(leaf.verdict, "wrong"), label)
        grid.add_row(*(Text(surfaces.line(cell)) for cell in cells))
    right = f"{outcome.score.right} of {outcome.score.leaves} values are right"
    before = Text("One record, before:\n").append(f"  {surfaces.line(outcome.text)}\n")
    return Group(before, grid, Text(f"{right}. Half of the records are at least as good.\n"))
