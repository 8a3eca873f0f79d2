"""The table and the figure of the decoding benchmark."""

from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

Line = dict[str, Any]


def write(lines: list[Line], folder: Path) -> None:
    """Write `decoding.md` and `decoding.png` of the raw results."""
    cells: dict[tuple[int, str], list[Line]] = defaultdict(list)
    for line in lines:
        cells[line["batch"], line["system"]].append(line)
    text = [
        "# Constrained decoding: cost of a record",
        "",
        "Written by `python -m benchmarks.decoding --report` from `decoding.jsonl`. SmolLM2-135M-Instruct, fp32",
        "(llama.cpp: Q4_1), one thread; records of `schemas/parts`; medians over rounds, lowest and highest in brackets.",
        "`ratio` is records per CPU second against `generate` (transformers, unconstrained) at the same batch size.",
        "`cut off` are answers that the token limit ended. Every system was given the same prompt tokens.",
        "",
    ]
    for batch in sorted({batch for batch, _ in cells}):
        rows = [(system, found) for (b, system), found in cells.items() if b == batch]
        base = next((median(map(_cost, found)) for system, found in rows if system == "generate"), None)
        one = rows[0][1][0]
        text += [
            f"## Batch {batch}",
            "",
            f"{one['prompt_tokens'] / one['records']:.0f} prompt tokens a record on average, "
            f"{one['examples']} examples among them; at most {one['max_tokens']} output tokens.",
            "",
            "| system | rounds x records | CPU s/record | records/CPU s | ratio | output tokens/CPU s | passes/record "
            "| output tokens/record | valid | cut off |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        text += [_row(system, found, base) for system, found in sorted(rows, key=lambda row: _order(row[0]))]
        text.append("")
    text += _shares(cells)
    (folder / "decoding.md").write_text("\n".join(text), encoding="utf-8")
    _figure(cells, folder / "decoding.png")


def _cost(line: Line) -> float:
    """CPU seconds a record."""
    return float(line["cpu"]) / int(line["records"])


def _order(system: str) -> tuple[int, str]:
    names = ("generate", "outlines", "xgrammar", "guidance", "llamacpp", "structout")
    return names.index(system.partition(":")[0]), system


def _row(system: str, found: list[Line], base: float | None) -> str:
    costs = sorted(map(_cost, found))
    middle = median(costs)
    records = sum(line["records"] for line in found)
    written = sum(sum(line["lengths"]) for line in found)
    passes = sum(line["passes"] for line in found) / records
    valid = sum(line["valid"] for line in found) / records
    cut = sum(length >= line["max_tokens"] for line in found for length in line["lengths"]) / records
    return (
        f"| {system} | {len(found)} x {found[0]['records']} | {middle:.2f} ({costs[0]:.2f}-{costs[-1]:.2f}) "
        f"| {1 / middle:.2f} | {f'{base / middle:.2f}' if base else '-'} "
        f"| {written / sum(line['cpu'] for line in found):.1f} | {f'{passes:.1f}' if passes else '-'} "
        f"| {written / records:.0f} | {valid:.0%} | {cut:.0%} |"
    )


def _shares(cells: dict[tuple[int, str], list[Line]]) -> list[str]:
    text = [
        "## Where structout's time goes",
        "",
        "| batch | system | model | grammar | rest | forced | drafted | accepted |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (batch, system), found in sorted(cells.items()):
        seconds = sum(line.get("seconds", 0) for line in found)
        if not system.startswith("structout") or not seconds or not found[0]["model_seconds"]:
            continue
        model, mask = (sum(line[name] for line in found) / seconds for name in ("model_seconds", "mask_seconds"))
        written = sum(sum(line["lengths"]) for line in found)
        shares = [sum(line[name] for line in found) / written for name in ("forced", "drafted", "accepted")]
        text.append(
            f"| {batch} | {system} | {model:.1%} | {mask:.1%} | {1 - model - mask:.1%} | "
            + " | ".join(f"{share:.0%}" for share in shares)
            + " |"
        )
    return [*text, "", "Forced, drafted and accepted tokens are shares of the output tokens.", ""]


def _figure(cells: dict[tuple[int, str], list[Line]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    batches = sorted({batch for batch, _ in cells})
    figure, axes = pyplot.subplots(1, len(batches), figsize=(4.2 * len(batches), 4.2), squeeze=False)
    for axis, batch in zip(axes[0], batches, strict=True):
        systems = sorted((system for b, system in cells if b == batch), key=_order, reverse=True)
        speeds = [sorted(1 / _cost(line) for line in cells[batch, system]) for system in systems]
        middles = [median(speed) for speed in speeds]
        colors = ["#1f6f8b" if system.startswith("structout") else "#b8b8b8" for system in systems]
        axis.barh(systems, middles, color=colors)
        axis.hlines(range(len(systems)), [s[0] for s in speeds], [s[-1] for s in speeds], color="black", linewidth=1)
        axis.set_title(f"batch {batch}")
        axis.set_xlabel("records per CPU second")
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=120)
