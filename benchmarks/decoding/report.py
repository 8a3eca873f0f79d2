"""The tables and the figure of the decoding benchmark."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from structout.evaluation.reporting.style import COLOURS, styled

Line = dict[str, Any]
Cells = dict[tuple[int, str], list[Line]]
_PARAMETERS = 134_515_008  # of SmolLM2-135M; its embedding is its output head
_HEAD = 49_152 * 576  # of which in the output head
_BASES = ("generate", "generate:prefix", "outlines:llguidance", "llamacpp:grammar")
_STEPS = {
    "structout:0": "packed rows, refill",
    "structout:1": "+ shared prefix",
    "structout:2": "+ forced tokens",
    "structout:3": "+ lazy masks",
    "structout:4": "+ drafting",
    "structout": "+ packed weights (the default)",
    "structout:int8": "int8 weights instead",
}


def write(lines: list[Line], folder: Path) -> None:
    """Write `decoding.md` and `decoding.png` of the raw results; `decoding_machine.json` is made if there is none."""
    flat = _cells(lines, "flat")
    text = [
        "# Constrained decoding: cost of a record",
        "",
        "Written by `python -m benchmarks.decoding` from `decoding.jsonl`, in which each cell (system, batch size,",
        "round) is a line. SmolLM2-135M-Instruct, fp32 (llama.cpp: Q4_1), one thread, CPU seconds: medians of the",
        "rounds, lowest and highest in brackets. Ratios are of records per CPU second within a round: `x generate` is",
        "against plain `generate` of transformers, unconstrained, at the same batch size; `x prefix` against a",
        "`generate` that computes what the prompts share once; `x outlines` against outlines with llguidance;",
        "`x llama.cpp` against its grammar. `cut off` are answers that the token limit ended: unconstrained, the model",
        "often does not stop by itself. Every system was given the same prompt tokens, each round other records.",
        "",
    ]
    for batch in sorted({batch for batch, _ in flat}):
        text += _batch(batch, flat)
    text += _ablation(flat)
    text += _growth(lines)
    text += _agreement(flat)
    text += _shares(flat)
    text += _limits(flat, machine_of(folder / "decoding_machine.json"))
    (folder / "decoding.md").write_text("\n".join(text), encoding="utf-8")
    _figure(flat, lines, folder / "decoding.png")


def _cells(lines: list[Line], workload: str) -> Cells:
    cells: Cells = defaultdict(list)
    for line in lines:
        if line["workload"] == workload:
            cells[line["batch"], line["system"]].append(line)
    return cells


def _cost(line: Line) -> float:
    """CPU seconds a record."""
    return float(line["cpu"]) / int(line["records"])


def _order(system: str) -> tuple[int, str]:
    names = ("generate", "outlines", "xgrammar", "guidance", "llamacpp", "structout")
    return names.index(system.partition(":")[0]), system


def _ratios(found: Sequence[Line], base: Sequence[Line]) -> list[float]:
    """How many times as many records a second as `base` did, in each round that both were in, in order."""
    costs = {_round(line): _cost(line) for line in base}
    return sorted(costs[_round(line)] / _cost(line) for line in found if _round(line) in costs)


def _round(line: Line) -> tuple[int, int]:
    """What tells which records a cell was measured on."""
    return line["round"], line["records"]


def _counts(found: Sequence[Line]) -> str:
    counts = Counter(line["records"] for line in found)
    return ", ".join(f"{rounds} x {records}" for records, rounds in sorted(counts.items()))


def _range(values: Sequence[float]) -> str:
    """The median, and the lowest and the highest of several."""
    if not values:
        return "–"
    spread = f" ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else ""
    return f"{median(values):.2f}{spread}"


def _table(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def _batch(batch: int, cells: Cells) -> list[str]:
    rows = {system: found for (b, system), found in cells.items() if b == batch and system not in _ABLATED}
    one = next(iter(rows.values()))[0]
    text = [
        f"## Batch {batch}",
        "",
        f"{one['prompt_tokens'] / one['records']:.0f} prompt tokens a record on average, at most {one['max_tokens']} "
        "output tokens.",
        "",
        *_table(
            *("system", "rounds x records", "CPU s/record", "x generate", "x prefix", "x outlines", "x llama.cpp"),
            *("output tokens/CPU s", "passes/record", "output tokens/record", "valid", "cut off", "different answers"),
        ),
    ]
    for system in sorted(rows, key=_order):
        found = rows[system]
        records = sum(line["records"] for line in found)
        written = sum(sum(line["lengths"]) for line in found)
        passes = sum(line["passes"] for line in found) / records
        valid = sum(line["valid"] for line in found) / records
        cut = sum(length >= line["max_tokens"] for line in found for length in line["lengths"]) / records
        answers = {answer for line in found for answer in line["texts"]}
        ratios = [_range(_ratios(found, cells.get((batch, base), []))) for base in _BASES]
        text.append(
            f"| {system} | {_counts(found)} | {_range([*map(_cost, found)])} | "
            + " | ".join(ratios)
            + f" | {written / sum(line['cpu'] for line in found):.1f} | {f'{passes:.1f}' if passes else '–'} "
            f"| {written / records:.0f} | {valid:.0%} | {cut:.0%} | {len(answers)} |"
        )
    return [*text, ""]


_ABLATED = [step for step in _STEPS if step[-1:].isdigit() and step != "structout:int8"]


def _ablation(cells: Cells) -> list[str]:
    batches = sorted({batch for batch, system in cells if system == "structout:0"})
    if not batches:
        return []
    text = [
        "## What each feature brings",
        "",
        "Features switched on one after the other, the first ones with the weights as PyTorch has them. CPU seconds a",
        "record, and in brackets records per CPU second against plain `generate`; the rounds that all of them were in.",
        "",
        *_table("system", *(f"batch {batch}" for batch in batches)),
    ]
    for system, what in _STEPS.items():
        row = []
        for batch in batches:
            rounds = set(map(_round, cells.get((batch, "structout:0"), [])))
            found = [line for line in cells.get((batch, system), []) if _round(line) in rounds]
            ratios = _ratios(found, cells.get((batch, "generate"), []))
            row.append(f"{median(map(_cost, found)):.2f} ({_range(ratios)})" if found else "–")
        text.append(f"| {what} (`{system}`) | {' | '.join(row)} |")
    return [*text, ""]


def _growth(lines: list[Line]) -> list[str]:
    workloads = sorted({line["workload"] for line in lines} - {"flat"}, key=_size)
    text = [
        "## How cost grows",
        "",
        "With the schema (`fields-N`: N fields, which the prompt shows and the answer holds), with the answer",
        "(`items-N`: a list of N objects of six fields), and on the nested schema of `schemas/parts` with two",
        "examples in the prompt.",
        "",
        *_table(
            *("workload", "batch x records", "prompt tokens", "system", "output tokens", "passes", "CPU s/record"),
            *("CPU ms/output token", "valid", "x generate"),
        ),
    ]
    for workload in workloads:
        cells = _cells(lines, workload)
        for (batch, system), found in sorted(cells.items()):
            records = sum(line["records"] for line in found)
            written = sum(sum(line["lengths"]) for line in found)
            spent = sum(line["cpu"] for line in found)
            text.append(
                f"| {workload} | {batch} x {records} | {sum(line['prompt_tokens'] for line in found) / records:.0f} "
                f"| {system} | {written / records:.0f} | {sum(line['passes'] for line in found) / records:.1f} "
                f"| {spent / records:.2f} | {1000 * spent / written:.1f} "
                f"| {sum(line['valid'] for line in found) / records:.0%} "
                f"| {_range(_ratios(found, cells.get((batch, 'generate'), [])))} |"
            )
    return [*text, ""] if workloads else []


def _size(workload: str) -> tuple[str, int]:
    kind, _, number = workload.partition("-")
    return kind, int(number or 0)


_STEERED_BEFORE = [
    "`structout` and `structout:0` differ in one answer, record 12, at its 94th token, and it is no tie: the model",
    "prefers the one token to the other by 5.9 (logits; fp32 and fp64 agree). The budget decides there: the loop ends",
    "a text that has had its share. Those two cells were measured first, before the budget ended texts so soon: with",
    "the grammar package of then the engine gives their answer, and with that of the other cells the loop's, with",
    "every feature on and with every feature off.",
    "",
]


def _agreement(cells: Cells) -> list[str]:
    """How many answers of each system are those of a plain masked loop to the same records."""
    batches = [batch for batch, system in sorted(cells) if system == "structout:loop"]
    if not batches:
        return []
    text = [
        "## Whose answers are those of a plain loop",
        "",
        "`structout:loop` is transformers' own attention, one token a row and step, with structout's mask and budget:",
        "what the engine must agree with. Compared is the text of the answers. Other engines have masks and limits of",
        "their own, `generate`, `llamacpp:plain` and `structout:free` none, and int8 and Q4_1 weights are others.",
        "",
        *_table("batch", "system", "as `structout:loop`"),
    ]
    for batch in batches:
        loop = cells[batch, "structout:loop"]
        for system in sorted({system for b, system in cells if b == batch}, key=_order):
            text.append(f"| {batch} | {system} | {_alike(cells[batch, system], loop, 'texts')} |")
    text.append("")
    if any(cells.get((batch, "structout:0")) and not _agrees(cells, batch, "structout:0") for batch in batches):
        text += _STEERED_BEFORE
    states = {line.get("code") for (_, system), found in cells.items() if system[:9] == "structout" for line in found}
    if len(states) > 1:
        text += [
            f"structout's cells were measured with {len(states)} states of its code: `code` in the raw results.",
            "",
        ]
    return text


def _agrees(cells: Cells, batch: int, system: str) -> bool:
    alike, _, all_ = _alike(cells[batch, system], cells[batch, "structout:loop"], "texts").partition(" of ")
    return alike == all_


def _shares(cells: Cells) -> list[str]:
    text = [
        "## Where structout's time goes",
        "",
        *_table(
            *("batch", "system", "model", "grammar", "rest", "forced", "drafted", "accepted"),
            *("answers as `structout`",),
        ),
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
            + f" | {_alike(found, cells.get((batch, 'structout'), []), 'tokens')} |"
        )
    return [*text, "", "Forced, drafted and accepted tokens are shares of the output tokens.", ""]


def _alike(found: list[Line], base: list[Line], what: str) -> str:
    """How many answers are, in their `tokens` or `texts`, those of `base` to the same records."""
    known = {_round(line): line[what] for line in base}
    pairs = [pair for line in found for pair in zip(line[what], known.get(_round(line), ()), strict=False)]
    return f"{sum(one == other for one, other in pairs)} of {len(pairs)}" if pairs else "–"


def machine_of(file: Path) -> Line:
    """What the machine does, as `file` has it; measured only if there is none yet.

    Measured anew with each report it would say how busy the machine is then, and a busy machine's limit flatters.
    """
    if not file.is_file():
        file.write_text(json.dumps(measure_machine()) + "\n", encoding="utf-8")
    kept: Line = json.loads(file.read_text(encoding="utf-8"))
    return kept


def measure_machine() -> Line:
    """The best that one thread does: GFLOP/s of a large fp32 product, and GB/s read from main memory."""
    import time

    import torch

    torch.set_num_threads(1)
    square, vector = torch.randn(1024, 1024), torch.randn(1 << 26)
    tasks: list[tuple[Callable[[], Any], int]] = [
        (lambda: square @ square, 2 * 1024**3),
        (lambda: vector.sum(), vector.numel() * 4),
    ]
    rates = []
    for work, amount in tasks:
        work()
        spent = []
        for _ in range(7):
            began = time.process_time()
            work()
            spent.append(time.process_time() - began)
        rates.append(amount / min(spent) / 1e9)
    return {"gflops": rates[0], "gigabytes": rates[1]}


def _limits(cells: Cells, machine: Line) -> list[str]:
    """The least CPU time that the passes and tokens that structout computed could take on this machine."""
    text = [
        "## The physical limit",
        "",
        f"One thread of this machine multiplies fp32 matrices at {machine['gflops']:.0f} GFLOP/s and reads "
        f"{machine['gigabytes']:.1f} GB/s,",
        "the best of seven tries, measured once: `decoding_machine.json` (which is made anew where it is missing). A",
        f"token costs 2 x {(_PARAMETERS - _HEAD) / 1e6:.0f}M operations, and 2 x {_HEAD / 1e6:.0f}M more in the output",
        "head if it is an output token; a pass reads 4 bytes for each of the parameters. `floor` is the larger of the",
        "two for what was computed, attention left out: no fp32 engine that computes the same tokens in the same",
        "passes is faster. `no waste` leaves out rejected drafts too.",
        "",
        *_table(
            *("batch", "system", "tokens computed/record", "tokens/pass", "floor, CPU s/record", "measured"),
            *("measured / floor", "no waste"),
        ),
    ]
    for (batch, system), found in sorted(cells.items()):
        if system not in (*_STEPS, "structout:noscore") or system == "structout:int8" or not found[0]["passes"]:
            continue
        records = sum(line["records"] for line in found)
        prompt = sum(line["prompt_tokens"] - line["reused"] for line in found) / records
        output = sum(sum(line["lengths"]) for line in found) / records
        wasted = sum(line["drafted"] - line["accepted"] for line in found) / records
        passes = sum(line["passes"] for line in found) / records
        reading = passes * _PARAMETERS * 4 / machine["gigabytes"] / 1e9
        work = [2 * ((_PARAMETERS - _HEAD) * (prompt + n) + _HEAD * n) for n in (output + wasted, output)]
        floor, least = (max(operations / machine["gflops"] / 1e9, reading) for operations in work)
        spent = median(map(_cost, found))
        computed = prompt + output + wasted
        text.append(
            f"| {batch} | {system} | {computed:.0f} | {computed / passes:.1f} | {floor:.2f} | {spent:.2f} "
            f"| {spent / floor:.1f} | {least:.2f} |"
        )
    return [*text, ""]


def _figure(cells: Cells, lines: list[Line], file: Path) -> None:
    with styled():
        _draw(cells, lines, file)


def _draw(cells: Cells, lines: list[Line], file: Path) -> None:
    from matplotlib.figure import Figure

    batches = sorted({batch for batch, _ in cells})
    figure = Figure(figsize=(4.2 * len(batches) + 4.2, 4.4), layout="constrained")
    axes = figure.subplots(1, len(batches) + 1, squeeze=False)
    for axis, batch in zip(axes[0], batches, strict=False):
        shown = (system for b, system in cells if b == batch and system not in _ABLATED)
        systems = sorted(shown, key=_order, reverse=True)
        speeds = [sorted(1 / _cost(line) for line in cells[batch, system]) for system in systems]
        colors = [COLOURS[0] if system.startswith("structout") else "#b8b8b8" for system in systems]
        axis.barh(systems, [median(speed) for speed in speeds], color=colors)
        axis.hlines(range(len(systems)), [s[0] for s in speeds], [s[-1] for s in speeds], color="black", linewidth=1)
        axis.grid(visible=False, axis="y")
        axis.set_title(f"batch {batch}")
        axis.set_xlabel("records per CPU second")
    last = axes[0][-1]
    for system, color in (("generate", "#b8b8b8"), ("structout", COLOURS[0])):
        for kind, style in (("fields", "o-"), ("items", "s--")):
            found = [line for line in lines if line["system"] == system and line["workload"].startswith(kind)]
            points = sorted((sum(line["lengths"]) / line["records"], _cost(line)) for line in found)
            if points:
                last.plot(*zip(*points, strict=True), style, color=color, label=f"{system}, {kind}")
                last.legend()
    last.set_title("how cost grows (batch 8)")
    last.set_xlabel("output tokens a record")
    last.set_ylabel("CPU seconds a record")
    figure.savefig(file, dpi=120)
