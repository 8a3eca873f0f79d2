"""The report's numbers as tables for a terminal and in Markdown."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from structout import surfaces
from structout.evaluation.amounts import amount
from structout.evaluation.constant import CONSTANT
from structout.evaluation.metrics import RATES
from structout.evaluation.stats.rates import CONFIDENCE, Rate

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

    from structout.evaluation.metrics import Cost
    from structout.evaluation.outcome import Arm
    from structout.evaluation.report import Report, ReportRow

_CAPTION = (
    "Rates with 95 % Wilson intervals. Compliance counts answers that comply strictly as produced; yield counts "
    "accepted documents. Calls, tokens and seconds are per record and include every attempt. s / correct: seconds per "
    "record that is right in every leaf."
)
_OF_CONSTANT = (
    "The constant answer reads no text: it gives the most frequent label of the other records (for value accuracy, the "
    "most frequent value of each field)."
)
_FEW = 6  # pairs in a terminal
# Columns that a narrow table leaves out, the first one first, until it fits. What labels say stays.
_LEFT_OUT = ("parse", "calls", "s / correct", "price / correct", "tokens", "yield", "seconds", "compliance")
_GAP, _WIDE_GAP = 1, 2


def table(report: "Report", width: int) -> "Group":
    """A table for a terminal of `width` columns, with a part for each model if there are several. A narrow table
    numbers the strategies, adds a legend, and leaves out columns until it fits.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    heads, *lines = cells(report)
    models = [line.pop(1) for line in lines] if heads[1] == "model" else [""] * len(lines)
    models = [models[place - 1] if line[0] == CONSTANT else models[place] for place, line in enumerate(lines)]
    heads = [head.replace("-", "-\n", 1).replace(" ", "\n", 1) for head in heads if head != "model"]
    names = list(dict.fromkeys(line[0] for line in lines))
    widths = [max(len(part) for line in (heads, *lines) for part in line[i].split("\n")) for i in range(len(heads))]
    kept = list(range(len(heads)))
    narrow = sum(widths) + _WIDE_GAP * len(kept) > width
    if narrow:
        widths[0], heads[0] = len(str(len(names))), "#"
        for name in (*_LEFT_OUT, *reversed(heads[len(RATES) + 1 :])):
            if sum(widths[i] for i in kept) + _GAP * len(kept) > width:
                kept = [i for i in kept if heads[i].replace("\n", " ") != name.replace("\n", " ")]
    parts: list[RenderableType] = [Text(surfaces.line(report.title))]
    for model in dict.fromkeys(models):
        grid = Table(box=None, padding=(0, _GAP if narrow else _WIDE_GAP, 0, 0), title_justify="left")
        grid.title = Text(f"\n{model}") if model else None
        for i in kept:
            grid.add_column(
                Text(heads[i]), justify="right" if i else "left", min_width=widths[i], no_wrap=i > 0, overflow="fold"
            )
        for line in (line for line, of in zip(lines, models, strict=True) if of == model):
            first = str(names.index(line[0]) + 1) if narrow else line[0]
            grid.add_row(*(Text(line[i] if i else first) for i in kept))
        parts.append(grid)
    legend = [f"{number}  {name}" for number, name in enumerate(names, 1)] if narrow else []
    hidden = [head.replace("\n", " ") for i, head in enumerate(heads) if i not in kept]
    left_out = f" Left out at this width: {', '.join(hidden)}." if hidden else ""
    of_constant = f" {_OF_CONSTANT}" if report.constant is not None else ""
    return Group(
        *parts, "", *map(Text, legend), Text(f"{_CAPTION}{of_constant}{left_out}", style="dim"), *_more(report)
    )


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
    rows, constant = report.rows(), report.constant
    models = len({row.model for row in rows}) > 1
    priced = any(row.cost.price is not None for row in rows)
    names = list(map(surfaces.line, rows[0].rates)) if rows else []
    costs = ["calls", "tokens", "seconds", "s / correct", *(["price", "price / correct"] if priced else [])]
    yield ["strategy", *(["model"] if models else []), *names, *costs]
    for row in rows:
        c = row.cost
        most = "≤ " if c.estimated else ""
        numbers = [_calls(c), f"{most}{c.tokens:.0f}", f"{c.seconds:.2f}"]
        numbers.append("–" if c.seconds_per_correct is None else f"{c.seconds_per_correct:.1f}")
        if priced:
            prices = (c.price, c.price_per_correct)
            numbers += ["–" if one is None else most + amount(one, "price") for one in prices]
        shown = map(surfaces.line, [row.label, *([row.model] if models else [])])
        yield [*shown, *map(percent, row.rates.values()), *numbers]
    if constant is not None:
        rates = [percent(constant.rates[name]) if name in constant.rates else "–" for name in rows[0].rates]
        yield [CONSTANT, *(["no model"] if models else []), *rates, *["–"] * len(costs)]


