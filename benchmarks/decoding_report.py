"""The table and the figure of the decoding benchmark."""

from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

Line = dict[str, Any]
_PARAMETERS = 134_515_008  # of SmolLM2-135M; its embedding is its output head


def write(lines: list[Line], folder: Path) -> None:
    """Write `decoding.md` and `decoding.png` of the raw results."""
    cells: dict[tuple[int, str], list[Line]] = defaultdict(list)
    for line in lines:
        cells[line["batch"], line["system"]].append(line)
    text = [
        "# Constrained decoding: cost of a record",
        "",
        "Written by `python -m benchmarks.decoding --report` from `decoding.jsonl`. SmolLM2-135M-Instruct, fp32",
        "(llama.cpp: Q4_1), one thread; records of `schemas/parts`; medians of rounds, lowest and highest in brackets.",
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
    text += _limits(cells)
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
        "| batch | system | model | grammar | rest | forced | drafted | accepted | answers as `structout` |",
        "|---|---|---|---|---|---|---|---|---|",
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
            + f" | {_alike(found, cells.get((batch, 'structout'), []))} |"
        )
    return [*text, "", "Forced, drafted and accepted tokens are shares of the output tokens.", ""]


def _alike(found: list[Line], full: list[Line]) -> str:
    """How many answers are token for token those of `structout`, which is the same at every round."""
    if not full:
        return "-"
    pairs = [pair for line in found for pair in zip(line["tokens"], full[0]["tokens"], strict=False)]
    return f"{sum(one == other for one, other in pairs)} of {len(pairs)}"


def measure_machine() -> Line:
    """What one thread of this machine does: GFLOP/s of a large fp32 product, and GB/s read from main memory."""
    import time

    import torch

    torch.set_num_threads(1)
    square, vector = torch.randn(1024, 1024), torch.randn(1 << 26)
    rates = []
    for work, amount in ((lambda: square @ square, 2 * 1024**3), (lambda: vector.sum(), vector.numel() * 4)):
        work()
        spent = []
        for _ in range(7):
            began = time.process_time()
            work()
            spent.append(time.process_time() - began)
        rates.append(amount / median(spent) / 1e9)
    return {"gflops": rates[0], "gigabytes": rates[1]}


def _limits(cells: dict[tuple[int, str], list[Line]]) -> list[str]:
    """The least CPU time that the passes and tokens that structout computed could take on this machine."""
    machine = measure_machine()
    text = [
        "## The physical limit",
        "",
        f"One thread of this machine multiplies fp32 matrices at {machine['gflops']:.0f} GFLOP/s and reads "
        f"{machine['gigabytes']:.1f} GB/s (measured as this report was written, on a machine that others used too). A",
        f"token costs 2 x {_PARAMETERS / 1e6:.1f}M operations (the output head counted for each), a pass reads 4",
        "bytes for each parameter. `floor` is the larger of the two for what was computed, attention left out: no fp32",
        "engine that computes the same tokens in the same passes is faster. `no waste` leaves out rejected drafts too.",
        "",
        "| batch | system | tokens computed/record | tokens/pass | floor, CPU s/record | measured | measured / floor "
        "| no waste |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (batch, system), found in sorted(cells.items()):
        if not system.startswith("structout") or "reused" not in found[0] or not found[0]["passes"]:
            continue
        records = sum(line["records"] for line in found)
        kept = sum(line["prompt_tokens"] - line["reused"] + sum(line["lengths"]) for line in found) / records
        computed = kept + sum(line["drafted"] - line["accepted"] for line in found) / records
        passes = sum(line["passes"] for line in found) / records
        reading = passes * _PARAMETERS * 4 / machine["gigabytes"] / 1e9
        floor, least = (max(2 * _PARAMETERS * n / machine["gflops"] / 1e9, reading) for n in (computed, kept))
        spent = median(map(_cost, found))
        text.append(
            f"| {batch} | {system} | {computed:.0f} | {computed / passes:.1f} | {floor:.2f} | {spent:.2f} "
            f"| {spent / floor:.1f} | {least:.2f} |"
        )
    return [*text, ""]


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
