"""The table and the figure of the fine-tuning benchmark."""

import random
from pathlib import Path
from typing import Any

from structout import Report
from structout.evaluation.scoring.score import score
from structout.evaluation.stats.rates import Rate
from structout.finetuning.curve import draw as draw_curves

_DRAWS = 2000
_HEADS = (
    "| strategy | | n | compliance | value accuracy | record accuracy | tokens | seconds |",
    "|---|---|---:|---:|---:|---:|---:|---:|",
)


def gain(before: Report, after: Report, strategy: str) -> dict[str, float]:
    """How much value accuracy went up, with a 95 % bootstrap interval over the records that both were asked."""
    scores = [
        {o.key: score(o.expected, o.document) for o in one.outcomes if o.strategy == strategy}
        for one in (before, after)
    ]
    keys = sorted(scores[0].keys() & scores[1].keys())
    draw = random.Random(0)

    def difference(drawn: list[str]) -> float:
        shares = [sum(s[k].right for k in drawn) / max(1, sum(s[k].leaves for k in drawn)) for s in scores]
        return shares[1] - shares[0]

    found = sorted(difference(draw.choices(keys, k=len(keys))) for _ in range(_DRAWS))
    return {"gain": difference(keys), "low": found[_DRAWS // 40], "high": found[-_DRAWS // 40]}


def keys_right(of: Report, strategy: str) -> float | None:
    """The share of an expected document's keys with the right value, where some are null: those are no leaves, so that
    value accuracy does not count them.
    """
    outcomes = [one for one in of.outcomes if one.strategy == strategy]
    wanted = [(one.document, one.expected) for one in outcomes if isinstance(one.expected, dict)]
    pairs = [(document, key, value) for document, expected in wanted for key, value in expected.items()]
    if all(value is not None for _, _, value in pairs):
        return None
    return sum(isinstance(said, dict) and said.get(key) == value for said, key, value in pairs) / len(pairs)


def write(results: dict[str, Any], folder: Path) -> None:
    """Write `finetuning.md` and `finetuning.png` of what was measured."""
    text = [
        "# Fine-tuning the embedded model",
        "",
        "Written by `python -m benchmarks.finetuning` from `finetuning.json`. SmolLM2-135M-Instruct; rates on test",
        "records with 95 % intervals. Before: the schema in the prompt, no examples. After: one line of instruction",
        "and the record. Training is in CPU minutes of one core that other work shared; tokens and seconds are per",
        "record.",
        "",
    ]
    for name, found in results.items():
        if "after" in found:
            text += _before_and_after(name, found)
        if "alone" in found:
            text += _alone(found["alone"])
        if "preferences" in found:
            text += _preferred(found["preferences"])
    curves = {name: found["curve"] for name, found in results.items() if "curve" in found}
    if curves:
        text += [
            "## What more labels buy",
            "",
            "`Constrained()` on the same test records, after 4 passes (more over the smallest sets).",
            "",
        ]
        text += ["| set | labels | compliance | value accuracy | record accuracy |", "|---|---:|---:|---:|---:|"]
        for name, points in curves.items():
            text += [f"| {name} | {point['labels']} | {_rates(point['row'])} |" for point in points]
        text += ["", "![learning curve](finetuning.png)", ""]
        draw_curves(
            {name: [_point(point) for point in points] for name, points in curves.items()}, folder / "finetuning.png"
        )
    (folder / "finetuning.md").write_text("\n".join(text), encoding="utf-8")


def _alone(found: dict[str, Any]) -> list[str]:
    minutes = found["cost"]["cpu_seconds"] / 60
    return [
        f"Of the labelled records alone, in {minutes:.1f} CPU minutes:",
        "",
        *_HEADS,
        *(_line(row, "labels alone") for row in found["rows"]),
        "",
        "What the generated ones brought, on the same records:",
        "",
        *_gains(found["gains"]),
        "",
    ]


def _before_and_after(name: str, found: dict[str, Any]) -> list[str]:
    training, cost = found["training"], found["cost"]
    how = f"rank {training['rank']}" if training["rank"] else "all weights"
    more = f" and {found['generated']} generated ones, learnt once each" if found.get("generated") else ""
    return [
        f"## {name}",
        "",
        f"{found['labels']} labelled records{more}, {how}, at most {training['passes']} passes: "
        f"{cost['cpu_seconds'] / 60:.1f} CPU minutes, {cost['peak_mb'] / 1024:.1f} GB at the peak.",
        "",
        *_HEADS,
        *(_line(row, "before") for row in found["before"]),
        *(_line(row, "after") for row in found["after"]),
        "",
        *_keys({name: share for name, share in found["keys"].items() if share is not None}),
    ]


def _keys(shares: dict[str, float]) -> list[str]:
    said = ", ".join(f"`{name}` {100 * share:.1f} %" for name, share in shares.items())
    return [f"Of all keys, those that are rightly null counted as well, right: {said}.", ""] if shares else []


def _preferred(found: dict[str, Any]) -> list[str]:
    lines = [
        f"Preferences on top: {found['pairs']} pairs from sampled answers to the train records, "
        f"{found['cpu_seconds'] / 60:.1f} CPU minutes of DPO.",
        "",
        *_HEADS,
        *(_line(row, "preferred") for row in found["after"]),
        "",
    ]
    return [*lines, *_gains(found["gains"]), ""]


def _gains(gains: dict[str, dict[str, float]]) -> list[str]:
    return [
        f"- `{strategy}`: value accuracy {100 * one['gain']:+.1f} points "
        f"({100 * one['low']:+.1f} to {100 * one['high']:+.1f})"
        for strategy, one in gains.items()
    ]


def _line(row: dict[str, Any], when: str) -> str:
    cost = row["cost"]
    costs = f"{cost['tokens']:.0f} | {cost['seconds']:.2f}"
    return f"| {row['strategy']} | {when} | {row['n']} | {_rates(row)} | {costs} |"


def _rates(row: dict[str, Any]) -> str:
    return " | ".join(_rate(row["rates"][name]) for name in ("compliance", "value accuracy", "record accuracy"))


def _rate(rate: dict[str, float]) -> str:
    return f"{100 * rate['value']:.1f} % {100 * rate['low']:.0f}–{100 * rate['high']:.0f}"


def _point(point: dict[str, Any]) -> tuple[int, dict[str, Rate]]:
    return point["labels"], {name: Rate(**rate) for name, rate in point["row"]["rates"].items()}
