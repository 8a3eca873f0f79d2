"""Suspect labels, and the rates without them, as text, tables and JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from structout import surfaces
from structout.evaluation.report import known
from structout.evaluation.reporting.table import percent
from structout.evaluation.suspects import LEAST, Suspect, independent, without
from structout.surfaces import json_text

if TYPE_CHECKING:
    from rich.console import Group

    from structout.evaluation.report import Report

_FOUND = ("record", "field", "label", "label stands", "answer", "agree", "text")
_MOST = 20  # suspects in a table; JSON holds all
_LONGEST = 60  # characters of a cell
_ALIKE = (
    "No label can be suspect: no record has accepted answers to two different prompts. Add a strategy with other "
    "examples, or another model."
)


def told(report: "Report", found: Sequence[Suspect]) -> str:
    """What the suspects are, in sentences. The text still has to be escaped for its surface."""
    if (apart := independent(report)) < LEAST:
        return _ALIKE
    count = f"{apart} of the {len(report.plain)} strategies are independent: they ask other models, or other messages."
    if not found:
        return f"No label is suspect: no {LEAST} independent strategies agree on another value of the text. {count}"
    return (
        f"Suspect values of labels: {len(found):,}, of which clear: {len(_clear(found)):,}. A clear value stands "
        f"nowhere in the text. Look at each suspect: strategies that make the same mistake agree, too. {count}"
    )


def _clear(found: Sequence[Suspect]) -> list[Suspect]:
    return [one for one in found if one.is_clear]


def _note(clear: Sequence[Suspect]) -> str:
    """What the rates without the clear suspects are."""
    records = _counted(len({one.key for one in clear}), "record")
    without_these = f"value accuracy without the {_counted(len(clear), 'clear suspect')}"
    return (
        f"Without suspects: {without_these}, the other rates without their {records}. These rates are too high if one "
        "of these labels is right, and they replace no rate: all other figures count every label."
    )


def as_json(report: "Report", found: Sequence[Suspect]) -> dict[str, Any]:
    """The suspects, and the rates without the clear ones, as JSON."""
    rates = without(report, _clear(found))
    return {
        "told": told(report, found),
        "found": [asdict(one) | {"is_clear": one.is_clear} for one in found],
        "without_clear": [known({**asdict(arm), **asdict(rate)}) for arm, rate in rates.items()],
    }


def table(report: "Report", found: Sequence[Suspect]) -> "Group":
    """The suspects, and the rates with and without the clear ones, for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = [Text(f"\nSuspect labels\n{surfaces.line(told(report, found))}")]
    for heads, lines in _tables(report, found):
        grid = Table(box=None, padding=(0, 2, 0, 0))
        for head in heads:
            grid.add_column(Text(head), overflow="fold")
        for cells in lines:
            grid.add_row(*(Text(surfaces.line(cell)) for cell in cells))
        parts += ["", grid]
    return Group(*parts, *([Text(f"\n{_note(clear)}", style="dim")] if (clear := _clear(found)) else []))


def markdown(report: "Report", found: Sequence[Suspect]) -> str:
    """The suspects, and the rates with and without the clear ones, in Markdown."""
    parts = [f"\n{surfaces.markdown(told(report, found))}"]
    for heads, lines in _tables(report, found):
        rows = [heads, ["---"] * len(heads), *([surfaces.markdown(cell) for cell in cells] for cells in lines)]
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join([*parts, *([_note(clear)] if (clear := _clear(found)) else [])])


def section(report: "Report", found: Sequence[Suspect]) -> dict[str, Any]:
    """The suspects, and the rates with and without the clear ones, as the template of the page draws them. The template
    escapes markup.
    """
    tables = [
        (heads, [[surfaces.terminal(cell) for cell in cells] for cells in lines])
        for heads, lines in _tables(report, found)
    ]
    clear = _clear(found)
    return {"told": told(report, found), "tables": tables, "note": _note(clear) if clear else ""}


def _tables(report: "Report", found: Sequence[Suspect]) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The heads and the cells of each table, not yet escaped."""
    if found:
        more = [["…", f"{len(found) - _MOST:,} more (--json)", *[""] * (len(_FOUND) - 2)]]
        yield list(_FOUND), [_cells(one) for one in found[:_MOST]] + more * (len(found) > _MOST)
    if _clear(found):
        yield from _rates(report, found)


def _cells(one: Suspect) -> list[str]:
    stands = "–" if one.label is None else "nowhere" if one.is_clear else "elsewhere"
    shown = [one.key, one.pointer or "(document)", _value(one.label), stands, _value(one.answer)]
    agree = f"{one.independent} independent" + (f", {one.others} otherwise" if one.others else "")
    return [_short(cell) for cell in (*shown, agree, one.text)]


def _rates(report: "Report", found: Sequence[Suspect]) -> Iterator[tuple[list[str], list[list[str]]]]:
    rates = without(report, _clear(found))
    names = ("value accuracy", "record accuracy", "wrong-but-valid")
    several, lines = len({row.model for row in report.rows()}) > 1, []
    for row, rate in zip(report.rows(), rates.values(), strict=True):
        sides = zip(names, (rate.value_accuracy, rate.record_accuracy, rate.wrong_but_valid), strict=True)
        cells = [percent(side).replace("\n", " ") for name, rest in sides for side in (row.rates[name], rest)]
        lines.append([f"{row.label} on {row.model}" if several else row.label, *cells])
    yield ["strategy", *(head for name in names for head in (name, "without suspects"))], lines


def _value(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else json_text(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
