"""Confidence thresholds that bound the error rate of accepted records."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any, Final

import numpy as np

from structout.completion import Sampling
from structout.errors import DataError, SpecError
from structout.evaluation.dataset import Dataset
from structout.evaluation.harness import evaluate, labelled
from structout.evaluation.log import measured
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.recommendation import measured_with
from structout.evaluation.stats.rates import CONFIDENCE, Rate, wilson
from structout.evaluation.stats.thresholds import Evidence, Sure, threshold
from structout.models import Model
from structout.shift import Reference
from structout.strategies import On, Strategy, Verify, load_strategy, spec, strategy_of
from structout.verifiers import Confident
from structout.verifiers.confident import Of

Confidence = Callable[[Outcome], float | None]
CERTIFY = "certify"  # who made a run, in the header of a log


@dataclass(frozen=True)
class Certificate:
    """A confidence threshold, with the error rate that is guaranteed at or above it.

    With 95 % confidence, at most the share `max_error` of the accepted records is wrong, if the target `is_met`.
    `threshold` is None if no threshold met it, or if the strategy gives no confidence: then the certificate is for
    all records that the strategy accepts. `coverage` is the share of records that are accepted so; `errors` of the
    `accepted` test records were wrong, and `worst` is the upper bound of the error rate. `base_error` is the error
    rate without a threshold; `bound` is the least share of these records that any method must reject to reach
    `max_error`. `source` is the model as `load_model` takes it. The certificate holds for answers of at most
    `max_tokens`, with the train records of `dataset` as examples. `evidence` says what the certificate rests on, and
    `of` says which confidence the threshold is for, as `Confident` takes it (None: of the caller), and
    `tried` how many strategies were measured on records that judge, by the log: the confidence of 95 % is for one
    strategy that was chosen before. `confidences` are of all dev and test records, for `structout run --watch`: of the
    whole answer or of the least sure value, as the threshold is.
    """

    strategy: str
    model: str
    max_error: float
    threshold: float | None
    coverage: Rate
    accepted: int
    errors: int
    worst: float
    base_error: Rate
    bound: float
    n: int
    source: str
    dataset: str
    max_tokens: int
    is_met: bool
    evidence: Evidence
    of: Of | None = "values"
    tried: int = 1
    confidences: tuple[float, ...] = field(default=(), repr=False)

    @property
    def lacks_records(self) -> bool:
        """Whether the target is not met for want of records: at these rates, more would show it."""
        return not self.is_met and self.evidence.needed is not None

    @property
    def reference(self) -> Reference:
        """The confidences, with the part of an answer that they are of."""
        return Reference(self.confidences, self.of or "values")

    def written(self, place: str | None = None) -> str:
        """The strategy with its threshold, as text for a file that `load_strategy` reads. `place` is the data set.

        Raises `DataError` if the target is not met.
        """
        if not self.is_met:
            problem = "no threshold met the target with the required confidence"
            raise DataError(problem, hint="label more records, or allow a higher error rate")
        strategy: Strategy = On(self.source, load_strategy(self.strategy))
        if self.threshold is not None and self.of is None:
            raise DataError("a strategy cannot apply a confidence of your own", hint="omit confidence")
        if self.threshold is not None and self.of is not None:
            strategy = Verify(strategy, Confident(self.threshold, of=self.of))
        allowed, sure = f"{100 * self.max_error:g} %", f"{100 * CONFIDENCE:.0f} %"
        covered = f"{100 * self.coverage.value:.0f} % of {self.n} test records"
        return (
            f"# At most {allowed} of the accepted records are wrong, with {sure} confidence"
            f"{several_tried(self.tried, ', but ')}.\n"
            f"# It accepted {covered}: {self.errors} of {self.accepted} were wrong, which bounds the error at "
            f"{100 * self.worst:.1f} %.\n"
            f"{measured_with(place or self.dataset, self.max_tokens, self.strategy)}{spec(strategy)}\n"
        )


def certify(
    strategy: Strategy | str,
    dataset: Dataset,
    max_error: float = 0.05,
    *,
    model: Model | str = "embedded",
    confidence: Confidence | None = None,
    folds: int | None = None,
    sampling: Sampling | None = None,
    log: str | Path | None = None,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Certificate:
    """Find a threshold at which at most `max_error` of the accepted records are wrong, with a finite-sample guarantee.

    The dev records propose thresholds and their order, and the test records judge the thresholds in this order until
    one fails, by Learn-then-Test (Angelopoulos et al. 2021). `confidence` returns the strategy's confidence in an
    outcome: by default `Outcome.answer_sureness`, which ranks records best, or `Outcome.sureness` where a dev record
    lacks the former, as after a `Vote`. If the records of `dataset` have groups, such as suppliers, the guarantee holds
    although the records of a group may be wrong together. Without any confidence, all accepted records are certified,
    or none. Raises `DataError` if there are no dev or test records.

    `folds` uses all labelled records: each is asked once, as `evaluate` says; a quarter of them proposes thresholds,
    and the rest judges them. The certificate is then approximate: the strategy that is used shows other examples.
    """
    built, sampling = strategy_of(strategy), sampling or Sampling()
    dev, test = halves(built, dataset, model, folds, sampling=sampling, log=log, progress=progress)
    groups = {record.key: record.group for record in dataset}
    of = None if confidence else _known(dev)
    by = confidence or _BY[of or "values"]
    proposed, judged = (_judged(part, by, groups) for part in (dev, test))
    found = threshold(proposed, judged, max_error)
    every = np.ones(len(judged.sure), bool)
    passed = every if found is None else judged.above(found)
    base, above = judged.rate(every), judged.rate(passed)
    is_met = found is not None or (not judged.above(-inf).any() and judged.p_value(every, max_error) <= 1 - CONFIDENCE)
    accepted, errors = int(passed.sum()), judged.errors(passed)
    coverage = wilson(accepted / len(test) if is_met else 0.0, len(test))
    worst = above.upper if accepted else 1.0
    bound = max(0.0, (base.value - max_error) / (1 - max_error))
    name = test[0].model
    source = model if isinstance(model, str) else name
    sure = map(_BY[of or "values"], (*dev, *test))  # a confidence of the caller is unknown to a run
    return Certificate(
        strategy=spec(built), model=name, max_error=max_error, threshold=found, coverage=coverage, accepted=accepted,
        errors=errors, worst=worst, base_error=base, bound=bound, n=len(test), source=source, dataset=dataset.name,
        max_tokens=sampling.max_tokens, is_met=is_met, evidence=Evidence.of(judged, len(test), max_error), of=of,
        tried=tried(log, test, Arm(spec(built), name)), confidences=tuple(one for one in sure if one is not None),
    )  # fmt: skip


_BY: Final[dict[Of, Confidence]] = {
    "answer": lambda outcome: outcome.answer_sureness,
    "values": lambda outcome: outcome.sureness,
}


def _known(outcomes: Sequence[Outcome]) -> Of:
    """The confidence that all accepted outcomes have: of the whole answer if possible."""
    accepted = [outcome for outcome in outcomes if outcome.ok]
    return "answer" if accepted and all(outcome.answer_sureness is not None for outcome in accepted) else "values"


def tried(log: str | Path | None, judging: Sequence[Outcome], arm: Arm) -> int:
    """How many strategies the log holds, whoever measured them, for records that judge `arm`, with that of `arm`. A
    choice by other records needs no correction.
    """
    texts = {outcome.text for outcome in judging}
    return len({_bare(one) for one in (arm, *(measured(log, texts) if log is not None else ()))})


def _bare(arm: Arm) -> Arm:
    """The arm without what certifies it, and with the model that an `On` around its strategy names: `On(M, X)` is X
    with the model M, and `Verify(X, Confident(...))` is X with a threshold.
    """
    with suppress(SpecError):
        strategy = load_strategy(arm.strategy)
        if isinstance(strategy, Verify) and isinstance(strategy.verifier, Confident):
            return _bare(replace(arm, strategy=spec(strategy.inner)))
        if isinstance(strategy, On):
            model = strategy.model if isinstance(strategy.model, str) else strategy.model.name
            return _bare(replace(arm, strategy=spec(strategy.inner), model=model))
    return arm


def several_tried(count: int, before: str = "") -> str:
    """A clause for more than one strategy that was tried on the same records; "" for one."""
    if count < 2:
        return ""
    told = f"{count} strategies were tried on these records: the {100 * CONFIDENCE:.0f} % holds for one strategy"
    return f"{before}{told} that was chosen before, not for the best of several"


def halves(
    strategy: Strategy, dataset: Dataset, model: Model | str, folds: int | None, **how: Any
) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]]:
    """The outcomes that propose thresholds, and those that judge the thresholds. `how` is as `evaluate` takes it."""
    how["about"] = {"by": CERTIFY}  # for whoever reads the log
    if folds is None:
        parts = [labelled(dataset).split("dev"), dataset.split("test")]
        dev, test = (tuple(evaluate([strategy], model, part, examples=dataset, **how).outcomes) for part in parts)
        return dev, test
    asked = evaluate([strategy], model, labelled(dataset), folds=folds, **how).outcomes
    proposing = {record.key for record in dataset.shuffled().head(max(1, len(dataset) // 4))}
    dev, test = (tuple(o for o in asked if (o.key in proposing) is is_dev) for is_dev in (True, False))
    return dev, test


def _judged(outcomes: Sequence[Outcome], confidence: Confidence, groups: Mapping[str, str | None]) -> Sure:
    """The accepted documents among outcomes. `groups` names the group of a key; None is a group of its own."""
    accepted = [outcome for outcome in outcomes if outcome.ok]
    known = [confidence(outcome) for outcome in accepted]
    named = [group_of(outcome, groups) for outcome in accepted]
    return Sure(
        [-inf if one is None else one for one in known],
        [not outcome.right for outcome in accepted],
        named if any(group is not None for group in groups.values()) else (),
    )


def group_of(outcome: Outcome, groups: Mapping[str, str | None]) -> str:
    """The group of an outcome's record: a record without one is a group of its own."""
    group = groups.get(outcome.key)
    return f"key {outcome.key}" if group is None else f"group {group}"
