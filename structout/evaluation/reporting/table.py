"""The report's numbers as tables for a terminal and in Markdown."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from structout import surfaces
from structout.evaluation.stats.rates import CONFIDENCE, Rate

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

    from structout.evaluation.metrics import Cost
    from structout.evaluation.report import Report

_CAPTION = (
    "Rates with 95 % Wilson intervals. Compliance counts answers that comply strictly as produced; yield counts "
    "accepted documents. Calls, tokens and seconds are per record and include every attempt. s / correct: seconds per "
    "record that is right in every leaf."
)
_FEW = 6  # pairs in a terminal
_LEFT_OUT = ("parse", "calls")  # of a narrow table


def table(report: "Report", width: int) -> "Group":
    """A table for a terminal of `width` columns; a narrow table numbers the strategies and adds a legend."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    heads, *lines = cells(report)
    names = [line[0] for line in lines]
    narrow = width < 88 + max(map(len, names), default=0)
    shown = [i for i, head in enumerate(heads) if not (narrow and head in _LEFT_OUT)]
    grid = Table(
        title=Text(surfaces.line(report.title)), box=None, padding=(0, 1 if narrow else 2, 0, 0), title_justify="left"
    )
    for i in shown:
        head = heads[i].replace("-", "-\n", 1).replace(" ", "\n", 1)
        grid.add_column(Text("#" if narrow and i == 0 else head), justify="right" if i else "left")
    for number, line in enumerate(lines, 1):
        grid.add_row(*(Text(str(number) if narrow and i == 0 else line[i]) for i in shown))
    legend = [f"{number}  {name}" for number, name in enumerate(names, 1)] if narrow else []
    return Group(grid, "", *map(Text, legend), Text(_CAPTION, style="dim"), *_more(report))


def markdown(report: "Report") -> str:
    """The headline table in Markdown."""
    heads, *lines = cells(report)
    rule = ["---", *["---:"] * (len(heads) - 1)]
    table = [[surfaces.markdown(cell.replace("\n", " ")) for cell in line] for line in (heads, *lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (table[0], rule, *table[1:]))


def cells(report: "Report") -> Iterator[list[str]]:
    """The headline table as text: the heads, then the cells of each row.

    A rate has its interval on a second line. Names are safe to show in a terminal.
    """
    rows = report.rows()
    models = len({row.model for row in rows}) > 1
    priced = any(row.cost.price is not None for row in rows)
    names = list(map(surfaces.line, rows[0].rates)) if rows else []
    costs = ["calls", "tokens", "seconds", "s / correct", *(["price", "price / correct"] if priced else [])]
    yield ["strategy", *(["model"] if models else []), *names, *costs]
    for row in rows:
        c = row.cost
        most = "≤ " if c.estimated else ""
        numbers = [_calls(c), f"{most}{c.tokens:.0f}", f"{c.seconds:.2f}", _or_dash(c.seconds_per_correct, ".1f")]
        if priced:
            numbers += [_or_dash(one, ".2g", most) for one in (c.price, c.price_per_correct)]
        shown = map(surfaces.line, [row.label, *([row.model] if models else [])])
        yield [*shown, *map(percent, row.rates.values()), *numbers]


def percent(rate: Rate) -> str:
    """A rate with its interval on a second line."""
    return f"{100 * rate.value:.0f} %\n{100 * rate.low:.0f}–{100 * rate.high:.0f}"


def signed(value: float) -> str:
    """A difference in percentage points."""
    return f"{100 * value:+.0f}"


def _calls(cost: "Cost") -> str:
    """The calls per record; the calls of verifiers are shown as a second number."""
    return f"{cost.calls - cost.checks:.2f} + {cost.checks:.2f}" if cost.checks else f"{cost.calls:.2f}"


def _or_dash(value: float | None, form: str, before: str = "") -> str:
    return "–" if value is None else before + format(value, form)


def _more(report: "Report") -> "Iterator[RenderableType]":
    """Further tables: pairs that differ, repeats, perturbations."""
    from rich.table import Table
    from rich.text import Text

    def grid(title: str, *heads: str) -> Table:
        made = Table(title=Text(title), box=None, padding=(0, 2, 0, 0), title_justify="left")
        for i, head in enumerate(heads):
            made.add_column(Text(head), justify="right" if i else "left")
        return made

    def add(table: Table, *cells: str) -> None:
        table.add_row(*(Text(surfaces.line(cell)) for cell in cells))

    every = report.pairs()
    pairs = sorted((pair for pair in every if pair.difference.p <= 1 - CONFIDENCE), key=lambda p: p.p)
    if every and not pairs:
        yield Text("\nRecord accuracy: no strategy is shown to do better than another one on the same records.")
    if pairs:
        found = grid("\nRecord accuracy, pairs on the same records", "", "points", "95 %", "won", "lost", "p (Holm)")
        for pair in pairs[:_FEW]:
            d = pair.difference
            between = f"{signed(d.low)} to {signed(d.high)}"
            names = f"{pair.one.label} over {pair.other.label}"
            add(found, names, signed(d.value), between, str(d.won), str(d.lost), f"{pair.p:.3f}")
        yield found
    repeated: list[tuple[str, dict[str, Any]]] = [(row.label, row.more) for row in report.rows() if len(row.more) > 1]
    if repeated:
        names_of = list(repeated[0][1])
        found = grid("\nFurther rates", "", *names_of)
        for label, more in repeated:
            add(found, label, *(percent(more[name]).replace("\n", " ") for name in names_of if name in more))
        yield found
    perturbed = report.perturbed()
    if perturbed:
        found = grid("\nPerturbed against unchanged records", "", "perturbation", "n", "points", "95 %", "flips")
        for one in perturbed:
            d = one.change
            between = f"{signed(d.low)} to {signed(d.high)}"
            flips = percent(one.flips).replace("\n", " ")
            add(found, one.arm.label, one.arm.perturbation, str(d.n), signed(d.value), between, flips)
        yield found
