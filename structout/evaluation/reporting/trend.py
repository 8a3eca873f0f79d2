"""The history of runs: as a table, and as a figure of their trend."""

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from structout.errors import MissingExtraError, OutputError
from structout.evaluation.history import HEADLINE, PastArm
from structout.evaluation.reporting.figures import ready
from structout.surfaces import drawn, html, line

_HEADS = ("date", "structout", "data set", "arm", "model", "records")
_STYLE = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:auto;padding:0 1rem}"
    "figure{margin:0;background:#fff;border-radius:6px}svg{width:100%;height:auto}.scroll{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:.88rem}td,th{padding:.3rem .6rem;text-align:left;white-space:nowrap;"
    "border-bottom:1px solid #8884;unicode-bidi:isolate}"
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
    """Write the table and the figure as one self-contained HTML file. Raises `OutputError` and `MissingExtraError`."""
    try:
        image = io.StringIO()
        _figure(found).savefig(image, format="svg")
        drawing = image.getvalue()
        drawing = drawing[drawing.index("<svg") :]
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "matplotlib", "bench") from error
    lines = "".join(f"<tr>{''.join(f'<td>{html(cell)}</td>' for cell in cells)}</tr>" for cells in _rows(found))
    heads = "".join(f"<th>{html(name)}</th>" for name in (*_HEADS, *HEADLINE))
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Runs of structout bench</title><style>{_STYLE}</style><h1>Runs of structout bench</h1>"
        f'<figure>{drawing}</figure><div class="scroll"><table><tr>{heads}</tr>{lines}</table></div></html>\n'
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8", newline="\n", errors="backslashreplace")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}", hint="name another file with --html") from error


def draw(found: Sequence[PastArm], folder: Path) -> Path:
    """Draw the rates of each arm over time into `history.png`. Raises as `figures.ready`."""
    ready(folder)
    made = folder / "history.png"
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
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure
