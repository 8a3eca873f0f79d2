"""The tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.reliability.figure import draw
from benchmarks.reliability.measure import abstention_bound
from benchmarks.reliability.ways import BASE, KEPT

Table = dict[str, Any]
_BUDGETS = (1.5, 2.5, 4.0, 8.0)  # times the seconds of the base
_LEAST_YIELD = 0.7
_KEPT = (0.9, 0.7, 0.5, 0.3)
_ABOUT = (
    "SmolLM2-135M as it is (three examples in the prompt) and fine-tuned for the set (no examples). Records are "
    "spread evenly over the test split; rates are in percent, with 95 % Wilson intervals; seconds are CPU seconds "
    "of one thread. *Wrong of accepted*: of the documents that were accepted, those that are not right in every "
    "leaf. *Made up*: text leaves of accepted documents that are neither right nor, letter by letter, in the "
    "record. *False accept* and *false reject*: of the wrong documents those that passed, of the right ones those "
    "that were refused. *Calls*: generation + verification. *x*: seconds as multiples of those of "
    "`Constrained(quote=True)`, which is the base of all comparisons, and whose answers the verifiers check. "
    "*More right* and *more wrong*: the share of records minus that of the base, with a bootstrap interval over "
    "records, and McNemar's exact p, corrected for the number of ways in the table (Holm). Thresholds keep "
    f"{KEPT:.0%} of the records that the verifiers are fitted to, which are others. *Ensemble*: models that were "
    "fine-tuned with other seeds decide together. A way that stands in no table was not asked for (`--only`)."
)
_HEADS = (
    "way", "compliance", "yield", "value accuracy", "record accuracy", "wrong-but-valid", "wrong of accepted",
    "made up", "false accept", "false reject", "calls", "tokens", "s", "x", "s / correct", "more right", "more wrong",
)  # fmt: skip


def write(tables: Sequence[Table], folder: Path) -> None:
    """Write `reliability.md` and `reliability.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Reliability bought at run time, and its price",
        "",
        f"Made by `python -m benchmarks.reliability`: {_ABOUT}",
        "",
        "![What each way costs and lets pass, and how well scores rank](reliability.png)",
        "",
        "## Targets",
        "",
        *_grounding(tables),
        "",
        *_cheap(tables),
        "",
    ]
    for table in tables:
        lines += [f"## {table['set']}, {table['model']}", "", *_rows(table), "", *_ranking(table), ""]
        if table["consistency"]:
            lines += [*_consistency(table), ""]
        lines += [*_equal_cost(table), ""]
    (folder / "reliability.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    if tables:
        draw(tables, folder / "reliability.png")


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (heads, ["---", *["---:"] * (len(heads) - 1)], *rows)]


def _rate(rate: dict[str, Any]) -> str:
    return f"{100 * rate['value']:.0f} ({100 * rate['low']:.0f}–{100 * rate['high']:.0f})" if rate["n"] else "–"


def _times(table: Table, row: dict[str, Any]) -> float:
    base = table["rows"][BASE]["cost"]["seconds"]
    return float(row["cost"]["seconds"] / base) if base else 1.0


def _grounding(tables: Sequence[Table]) -> list[str]:
    heads = (
        "`Grounded` on `Constrained(quote=True)`", "made-up leaves refused", "right leaves refused",
        "right records refused", "wrong leaves refused", "calls", "CPU ms a record",
    )  # fmt: skip
    rows = []
    for table in tables:
        g = table["grounded"]
        milliseconds = f"{1000 * table['free']['Grounded'].get('cpu seconds', 0.0):.2f}"
        pairs = (
            ("caught", "made up"),
            ("refused", "right"),
            ("records refused", "right records"),
            ("wrong refused", "wrong"),
        )
        shares = [f"{g[a]} of {g[b]}" + (f" ({g[a] / g[b]:.1%})" if g[b] else "") for a, b in pairs]
        rows.append([f"{table['set']}, {table['model']}", *shares, "0", milliseconds])
    return _grid(heads, rows)


def _cheap(tables: Sequence[Table]) -> list[str]:
    """For each set the ways that cost at most 1.5 times the base, and what they cut."""
    cost = "at most 1.5 x `Constrained(quote=True)`"
    heads = (cost, "wrong of accepted: before", "after", "cut", "at most", "yield", "refused", "at least", "x")
    rows = []
    for table in tables:
        before = table["rows"][BASE]["wrong of accepted"]["value"]
        for name, row in table["rows"].items():
            if name == BASE or _times(table, row) > _BUDGETS[0] or not before:
                continue
            after, kept = row["wrong of accepted"]["value"], row["yield"]["value"]
            refused = max(0.0, 1 - kept / table["rows"][BASE]["yield"]["value"])
            best = max(0.0, (before - refused) / (1 - refused)) if refused < 1 else 0.0
            cells = (
                f"{before:.1%}", f"{after:.1%}", f"{1 - after / before:.0%}", f"{1 - best / before:.0%}", f"{kept:.0%}",
                f"{refused:.1%}", f"{abstention_bound(before, after):.1%}", f"{_times(table, row):.2f}",
            )  # fmt: skip
            rows.append([f"{table['set']}, {table['model']}: {name}", *cells])
    notes = [
        "*At least* is the bound (mu - alpha) / (1 - alpha) on what must be refused to get there (arXiv 2606.29054),",
        "*at most* the cut that refusing so many, all of them wrong, would make. A cut by 40 % at a yield of 70 % is",
        "out of any verifier's reach where more than 52 % were wrong before.",
    ]
    return [*_grid(heads, rows), "", *notes]


def _rows(table: Table) -> list[str]:
    rows = []
    for name, row in table["rows"].items():
        cost, made = row["cost"], row["hallucinated"]
        correct = cost["seconds_per_correct"]
        calls = f"{cost['calls'] - cost['checks']:.2f} + {cost['checks']:.2f}"
        checked = "Verify" in name or name.startswith("Cascade")
        rows.append(
            [
                name,
                *(_rate(row[rate]) for rate in _HEADS[1:7]),
                f"{made['made up']} of {made['leaves']}",
                *(_rate(row[rate]) if checked else "–" for rate in ("false accept", "false reject")),
                calls, f"{cost['tokens']:.0f}", f"{cost['seconds']:.2f}", f"{_times(table, row):.2f}",
                f"{correct:.1f}" if correct is not None else "–",
                *(_difference(row[one]) for one in ("more right", "more wrong")),
            ]
        )  # fmt: skip
    count = next(iter(table["rows"].values()))["n"]
    source = f"{table['dev']} dev records" if table["dev"] else "the other four fifths of them, in five folds"
    about = f"{count} records; verifiers were fitted to {source}."
    if table["taken"]:
        about += f" {table['taken']} answers come from logs of other runs: their seconds are not CPU seconds."
    return [about, "", *_grid(_HEADS, rows)]


def _difference(change: dict[str, float]) -> str:
    return (
        f"{100 * change['value']:+.0f} ({100 * change['low']:+.0f} to {100 * change['high']:+.0f}; p {change['p']:.2g})"
    )


def _ranking(table: Table) -> list[str]:
    rows = []
    for name, one in table["free"].items():
        if one:
            area = "–" if one["auc"] is None else f"{one['auc']:.2f}"
            wrong = one["wrong of the first"]
            shares = [f"{wrong[max(round(kept * len(wrong)), 1) - 1]:.0%}" for kept in _KEPT]
            rows.append([name, area, f"{one['brier']:.3f}", *shares, f"{1000 * one['cpu seconds']:.2f}"])
    kept = [f"wrong of the best {share:.0%}" for share in _KEPT]
    return _grid(("score of", "AUC, right against wrong", "Brier", *kept, "CPU ms a record"), rows)


def _consistency(table: Table) -> list[str]:
    rows = [[name, _rate(rate)] for name, rate in table["consistency"].items()]
    n = next(iter(table["consistency"].values()))["n"]
    said = f"Fields that are the same in five runs ({n} records; what is not sampled is the same by construction):"
    return [said, "", *_grid(("way", "consistency"), rows)]


def _equal_cost(table: Table) -> list[str]:
    """The best ways within a budget. Chosen on the records that they are reported on, so a little flattering."""
    rows = []
    for budget in _BUDGETS:
        within = {name: row for name, row in table["rows"].items() if _times(table, row) <= budget}
        usable = {name: row for name, row in within.items() if row["yield"]["value"] >= _LEAST_YIELD}
        right = max(within, key=lambda name: within[name]["record accuracy"]["value"])
        cells = [f"{budget:g} x", f"{right}: {_rate(within[right]['record accuracy'])}", "–"]
        if usable:
            clean = min(usable, key=lambda name: usable[name]["wrong of accepted"]["value"])
            cells[2] = f"{clean}: {_rate(usable[clean]['wrong of accepted'])}"
        rows.append(cells)
    heads = ("cost up to", "most right", f"fewest wrong of accepted, yield {_LEAST_YIELD:.0%} or more")
    return ["At equal cost (chosen on these records, so a little flattering):", "", *_grid(heads, rows)]
