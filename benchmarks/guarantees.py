"""Do the guarantees of `certify` and of `run --watch` hold? `python -m benchmarks.guarantees` simulates them.

What it finds is written to results/guarantees.md.

Each draw is a labelled data set: half of its records propose thresholds and half judge them. A record has a confidence,
and is wrong with a probability that falls with the confidence. In clustered data, a supplier shifts this probability
for all of its records. The true error above a threshold is known, so each draw shows whether the certificate of this
draw keeps its promise.

For `--watch`, the logit of a confidence is normal, and a shift moves its mean by standard deviations at some row.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from structout.evaluation.stats.rates import upper_bound
from structout.evaluation.stats.thresholds import Sure, threshold
from structout.shift import ShiftDetector

RESULTS = Path(__file__).parent / "results"
DRAWS = 2000
_POPULATION = 400_000  # records that show the true error above each threshold
_ERRORS = (0.02, 0.05, 0.1)


@dataclass(frozen=True)
class World:
    """A source of records: the share of wrong records, how well confidence ranks them, and how alike suppliers are.

    `spread` is the standard deviation between suppliers on the logit scale, `size` the mean number of records of a
    supplier.
    """

    name: str
    error: float
    slope: float
    spread: float = 0.0
    size: int = 1

    def draw(self, count: int, random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[str]]:
        """The confidences, whether the records are wrong, and the suppliers of `count` records."""
        sizes = random.geometric(1 / self.size, count)
        supplier = np.repeat(np.arange(count), sizes)[:count]
        shift = random.normal(0, self.spread, count)[supplier] if self.spread else np.zeros(count)
        sure = random.uniform(size=count)
        logit = np.log(self.error / (1 - self.error)) + self.slope * (0.5 - sure) + shift
        wrong = random.uniform(size=count) < 1 / (1 + np.exp(-logit))
        return sure, wrong, [str(one) for one in supplier]


WORLDS = (
    World("independent, 30 % wrong", 0.3, 6.0),
    World("independent, 5 % wrong", 0.05, 4.0),
    World("independent, few failures: 1 % wrong", 0.01, 3.0),
    World("confidence says nothing, 10 % wrong", 0.1, 0.0),
    World("suppliers of 5, little alike", 0.2, 6.0, 0.7, 5),
    World("suppliers of 10, alike", 0.2, 6.0, 1.5, 10),
    World("suppliers of 20, few failures", 0.01, 3.0, 1.5, 20),
)
COUNTS = (100, 300, 1000)


def simulate(world: World, count: int, max_error: float, draws: int, seed: int = 0) -> Iterator[dict[str, bool]]:
    """For each draw and way (records, or suppliers, as units): whether a threshold was found, and whether it holds."""
    random = np.random.default_rng([seed, count, int(1e4 * max_error)])
    sure, wrong, _ = world.draw(_POPULATION, random)
    order = np.argsort(-sure)
    falling, errors = sure[order], np.cumsum(wrong[order]) / np.arange(1, len(sure) + 1)
    for _ in range(draws):
        halves = [world.draw(count, random) for _ in range(2)]
        found: dict[str, bool] = {}
        for way, by_supplier in (("records", False), ("suppliers", True))[: _ways(world)]:
            proposed, judged = (
                Sure(sure.tolist(), wrong.tolist(), suppliers if by_supplier else ())
                for sure, wrong, suppliers in halves
            )
            least = threshold(proposed, judged, max_error)
            if least is not None:
                passed = int(np.searchsorted(-falling, -least, side="right"))
                found[way] = bool(errors[max(passed, 1) - 1] <= max_error)
        yield found


def alarm(rows: int, labelled: int, shift: float, start: int, seed: int) -> int | None:
    """The row of the alarm in a run whose confidences shift at row `start`; None without an alarm."""
    random = np.random.default_rng([seed, rows, labelled, start, int(100 * abs(shift))])
    logits = random.normal(1.5, 1.5, labelled + rows)
    logits[labelled + start :] += 1.5 * shift
    sure = (1 / (1 + np.exp(-logits))).tolist()
    detector = ShiftDetector(sure[:labelled], 20.0 * rows)
    return next((row for row, one in enumerate(sure[labelled:], 1) if detector.add(one)), None)


def watched(draws: int) -> list[str]:
    """The lines of the table on shifts: false alarms, and rows until the alarm."""
    lines = [
        "| rows | labelled | shift | at row | runs | no alarm | early | rows until the alarm, median | 90 % |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for rows, runs in ((2000, draws), (80_000, max(1, draws // 40))):
        for labelled in (100, 300):
            for shift, start in ((0.0, rows), *((s, at) for s in (-0.5, -1.0, 1.0) for at in (0, rows // 2))):
                found = [alarm(rows, labelled, shift, start, seed) for seed in range(runs)]
                early = sum(one is not None and one <= start for one in found) / runs
                late = [one - start for one in found if one is not None and one > start]
                until = f"{np.median(late):.0f} | {np.quantile(late, 0.9):.0f}" if late else "– | –"
                lines.append(
                    f"| {rows:,} | {labelled} | {shift:g} | {start:,} | {runs:,} | {found.count(None) / runs:.1%} "
                    f"| {early:.1%} | {until} |"
                )
                print(lines[-1], flush=True)
    return lines


def _ways(world: World) -> int:
    return 1 if world.size == 1 else 2


def table(draws: int) -> list[str]:
    """The lines of the table: one for each world, number of records, error and way."""
    lines = [
        "| records | of each | at most wrong | unit | certified | promises broken | at most, with 95 % confidence |",
        "| --- | ---: | ---: | --- | ---: | ---: | ---: |",
    ]
    for world in WORLDS:
        for count in COUNTS:
            for max_error in _ERRORS:
                found = list(simulate(world, count, max_error, draws))
                for way in ("records", "suppliers")[: _ways(world)]:
                    certified = [one[way] for one in found if way in one]
                    broken = certified.count(False)
                    lines.append(
                        f"| {world.name} | {count:,} | {100 * max_error:g} % | {way} | {len(certified) / draws:.1%} "
                        f"| {broken / draws:.1%} | {upper_bound(broken, draws):.1%} |"
                    )
                    print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guarantees", description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS)
    draws = parser.parse_args().draws
    text = [
        "# The guarantee of `certify`, simulated",
        "",
        f"Made by `python -m benchmarks.guarantees`, {draws:,} draws a line; see there what is drawn. A promise is "
        "broken where a threshold was certified and the true share of wrong records above it is larger than promised. "
        "At most 5 % of the draws may break their promise.",
        "",
        *table(draws),
        "",
        "## The alarm of `run --watch`",
        "",
        "A shift is in standard deviations of the logit of the confidences. An alarm before the shift is early, "
        "and at most 5 % of the runs may have one.",
        "",
        *watched(draws),
        "",
    ]
    (RESULTS / "guarantees.md").write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
