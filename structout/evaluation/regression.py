"""Regressions between two runs, record by record."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from structout.errors import DataError
from structout.evaluation.dataset import Record
from structout.evaluation.metrics import complies
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.report import Report
from structout.evaluation.stats.pairs import Difference, difference, holm
from structout.evaluation.stats.rates import CONFIDENCE
from structout.strategies import load_strategy, spec

_HOLDS: Mapping[str, Callable[[Outcome], bool]] = {"compliance": complies, "record accuracy": lambda o: o.right}


@dataclass(frozen=True)
class Change:
    """The change of one arm in one metric.

    `lost` and `won` are the keys of records that got worse and better; `p` includes Holm's correction for all changes.
    """

    arm: Arm
    metric: str
    difference: Difference
    lost: tuple[str, ...]
    won: tuple[str, ...]
    p: float

    @property
    def is_regression(self) -> bool:
        """Whether the new run is significantly worse."""
        return self.difference.value < 0 and self.p <= 1 - CONFIDENCE


def changes(old: Report, new: Report) -> list[Change]:
    """Compare the arms that both runs have, on the records that both have with the same text and label.

    If each run asked one model, its name does not matter. Raises `DataError` if the runs have nothing in common.
    """
    found = []
    models = [{arm.model for arm in report.arms} for report in (old, new)]
    is_one = all(len(names) == 1 for names in models)
    earlier = {replace(arm, model="") if is_one else arm: outcomes for arm, outcomes in old.arms.items()}
    for arm, outcomes in new.arms.items():
        for metric, holds in _HOLDS.items():
            known = earlier.get(replace(arm, model="") if is_one else arm, [])
            before, after = _shares(known, holds), _shares(outcomes, holds)
            keys = [key for key in after if key in before]
            if keys:
                apart = difference([after[k] for k in keys], [before[k] for k in keys])
                lost = tuple(k[0] for k in keys if after[k] < before[k])
                won = tuple(k[0] for k in keys if after[k] > before[k])
                found.append((arm, metric, apart, lost, won))
    if not found:
        raise _nothing()
    corrected = holm([apart.p for _, _, apart, *_ in found])
    return [Change(*one, p) for one, p in zip(found, corrected, strict=True)]


def check_common(old: Report, strategies: Mapping[str, str], records: Iterable[Record]) -> None:
    """Raise `DataError` if a run of these strategies and records would have nothing in common with an earlier run."""
    named = {*strategies, *(spec(load_strategy(one)) for one in strategies.values() if "{" not in one)}
    known = {_identity(outcome) for outcomes in old.arms.values() for outcome in outcomes}
    if named.isdisjoint(arm.strategy for arm in old.arms) or known.isdisjoint(map(_identity, records)):
        raise _nothing()


def _nothing() -> DataError:
    hint = "compare runs of the same strategies and models on the same records"
    return DataError("the baseline has nothing in common with this run", hint=hint)


def _identity(one: Outcome | Record) -> tuple[str, str, str]:
    return one.key, one.text, repr(one.expected)


def _shares(outcomes: list[Outcome], holds: Callable[[Outcome], bool]) -> dict[tuple[str, str, str], float]:
    """The share of a record's repeats for which `holds` is true, by key, text and label."""
    found: dict[tuple[str, str, str], list[bool]] = {}
    for outcome in outcomes:
        found.setdefault(_identity(outcome), []).append(holds(outcome))
    return {key: sum(values) / len(values) for key, values in found.items()}
