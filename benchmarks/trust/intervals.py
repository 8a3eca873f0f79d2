"""Every interval and guarantee that a report or `certify` prints holds as often as it says, in simulation.

A share of draws that is larger than allowed is a find once chance explains it in one case of a thousand at most. A
guarantee that decides may miss in 5 % of the draws. Wilson's interval, which reports show, is right in 95 % of the
cases on average over shares, not for each share: on average over the shares here, it may miss in 7 %. So may the bounds
where records have several values, since the number of independent values is estimated there.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import guarantees
from benchmarks.trust.trial import Trial, Tried
from structout.evaluation.stats.pairs import difference, holm, mcnemar
from structout.evaluation.stats.rates import Rate, clustered, lower_bound, p_value, records_needed
from structout.evaluation.stats.sequences import confidence_sequence, mean_at_least

_COUNTS = (10, 30, 100, 300, 1000)
_SHARES = (0.3, 0.5, 0.8, 0.9, 0.97, 0.99)
_FAMILIES = ("single", "repeated", "alike")  # one observation a record; several; several that agree more than by chance
_MOST = 10
_GUARANTEE, _SHOWN = 0.05, 0.07
_EVER = 300  # values of a sequence
Make = Callable[[Sequence[float], Sequence[float]], Rate]


def draw(
    rng: np.random.Generator, family: str, share: float, records: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The hits and the sizes of records whose share of hits is `share` in the long run."""
    if family == "single":
        sizes = np.ones(records)
        return rng.binomial(1, share, records).astype(float), sizes
    sizes = rng.integers(1, 8, records).astype(float)
    shares = np.full(records, share) if family == "repeated" else rng.beta(2 * share, 2 * (1 - share), records)
    return rng.binomial(sizes.astype(int), shares).astype(float), sizes


def _is_more(misses: int, draws: int, allowed: float) -> bool:
    """Whether chance does not explain so many misses."""
    return lower_bound(misses, draws, 0.999) > allowed


def rates(count: int, seed: int, make: Make = clustered) -> Tried:
    """The interval and the two bounds of a rate, in `count` draws of each world."""
    broken, table = (
        list[str](),
        ["| records | a record has | interval misses | lower bound misses | upper bound misses |"],
    )
    table.append("| ---: | --- | ---: | ---: | ---: |")
    for records in _COUNTS:
        for family in _FAMILIES:
            misses = dict.fromkeys(("interval", "lower", "upper"), 0)
            worst = dict.fromkeys(misses, 0.0)
            for share in _SHARES:
                rng = np.random.default_rng([seed, records, _FAMILIES.index(family), int(100 * share)])
                here = dict.fromkeys(misses, 0)
                for _ in range(count):
                    rate = make(*map(list, draw(rng, family, share, records)))
                    here["interval"] += not rate.low <= share <= rate.high
                    here["lower"] += rate.lower > share
                    here["upper"] += rate.upper < share
                for name, missed in here.items():
                    misses[name] += missed
                    worst[name] = max(worst[name], missed / count)
                    allowed = _GUARANTEE if family == "single" else _SHOWN
                    if name != "interval" and _is_more(missed, count, allowed):
                        broken.append(
                            f"{records} records, {family}, share {share}: the {name} bound misses {missed} of {count}"
                        )
            draws = count * len(_SHARES)
            if _is_more(misses["interval"], draws, _SHOWN):
                broken.append(f"{records} records, {family}: the interval misses {misses['interval']} of {draws}")
            shown = " | ".join(f"{misses[name] / draws:.1%} (at worst {worst[name]:.1%})" for name in misses)
            what = {"single": "one value", "repeated": "1 to 7 values", "alike": "1 to 7 values, alike"}[family]
            table.append(f"| {records:,} | {what} | {shown} |")
    return Tried(count * len(_COUNTS) * len(_FAMILIES) * len(_SHARES), tuple(broken[:_MOST]), tuple(table))


def tests(count: int, seed: int) -> Tried:
    """Tests of a share, of a pair and of several pairs: how often chance alone passes them at the level of 5 %."""
    found: dict[str, int] = {}
    tried = 0
    for records in _COUNTS:
        for share in _SHARES:
            rng = np.random.default_rng([seed, records, int(100 * share)])
            names = [f"{what}, {records} records" for what in ("a target", "a pair", "the best of five pairs")]
            for _ in range(count):
                tried += 1
                hits = rng.binomial(records, share)
                sides = rng.binomial(1, share, (6, records))
                pairs = [mcnemar(int((sides[0] > one).sum()), int((sides[0] < one).sum())) for one in sides[1:]]
                passed = (p_value(hits, records, share) <= 0.05, pairs[0] <= 0.05, min(holm(pairs)) <= 0.05)
                for name, one in zip(names, passed, strict=True):
                    found[name] = found.get(name, 0) + one
    draws = count * len(_SHARES)
    broken = [
        f"{name}: chance passes {times} of {draws}" for name, times in found.items() if _is_more(times, draws, 0.05)
    ]
    return Tried(tried, tuple(broken[:_MOST]))


