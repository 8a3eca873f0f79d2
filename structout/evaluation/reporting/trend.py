"""The history of runs: as a table, and as figures of their trend."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from structout import pages
from structout.errors import OutputError
from structout.evaluation.history import HEADLINE, PastArm
from structout.evaluation.reporting.figures import ready
from structout.evaluation.reporting.style import styled
from structout.surfaces import drawn, html, line

_HEADS = ("date", "structout", "data set", "arm", "model", "records")
_NOTE = (
    "Each figure runs from 0 to 100 %, the oldest run first; its band is the 95 % interval. An arrow points up or down "
    "only if the last two intervals do not overlap."
)
_ARROWS = {1: "↑", 0: "→", -1: "↓"}


def table(found: Sequence[PastArm]) -> RenderableType:
    """All arms of all runs, the oldest first. An arrow compares a rate with the same arm's last run.

    It points up or down only if the intervals of the two rates do not overlap.
    """
    shown = Table(box=None, pad_edge=False)
    for name in (*_HEADS, *HEADLINE):
        shown.add_column(Text(line(name)))
    for cells in _rows(found):
        shown.add_row(*(Text(line(cell)) for cell in cells))
    return shown


def _rows(found: Sequence[PastArm]) -> Iterator[list[str]]:
    last: dict[tuple[str, str, str], PastArm] = {}
    for one in found:
        place = (one.dataset, one.arm, one.model)
        rates = [_rate(one, last.get(place), name) for name in HEADLINE]
        yield [one.date[:16].replace("T", " "), one.structout, one.dataset, one.arm, one.model, str(one.n), *rates]
        last[place] = one


def _rate(one: PastArm, before: PastArm | None, name: str) -> str:
    value, low, high = one.rates[name]
    if before is None:
        return f"{100 * value:.0f} %"
    _, least, most = before.rates[name]
    return f"{100 * value:.0f} % {_ARROWS[(low > most) - (high < least)]}"


def write(found: Sequence[PastArm], path: Path) -> None:
    """Write the trends and the table as one self-contained HTML file. Raises `OutputError`."""
    title = "Runs of structout bench"
    every = pages.table((*_HEADS, *HEADLINE), _rows(found), "all runs")
    body = f"{trends(found, path.parent)}<h2>All runs</h2>\n{every}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages.page(title, pages.Html(body)), encoding="utf-8", newline="\n", errors="backslashreplace")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}", hint="name another file with --html") from error


def trends(found: Sequence[PastArm], folder: Path) -> pages.Html:
    """For each data set a table with a line for each arm: its latest rates, and how they moved from run to run.

    The last run links to its report, by its place as seen from `folder`, if the report stands beside the log.
    """
    parts = []
    for dataset in dict.fromkeys(one.dataset for one in found):
        arms: dict[tuple[str, str], list[PastArm]] = {}
        for one in found:
            if one.dataset == dataset:
                arms.setdefault((one.arm, one.model), []).append(one)
        lines = [
            [arm, model, f"{runs[-1].n:,}", f"{len(runs):,}", _latest(runs[-1], folder), *_moves(arm, runs)]
            for (arm, model), runs in arms.items()
        ]
        heads = ("strategy", "model", "records", "runs", "last run", *HEADLINE)
        parts += [f"<h2>{html(dataset)}</h2>\n", pages.table(heads, lines, f"trends of {dataset}")]
    return pages.Html("".join(parts) + f'<p class="note">{_NOTE}</p>\n')


def _latest(one: PastArm, folder: Path) -> str:
    date, report = one.date[:16].replace("T", " "), Path(one.log).with_suffix(".html")
    return pages.link(os.path.relpath(report, folder), date) if report.is_file() else date


def _moves(arm: str, runs: Sequence[PastArm]) -> list[str]:
    before = runs[-2] if len(runs) > 1 else None
    cells: list[str] = []
    for name in HEADLINE:
        now = _rate(runs[-1], before, name)
        cells.append(pages.Html(f"{_line([one.rates[name] for one in runs], f'{name} of {arm}')} {html(now)}"))
    return cells


def _line(rates: Sequence[tuple[float, float, float]], name: str) -> str:
    """Rates from left to right as a small SVG figure of 150 by 34, in a band of their intervals."""
    width = 150 / len(rates)
    points = [[(width * (place + 0.5), 31 - 28 * share) for share in rate] for place, rate in enumerate(rates)]
    values, lows, highs = ([rate[bound] for rate in points] for bound in range(3))
    if len(rates) == 1:  # a band needs a width
        lows, highs = ([(line[0][0] + by, line[0][1]) for by in (-6, 6)] for line in (lows, highs))

    def path(line: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in line)

    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4"/>' for x, y in values[-40:])
    told = ", ".join(f"{100 * value:.0f} %" for value, _, _ in rates[-10:])
    return (
        f'<svg class="trend" viewBox="0 0 150 34" role="img" aria-label="{html(f"{name}: {told}")}">'
        f'<line x1="0" y1="31" x2="150" y2="31"/><line x1="0" y1="3" x2="150" y2="3"/>'
        f'<path d="M{path([*lows, *reversed(highs)])}z"/><polyline points="{path(values)}"/>{dots}</svg>'
    )


def draw(found: Sequence[PastArm], folder: Path) -> Path:
    """Draw the rates of each arm over time into `history.png`. Raises as `figures.ready`."""
    ready(folder)
    made = folder / "history.png"
    with styled():
        _figure(found).savefig(made, dpi=130)
    return made


def _figure(found: Sequence[PastArm]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    arms = list(dict.fromkeys((one.dataset, one.arm, one.model) for one in found))
    for place, name in enumerate(HEADLINE[:2], 1):
        axes = figure.add_subplot(1, 2, place)
        for arm in arms:
            own = [one for one in found if (one.dataset, one.arm, one.model) == arm]
            dates: Any = [datetime.fromisoformat(one.date) for one in own]
            values = [100 * one.rates[name][0] for one in own]
            bars = [[100 * (one.rates[name][0] - one.rates[name][1]) for one in own],
                    [100 * (one.rates[name][2] - one.rates[name][0]) for one in own]]  # fmt: skip
            axes.errorbar(dates, values, yerr=bars, marker="o", capsize=3, label=drawn(" · ".join(arm))[:64])
        axes.set(title=name, ylabel="%", ylim=(-3, 103))
        axes.tick_params(axis="x", labelrotation=30)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