def percent(rate: Rate) -> str:
    """A rate with its interval on a second line; a dash for the rate of no record, which says nothing."""
    return "–" if not rate.n else f"{100 * rate.value:.0f} %\n{100 * rate.low:.0f}–{100 * rate.high:.0f}"


def signed(value: float) -> str:
    """A difference in percentage points."""
    return f"{100 * value:+.0f}"


def _of_pairs(count: int, ps: Sequence[float]) -> str:
    """What the p-values and the intervals of pairs are for; "" for a single pair, which needs no correction."""
    if count == 1:
        return ""
    none = f"No pair is shown to differ after the correction for {count} pairs. " * (min(ps) > 1 - CONFIDENCE)
    alone = "An interval is for its pair alone, so it may leave out 0 although p is above 0.05."
    return f"{none}p is corrected for all {count} pairs. {alone}"


def _calls(cost: "Cost") -> str:
    """The calls per record; the calls of verifiers are shown as a second number."""
    return f"{cost.calls - cost.checks:.2f} + {cost.checks:.2f}" if cost.checks else f"{cost.calls:.2f}"


def _more(report: "Report") -> "Iterator[RenderableType]":
    """Further tables: pairs that differ, repeats, perturbations. Long names wrap, numbers do not."""
    from rich.table import Table
    from rich.text import Text

    def grid(title: str, *heads: str) -> Table:
        made = Table(title=Text(title), box=None, padding=(0, 2, 0, 0), title_justify="left")
        for i, head in enumerate(heads):
            made.add_column(Text(head), justify="right" if i else "left", no_wrap=i > 0, overflow="fold")
        return made

    def add(table: Table, *cells: str) -> None:
        table.add_row(*(Text(surfaces.line(cell)) for cell in cells))

    several = len({row.model for row in report.rows()}) > 1

    def name(arm: "Arm | ReportRow") -> str:
        return f"{arm.label} on {arm.model}" if several else arm.label

    every = report.pairs()
    # Where every accepted record that is not right is wrong, one table says all.
    others = [
        pair for pair in every if (pair.wrong.won, pair.wrong.lost) != (pair.difference.lost, pair.difference.won)
    ]
    for metric, compared in (
        ("Record accuracy", [(pair, pair.difference, pair.p) for pair in every]),
        ("Wrong-but-valid", [(pair, pair.wrong, pair.p_wrong) for pair in others]),
    ):
        shown = sorted((one for one in compared if one[1].p <= 1 - CONFIDENCE), key=lambda one: one[2])
        if compared and not shown:
            yield Text(f"\n{metric}: no two strategies are shown to differ on the same records.")
        if shown:
            heads = ("", "points", "95 %", "more", "fewer", "p (Holm)")
            drawn = grid(f"\n{metric}, pairs on the same records", *heads)
            for pair, d, p in shown[:_FEW]:
                between = f"{signed(d.low)} to {signed(d.high)}"
                names = f"{name(pair.one)} over {name(pair.other)}"
                add(drawn, names, signed(d.value), between, str(d.won), str(d.lost), f"{p:.3f}")
            yield drawn
            yield Text(_of_pairs(len(every), [p for _, _, p in compared]), style="dim")
    repeated: list[tuple[str, dict[str, Any]]] = [(name(row), row.more) for row in report.rows() if len(row.more) > 1]
    if repeated:
        names_of = list(dict.fromkeys(name for _, more in repeated for name in more))
        found = grid("\nFurther rates", "", *names_of)
        for label, more in repeated:
            add(found, label, *(percent(more[name]).replace("\n", " ") if name in more else "–" for name in names_of))
        yield found
    perturbed = report.perturbed()
    if perturbed:
        found = grid("\nPerturbed against unchanged records", "", "perturbation", "n", "points", "95 %", "flips")
        for one in perturbed:
            d = one.change
            between = f"{signed(d.low)} to {signed(d.high)}"
            flips = percent(one.flips).replace("\n", " ")
            add(found, name(one.arm), one.arm.perturbation, str(d.n), signed(d.value), between, flips)
        yield found