def differences(count: int, seed: int) -> Tried:
    """The interval of the difference of two strategies on the same records, which may have repeats."""
    broken, table = list[str](), ["| records | repeats | interval misses |", "| ---: | ---: | ---: |"]
    for records in _COUNTS:
        for repeats in (1, 4):
            missed, draws = 0, 0
            for place, (one, other, both) in enumerate(
                ((0.9, 0.8, 0.5), (0.5, 0.5, 0.9), (0.97, 0.95, 0.0), (0.7, 0.4, 0.3))
            ):
                rng = np.random.default_rng([seed, records, repeats, place])
                for _ in range(count):
                    base, shared = rng.uniform(size=records), rng.uniform(size=records) < both
                    sides = []
                    for share in (one, other):
                        own = rng.uniform(size=(repeats, records))
                        sides.append((np.where(shared, base, own) < share).mean(axis=0))
                    found = difference(list(sides[0]), list(sides[1]), seed=int(rng.integers(1 << 30)))
                    missed += not found.low <= one - other <= found.high
                    draws += 1
            if _is_more(missed, draws, _SHOWN):
                broken.append(f"{records} records, {repeats} repeats: the interval misses {missed} of {draws}")
            table.append(f"| {records:,} | {repeats} | {missed / draws:.1%} |")
    return Tried(count * 4 * len(_COUNTS) * 2, tuple(broken[:_MOST]), tuple(table))


def sequences(count: int, seed: int, make: Callable[[Sequence[float]], Any] = confidence_sequence) -> Tried:
    """Confidence sequences: draws in which the interval after any of 300 values misses the mean."""
    broken = list[str]()
    for share in (0.05, 0.5, 0.9, 0.99):
        rng = np.random.default_rng([seed, int(100 * share)])
        ever = below = 0
        for _ in range(count):
            values = list(rng.binomial(1, share, _EVER).astype(float))
            ever += any(not low <= share <= high for low, high in make(values))
            below += mean_at_least(values) > share
        for name, missed in (("interval", ever), ("lower bound", below)):
            if _is_more(missed, count, _GUARANTEE):
                broken.append(f"share {share}: the {name} misses {missed} of {count}")
    return Tried(count * 4, tuple(broken))


def certificates(count: int, seed: int) -> Tried:
    """Certificates of `certify`: draws in which the true error above the threshold is larger than promised."""
    broken, table, times = (
        list[str](),
        ["| source | records | unit | certified | broken |", "| --- | ---: | --- | ---: | ---: |"],
        0,
    )
    for world in guarantees.WORLDS:
        for records in guarantees.COUNTS:
            found = list(guarantees.simulate(world, records, 0.1, count, seed))
            units = ["records"] if world.size == 1 else ["suppliers"]
            for unit in units:
                certified = [one[unit] for one in found if unit in one]
                missed = certified.count(False)
                times += count
                table.append(
                    f"| {world.name} | {records} | {unit} | {len(certified) / count:.0%} | {missed / count:.1%} |"
                )
                if _is_more(missed, count, _GUARANTEE):
                    broken.append(f"{world.name}, {records} records, by {unit}: {missed} of {count} are broken")
    return Tried(times, tuple(broken[:_MOST]), tuple(table))


def alarms(count: int, seed: int) -> Tried:
    """False alarms of `run --watch` over 2,000 rows without a shift."""
    broken = []
    for labelled in (100, 300):
        missed = sum(guarantees.alarm(2000, labelled, 0.0, 2000, seed * count + n) is not None for n in range(count))
        if _is_more(missed, count, _GUARANTEE):
            broken.append(f"{labelled} labelled records: {missed} false alarms of {count}")
    return Tried(count * 2, tuple(broken))


def needs(count: int, seed: int) -> Tried:
    """Numbers of records that are needed to show a target: so many show it, and one less does not."""
    rng, broken = np.random.default_rng(seed), list[str]()
    for _ in range(count):
        target = float(rng.uniform(0.3, 0.999))
        needed = records_needed(target)
        if needed is None or lower_bound(needed, needed) < target or lower_bound(needed - 1, needed - 1) >= target:
            broken.append(f"{needed} records for {target}")
    return Tried(count, tuple(broken[:_MOST]))


TRIALS = (
    Trial("rates: Wilson's interval and the one-sided bounds, clustered by record and not", 60, 2_000, rates),
    Trial("tests of a target, of a pair (McNemar) and of several pairs (Holm)", 60, 2_000, tests),
    Trial("intervals of the difference of two strategies (bootstrap)", 10, 400, differences),
    Trial("confidence sequences, at every number of records at once", 40, 1_500, sequences),
    Trial("certificates of `certify`, clustered by supplier and not", 30, 1_000, certificates),
    Trial("false alarms of `run --watch`", 10, 500, alarms),
    Trial("records that a target needs", 100, 5_000, needs),
)
