"""The style of every figure that matplotlib draws, and labels that do not collide."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

COLOURS = ("#0b6e99", "#b34d12", "#2f7433", "#8a4fae", "#86671c", "#c23b63", "#1b7676", "#636870", "#5566cc", "#5f7800")
_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#8c959d",
    "axes.grid": True,
    "axes.labelcolor": "#1c2228",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.labelsize": 9,
    "figure.dpi": 110,
    "font.size": 9,
    "grid.color": "#e3e7ea",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.facecolor": "white",
    "xtick.color": "#5c6771",
    "xtick.labelsize": 8,
    "ytick.color": "#5c6771",
    "ytick.labelsize": 8,
}


@contextmanager
def styled() -> Iterator[None]:
    """Figures that are made and saved inside have the style. Raises `ModuleNotFoundError` without matplotlib."""
    from cycler import cycler
    from matplotlib import rc_context

    with rc_context({**_STYLE, "axes.prop_cycle": cycler(color=COLOURS)}):
        yield


def label(axes: Any, points: Sequence[tuple[float, float, str]], **text: Any) -> None:
    """Write a label beside each point (x, y, label), where it hides no other label and no point.

    Call it when the limits of the axes and the layout of the figure are final.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    canvas: Any = FigureCanvasAgg(axes.figure)
    canvas.draw()
    renderer, inside = canvas.get_renderer(), axes.get_window_extent()
    dots = [axes.transData.transform((x, y)) for x, y, _ in points]
    taken: list[Any] = []
    for x, y, name in points:
        best: tuple[float, Any] | None = None
        for distance, (across, up) in product((7, 16, 28, 42), ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))):
            note = axes.annotate(
                name, (x, y), (across * distance, 0.8 * up * distance), textcoords="offset points",
                horizontalalignment="left" if across > 0 else "right", verticalalignment="center",
                arrowprops={"arrowstyle": "-", "color": "#8c959d", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2}
                if distance > 7 else None, **{"fontsize": 8, **text},
            )  # fmt: skip
            note.set_in_layout(False)  # the layout is final
            note.update_positions(renderer)
            box = Text.get_window_extent(note, renderer).padded(1)  # without its line to the point
            outside = not (inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1)
            faults = 5 * sum(map(box.overlaps, taken)) + 3 * outside + sum(box.contains(*dot) for dot in dots)
            if best is None or faults < best[0]:
                if best is not None:
                    best[1].remove()
                best = (faults, note)
            else:
                note.remove()
            if not faults:
                break
        if best is not None:
            taken.append(Text.get_window_extent(best[1], renderer))
