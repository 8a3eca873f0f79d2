"""The history of runs: as a table, and as a figure of their trend."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from structout.evaluation.history import HEADLINE, PastArm
from structout.evaluation.reporting.figures import ready
from structout.surfaces import drawn, line

_ARROWS = {1: "↑", 0: "→", -1: "↓"}


def table(found: Sequence[PastArm]) -> RenderableType:
    """All arms of all runs, the oldest first. An arrow compares a rate with the same arm's last run.

    It points up or down only if the intervals of the two rates do not overlap.
    """
    shown = Table("date", "structout", "data set", "arm", "model", "records", box=None, pad_edge=False)
    for name in HEADLINE:
        shown.add_column(Text(line(name)))
    last: dict[tuple[str, str, str], PastArm] = {}
    for one in found:
        place = (one.dataset, one.arm, one.model)
        rates = [_rate(one, last.get(place), name) for name in HEADLINE]
        cells = [one.date[:16].replace("T", " "), one.structout, one.dataset, one.arm, one.model, str(one.n), *rates]
        shown.add_row(*(Text(line(cell)) for cell in cells))
        last[place] = one
    return shown


def _rate(one: PastArm, before: PastArm | None, name: str) -> str:
    value, low, high = one.rates[name]
    if before is None:
        return f"{100 * value:.0f} %"
    _, least, most = before.rates[name]
    return f"{100 * value:.0f} % {_ARROWS[(low > most) - (high < least)]}"


def draw(found: Sequence[PastArm], folder: Path) -> Path:
    """Draw the rates of each arm over time into `history.png`. Raises as `figures.ready`."""
    ready(folder)
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
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    place_of = folder / "history.png"
    figure.savefig(place_of, dpi=130)
    return place_of
