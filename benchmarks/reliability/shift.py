"""Does `run --watch` notice rows of another source? Run it: `python -m benchmarks.reliability.shift`.

`addresses.jsonl` in `--data` has two sources, whose addresses are written in other ways. `--tuned` is a model that was
fine-tuned on `sets.parts("addresses", ...).train`, which has records of both. For each draw, 150 records of one source
are the labelled records that the confidences come from; then come the other records of this source, in which an alarm
is a false one, or the records of the other source. What it finds is written to results/shift.md.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import mean, median

from benchmarks.reliability import sets
from structout import Constrained, Dataset, Sampling, evaluate, load_model
from structout.evaluation.outcome import Outcome
from structout.shift import ShiftDetector

DRAWS = 500
LABELLED = 150
_HEADS = "| certified on | right | then rows of | right | rows | draws with an alarm | rows until the alarm, median |"


def alarm(labelled: Sequence[Outcome], stream: Sequence[Outcome]) -> int | None:
    """The row of the alarm in a stream of outcomes; None without an alarm."""
    detector = ShiftDetector([_sure(one) for one in labelled], 20.0 * len(stream))
    return next((row for row, one in enumerate(stream, 1) if detector.add(_sure(one))), None)


def table(sources: dict[str, list[Outcome]], draws: int) -> list[str]:
    """The lines of the table: each source followed by itself, and by the other."""
    lines = [_HEADS, "| --- | ---: | --- | ---: | ---: | ---: | ---: |"]
    random = Random(0)
    for one in sources:
        for other in sources:
            found, rows = [], 0
            for _ in range(draws):
                known = random.sample(sources[one], len(sources[one]))
                later = known[LABELLED:] if other == one else random.sample(sources[other], len(sources[other]))
                found.append(alarm(known[:LABELLED], later))
                rows = len(later)
            at = [row for row in found if row is not None]
            until = f"{median(at):.0f}" if at else "–"
            lines.append(
                f"| {one} | {_right(sources[one])} | {other} | {_right(sources[other])} | {rows} "
                f"| {len(at) / draws:.1%} | {until} |"
            )
    return lines


def _sure(outcome: Outcome) -> float:
    return outcome.sureness or 0.0


def _right(outcomes: Sequence[Outcome]) -> str:
    return f"{mean(one.right for one in outcomes):.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability.shift", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tuned", type=Path, required=True)
    parser.add_argument("--log", type=Path, default=Path(".structout/shift.jsonl"))
    parser.add_argument("--draws", type=int, default=DRAWS)
    options = parser.parse_args()
    found = sets.parts("addresses", options.data)
    assert found is not None, f"no addresses in {options.data}"
    file = options.data / "addresses.jsonl"
    grouped = Dataset.load(file, str(file.with_suffix(".schema.json")), group="source")
    names = {record.key: Path(record.group or "").stem for record in grouped}
    model, how = load_model(f"path:{options.tuned}"), Sampling(max_tokens=sets.MAX_TOKENS["addresses"])
    sources: dict[str, list[Outcome]] = {}
    for part in (found.heads, found.calibration, found.test):
        report = evaluate([Constrained(quote=True)], model, part, examples=found.train, sampling=how, log=options.log)
        for outcome in report.outcomes:
            if outcome.ok:
                sources.setdefault(names[outcome.key], []).append(outcome)
    text = [
        "# The alarm of `run --watch` on another source",
        "",
        f"Made by `python -m benchmarks.reliability.shift`, {options.draws:,} draws a line: the fine-tuned embedded "
        f"model with `Constrained(quote=True)`, {LABELLED} labelled addresses of one source, then others of this "
        "source (an alarm is false, and at most 5 % of the draws may have one) or of the other.",
        "",
        *table(sources, options.draws),
        "",
    ]  # fmt: skip
    (sets.ROOT / "benchmarks" / "results" / "shift.md").write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
