"""The figure: for each model and set, what each way costs and lets pass, and how well scores rank."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks.reliability.ways import BASE, ENSEMBLE
from structout.evaluation.reporting.style import COLOURS, label, styled

_FAMILIES = {
    "one answer": COLOURS[0],
    "one answer, checked without a call": COLOURS[2],
    "one answer, checked by a model": COLOURS[5],
    "several calls for an answer": COLOURS[1],
}
_SCORES = {
    "Grounded": COLOURS[4],
    "Confident": COLOURS[3],
    "Confident, whole answer": COLOURS[6],
    "RoundTrip": COLOURS[7],
    "Learned": COLOURS[8],
}
_LANDMARKS = (BASE, ENSEMBLE, "Verify by Judge", "Vote field", "Draft")  # named wherever they are
_CHEAP = 1.5  # times the seconds of the base
_LEAST_YIELD = 0.5  # of a way that is named: who accepts next to nothing is seldom wrong

Dot = tuple[float, float, dict[str, Any]]  # seconds as multiples, wrong of accepted in percent, and the row


def draw(tables: Sequence[dict[str, Any]], file: Path) -> None:
    """Two tables a line, two panels each."""
    with styled():
        _draw(tables, file)


def _draw(tables: Sequence[dict[str, Any]], file: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    lines = ceil(len(tables) / 2)
    figure = Figure(figsize=(18, 3.9 * lines + 0.5), layout="constrained")
    panels = list(figure.subplots(lines, 4, squeeze=False).flat)
    for i, table in enumerate(tables):
        _ways(panels[2 * i], table)
        _scores(panels[2 * i + 1], table)
    for panel in panels[2 * len(tables) :]:
        panel.set_visible(False)
    marks = [Line2D([], [], color=color, marker="o", linestyle="", label=name) for name, color in _FAMILIES.items()]
    curves = [Line2D([], [], color=color, label=f"ranked by {name}") for name, color in _SCORES.items()]
    figure.legend(handles=[*marks, *curves], loc="outside lower center", ncols=5, fontsize=9)
    for i, table in enumerate(tables):  # when the layout is final
        dots = _dots(table)
        named = [name for name in dots if name in (*_winners(dots), *_LANDMARKS)]
        label(panels[2 * i], [(*dots[name][:2], name) for name in named])
    figure.savefig(file, dpi=100)


def _ways(panel: Any, table: dict[str, Any]) -> None:
    """A dot a way, its area the yield; `_draw` names the best, and some to find one's way by."""
    dots = _dots(table)
    for name, (x, y, row) in dots.items():
        panel.scatter(x, y, s=100 * row["yield"]["value"], color=_FAMILIES[_family(name, row)], alpha=0.6, linewidths=0)
    reach, heights = max(x for x, _, _ in dots.values()), [y for _, y, _ in dots.values()]
    margin = 0.12 * (max(heights) - min(heights)) + 1
    panel.set(xlim=(0, 1.08 * reach), ylim=(max(min(heights) - margin, 0), min(max(heights) + margin, 102)))
    panel.set(xlabel="seconds, x Constrained(quote=True)", ylabel="wrong of accepted, % (area: yield)")
    panel.set_title(f"{table['set']}, {table['model']}: what ways cost", fontsize=10)


def _dots(table: dict[str, Any]) -> dict[str, Dot]:
    base = table["rows"][BASE]["cost"]["seconds"]
    return {
        name: (row["cost"]["seconds"] / base, 100 * row["wrong of accepted"]["value"], row)
        for name, row in table["rows"].items()
        if row["wrong of accepted"]["n"] and base
    }


def _winners(dots: dict[str, Dot]) -> list[str]:
    """The way that lets fewest wrong ones pass at up to 1.5 times the seconds, and each that does better for more."""
    usable = [(x > _CHEAP, y, x, name) for name, (x, y, row) in dots.items() if row["yield"]["value"] >= _LEAST_YIELD]
    found: list[str] = []
    best = float("inf")
    for _, y, _, name in sorted(usable):
        if y < best:
            best = y
            found.append(name)
    return found


def _family(name: str, row: dict[str, Any]) -> str:
    once, free, asked, several = _FAMILIES
    if row["cost"]["checks"]:
        return asked
    if row["cost"]["calls"] > 1:
        return several
    return free if "Verify" in name else once


def _scores(panel: Any, table: dict[str, Any]) -> None:
    for name, one in table["free"].items():
        wrong = [100 * share for share in one["wrong of the first"]]
        kept = [100 * k / len(wrong) for k in range(1, len(wrong) + 1)]
        panel.plot(kept, wrong, color=_SCORES[name], linewidth=1.4)
    panel.axvline(70, color="grey", linewidth=0.6, linestyle=":")
    panel.set(
        xlabel="yield, % of what Constrained(quote=True) made",
        ylabel="wrong of accepted, %",
        xlim=(0, 100),
        ylim=(0, 102),
    )
    panel.set_title(f"{table['set']}, {table['model']}: the surest first", fontsize=10)
