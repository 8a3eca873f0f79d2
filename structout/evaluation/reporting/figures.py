"""The report's figures as PNG files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from structout.errors import MissingExtraError, OutputError
from structout.evaluation.amounts import drawn as drawn_in
from structout.evaluation.amounts import in_unit, unit_of
from structout.evaluation.reporting.style import label, styled
from structout.surfaces import drawn, line

if TYPE_CHECKING:
    from collections.abc import Callable

    from structout.evaluation.report import Report, ReportRow

_LONGEST = 64  # characters of a label
_METRICS = ("compliance", "value accuracy", "record accuracy")


def ready(folder: Path) -> None:
    """Make the folder. Raises `OutputError` if it cannot be written to, `MissingExtraError` without matplotlib."""
    try:
        import matplotlib.figure  # noqa: F401

        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tradeoff.png").open("ab").close()
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "matplotlib", "bench") from error
    except OSError as error:
        hint = "name another folder with --figures"
        raise OutputError(f"cannot write to {folder}: {error.strerror}", hint=hint) from error


def draw(report: "Report", folder: Path) -> list[Path]:
    """Draw the figures for which the report has data into a folder, and return their paths. Raises as `ready`."""
    ready(folder)
    from matplotlib.figure import Figure

    wanted: list[tuple[str, Callable[[Any, Report], bool]]] = [
        ("tradeoff", _tradeoff),
        ("fields", _fields),
        ("sweep", _sweep),
        ("perturbed", _perturbed),
    ]
    made = []
    with styled():
        for name, paint in wanted:
            figure = Figure(figsize=(10, 4.6), layout="constrained")
            if paint(figure, report):
                figure.savefig(folder / f"{name}.png", dpi=130)
                made.append(folder / f"{name}.png")
    return made


def _tradeoff(figure: Any, report: "Report") -> bool:
    rows = report.rows()
    unit = unit_of([row.cost for row in rows])
    name, many = drawn_in(unit)
    costs = [many * in_unit(row.cost, unit) for row in rows]
    figure.set_size_inches(12, 4.2 + 0.12 * len(rows))
    panels = [figure.add_subplot(1, len(_METRICS), place) for place in range(1, len(_METRICS) + 1)]
    for axes, metric in zip(panels, _METRICS, strict=True):
        for number, (row, cost) in enumerate(zip(rows, costs, strict=True), 1):
            _bar(axes, cost, row, metric, f"{number} {_short(row.label)}")
        axes.margins(x=0.12)
        axes.set(xlabel=name, title=metric)
        axes.yaxis.set_major_formatter("{x:.0%}")
    figure.suptitle(drawn(report.title), fontsize=11)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    for axes, metric in zip(panels, _METRICS, strict=True):
        both = zip(rows, costs, strict=True)
        label(axes, [(cost, row.rates[metric].value, str(n)) for n, (row, cost) in enumerate(both, 1)])
    return True


def _fields(figure: Any, report: "Report") -> bool:
    arms = list(report.plain)
    failed = [{one.name: one.failed for one in report.fields(arm)} for arm in arms]
    names = list(dict.fromkeys(name for one in failed for name in one))
    figure.set_size_inches(3 + 1.4 * len(arms), 2.5 + 0.28 * len(names))
    axes = figure.add_subplot()
    axes.grid(visible=False)
    grid = [[one.get(name, float("nan")) for one in failed] for name in names]
    image = axes.imshow(grid, cmap="Reds", vmin=0, vmax=1, aspect="auto")
    axes.set_yticks(range(len(names)), list(map(_short, names)), fontsize=8)
    axes.set_xticks(range(len(arms)), [_short(arm.label) for arm in arms], rotation=25, ha="right", fontsize=7)
    figure.colorbar(image, label="share of leaves that are not right")
    return bool(names)


def _sweep(figure: Any, report: "Report") -> bool:
    rows = [row for row in report.rows() if row.setting]
    names = list(dict.fromkeys(name for row in rows for name, _ in row.setting))
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(1, len(names), place)
        values = list(dict.fromkeys(value for row in rows for axis, value in row.setting if axis == name))
        series = list(dict.fromkeys((row.strategy, row.model) for row in rows))
        for row in rows:
            for axis, value in row.setting:
                if axis == name:
                    rank = series.index((row.strategy, row.model))
                    shift = 0.08 * (rank - (len(series) - 1) / 2)  # side by side, so that none hides another
                    _bar(axes, values.index(value) + shift, row, "record accuracy", _short(row.strategy), rank)
        axes.set_xticks(range(len(values)), [drawn(str(value)) for value in values])
        axes.set(xlabel=drawn(name), title="record accuracy")
        axes.yaxis.set_major_formatter("{x:.0%}")
        named = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        axes.legend(named.values(), named.keys())
    return bool(rows)


def _perturbed(figure: Any, report: "Report") -> bool:
    found = report.perturbed()
    figure.set_size_inches(9, 1.5 + 0.3 * len(found))
    axes = figure.add_subplot()
    for place, one in enumerate(found):
        d = one.change
        axes.errorbar(d.value, place, xerr=[[d.value - d.low], [d.high - d.value]], fmt="o", color="C0", capsize=3)
    axes.set_yticks(
        range(len(found)), [f"{drawn(one.arm.perturbation)}: {_short(one.arm.label)}" for one in found], fontsize=7
    )
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="change in record accuracy")
    return bool(found)


def _short(label: str) -> str:
    shown = line(label)
    return drawn(shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…")


def _bar(axes: Any, x: float, row: "ReportRow", metric: str, name: str, rank: int | None = None) -> None:
    rate = row.rates[metric]
    spread = [[max(0.0, rate.value - rate.low)], [max(0.0, rate.high - rate.value)]]
    axes.errorbar(
        x, rate.value, yerr=spread, fmt="o", capsize=3, label=name, color=None if rank is None else f"C{rank}"
    )
