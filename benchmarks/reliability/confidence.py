"""Which confidence ranks records best? Run it: `python -m benchmarks.reliability.confidence`.

The confidence of a record is the least confidence of its values, or the probability of its whole answer. `--data` holds
`addresses.jsonl` and `snips.jsonl`, `--tuned` a model for each in a folder of its name, fine-tuned on the train records
of `sets.parts`. It answers the records for heads and calibration; the test records stay unread. For each draw, half of
these records propose thresholds and half judge them, as `certify` does. What it finds is written to
results/confidence.md.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.reliability import sets
from structout import Constrained, Sampling, evaluate, load_model
from structout.evaluation.outcome import Outcome
from structout.evaluation.stats.thresholds import Sure, threshold

DRAWS = 500
_ERRORS = (0.1, 0.15, 0.2)
_BY: dict[str, Callable[[Outcome], float | None]] = {
    "least of the values": lambda outcome: outcome.sureness,
    "whole answer": lambda outcome: outcome.answer_sureness,
}
_RANKS = "| set | records | right | confidence | AUC | more than the least (95 %) | wrong at 80 % yield | at 50 % |"
_CERTIFIED = "| set | at most wrong | {} | draws with a certificate | mean yield of these | of all draws |"

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


def area(sure: Numbers, right: Flags) -> float:
    """The probability that a right record is surer than a wrong one (AUC)."""
    good, bad = sure[right][:, None], sure[~right][None]
    return float((good > bad).mean() + 0.5 * (good == bad).mean())


def ranks(name: str, known: dict[str, Numbers], right: Flags, draws: int) -> Iterator[str]:
    """The lines of the first table: how well each confidence ranks the records."""
    base = next(iter(known.values()))
    for way, sure in known.items():
        random, more = np.random.default_rng(0), []
        for _ in range(draws):
            some = random.integers(0, len(right), len(right))
            more.append(area(sure[some], right[some]) - area(base[some], right[some]))
        low, high = np.quantile(more, [0.025, 0.975])
        order = np.argsort(-sure, kind="stable")
        wrong = [1 - right[order[: int(share * len(right))]].mean() for share in (0.8, 0.5)]
        gain = "–" if sure is base else f"{low:+.3f} to {high:+.3f}"
        yield (
            f"| {name} | {len(right)} | {right.mean():.0%} | {way} | {area(sure, right):.3f} | {gain} | {wrong[0]:.0%} "
            f"| {wrong[1]:.0%} |"
        )


def certified(name: str, known: dict[str, Numbers], right: Flags, draws: int) -> Iterator[str]:
    """The lines of the second table: how often a threshold is found, and what it keeps."""
    for max_error in _ERRORS:
        for way, sure in known.items():
            random, yields = np.random.default_rng(1), []
            for _ in range(draws):
                mixed = random.permutation(len(right))
                dev, test = mixed[: len(right) // 2], mixed[len(right) // 2 :]
                halves = [Sure(sure[part].tolist(), (~right[part]).tolist()) for part in (dev, test)]
                found = threshold(halves[0], halves[1], max_error)
                if found is not None:
                    yields.append(float((sure[test] >= found).mean()))
            mean = f"{np.mean(yields):.0%}" if yields else "–"
            yield (
                f"| {name} | {max_error:.0%} | {way} | {len(yields) / draws:.0%} | {mean} | {sum(yields) / draws:.0%} |"
            )


def write(file: str, title: str, made: str, ranked: Sequence[str], what: str, found: Sequence[str]) -> None:
    """Write a page of results: how it was made, a first table, and the lines of `certified`, by `what` they compare."""
    text = [
        f"# {title}",
        "",
        made,
        "",
        *ranked,
        "",
        "How often `certify` finds a threshold that it can promise, with half of the records to propose thresholds and "
        "half to judge them:",
        "",
        _CERTIFIED.format(what),
        "| --- | ---: | --- | ---: | ---: | ---: |",
        *found,
        "",
    ]
    (sets.ROOT / "benchmarks" / "results" / file).write_text("\n".join(text), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability.confidence", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tuned", type=Path, required=True)
    parser.add_argument("--logs", type=Path, default=Path(".structout/confidence"))
    parser.add_argument("--draws", type=int, default=DRAWS)
    options = parser.parse_args()
    first, second = [_RANKS, "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |"], list[str]()
    for name in ("addresses", "snips"):
        parts = sets.parts(name, options.data)
        assert parts is not None, f"no {name} in {options.data}"
        model, how = load_model(f"path:{options.tuned / name}"), Sampling(max_tokens=sets.MAX_TOKENS[name])
        kept: dict[str, Outcome] = {}
        for part in (parts.heads, parts.calibration):
            log = options.logs / f"{name}.jsonl"
            report = evaluate([Constrained(quote=True)], model, part, examples=parts.train, sampling=how, log=log)
            kept |= {outcome.key: outcome for outcome in report.outcomes if outcome.ok}
        right = np.array([outcome.right for outcome in kept.values()], bool)
        known = {way: np.array([by(outcome) or 0.0 for outcome in kept.values()]) for way, by in _BY.items()}
        first += ranks(name, known, right, options.draws)
        second += certified(name, known, right, options.draws)
    made = (
        f"Made by `python -m benchmarks.reliability.confidence`, {options.draws:,} draws a line: the embedded model, "
        "fine-tuned on 300 records, with `Constrained(quote=True)`."
    )
    write("confidence.md", "Which confidence ranks records best", made, first, "confidence", second)


if __name__ == "__main__":
    main()
