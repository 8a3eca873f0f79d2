"""Confidence thresholds for single fields, which bound the error rate of each field."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

import numpy as np

from structout.completion import Sampling
from structout.errors import DataError, SpecError
from structout.evaluation.certification import group_of, halves, several_tried, tried
from structout.evaluation.dataset import Dataset
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.recommendation import measured_with
from structout.evaluation.stats.rates import CONFIDENCE, Rate, wilson
from structout.evaluation.stats.thresholds import Evidence, Sure, threshold
from structout.models import Model
from structout.shift import Reference
from structout.strategies import On, Strategy, Verify, load_strategy, spec, strategy_of
from structout.verifiers import Confident


@dataclass(frozen=True)
class FieldThreshold:
    """The threshold of one field: at most the share `max_error` of the values that pass it is wrong.

    `field` is a JSON Pointer, with `*` for each item of a list. `threshold` is None if no threshold met the target, as
    none does if no value of the field `has_confidence`.
    `coverage` is the share of the field's values that pass; `errors` of the `kept` test values were wrong, `worst` is
    the upper bound of their error rate, and `base_error` is the error rate of all values of the field. `evidence` says
    what the threshold rests on.
    """

    field: str
    max_error: float
    threshold: float | None
    coverage: Rate
    kept: int
    errors: int
    worst: float
    base_error: Rate
    evidence: Evidence
    has_confidence: bool = True


@dataclass(frozen=True)
class FieldCertificate:
    """Thresholds for fields. With 95 % confidence, the bounds of all `fields` hold together.

    A value below its threshold becomes null, and the rest of the record is kept. `confidences` are of all dev and test
    records after that, for `structout run --watch`. See `Certificate` for the others.
    """

    strategy: str
    model: str
    source: str
    dataset: str
    max_tokens: int
    fields: tuple[FieldThreshold, ...]
    tried: int = 1
    confidences: tuple[float, ...] = field(default=(), repr=False)

    @property
    def is_met(self) -> bool:
        """Whether each field has a threshold."""
        return all(one.threshold is not None for one in self.fields)

    @property
    def lacks_records(self) -> bool:
        """Whether a target is not met for want of records: at these rates, more would show it."""
        missed = [one for one in self.fields if one.threshold is None and one.has_confidence]
        return any(one.evidence.needed is not None for one in missed)

    @property
    def reference(self) -> Reference:
        """The confidences, with the part of an answer that they are of."""
        return Reference(self.confidences)

    @property
    def verifier(self) -> Confident:
        """What makes the doubtful values null, in `Verify(..., level="leaf")`."""
        pairs = [(one.field, one.threshold) for one in self.fields if one.threshold is not None]
        return Confident(0.0, fields=tuple(pairs))

    def written(self, place: str | None = None) -> str:
        """The strategy with its thresholds, as text for a file that `load_strategy` reads. `place` is the data set.

        Raises `DataError` if a field has no threshold.
        """
        missing = [one.field for one in self.fields if one.threshold is None]
        if missing:
            problem = f"no threshold met the target of {', '.join(missing)}"
            raise DataError(problem, hint="label more records, allow a higher error rate, or leave the field out")
        strategy = Verify(On(self.source, load_strategy(self.strategy)), self.verifier, level="leaf")
        told = ", ".join(f"{one.field} {100 * one.max_error:g} %" for one in self.fields)
        return (
            f"# Of the values that are not null, at most these shares are wrong: {told}.\n"
            f"# All of these bounds hold together with {100 * CONFIDENCE:.0f} % confidence"
            f"{several_tried(self.tried, ', but ')}.\n"
            f"{measured_with(place or self.dataset, self.max_tokens, self.strategy)}{spec(strategy)}\n"
        )


def certify_fields(
    strategy: Strategy | str,
    dataset: Dataset,
    max_errors: Mapping[str, float],
    *,
    model: Model | str = "embedded",
    folds: int | None = None,
    sampling: Sampling | None = None,
    log: str | Path | None = None,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> FieldCertificate:
    """Find a threshold for each field in `max_errors` at which at most this share of its values is wrong.

    A field is a name, or a JSON Pointer with `*` for each item of a list. The values of one record may be wrong
    together, and so may the records of one group of `dataset`. Each of the m fields is tested at 5 % / m, so that all
    bounds hold together (Bonferroni). See `certify` for the others.

    Raises `SpecError` for a field of a set, whose values have no fixed place, and `DataError` if there are no dev or
    test records, or no values of a field.
    """
    built, sampling = strategy_of(strategy), sampling or Sampling()
    dev, test = halves(built, dataset, model, folds, sampling=sampling, log=log, progress=progress)
    groups = {record.key: record.group for record in dataset}
    level = (1 - CONFIDENCE) / len(max_errors)
    found = tuple(
        _field(name if name.startswith("/") else f"/{name}", dev, test, groups, max_error, level)
        for name, max_error in max_errors.items()
    )
    source = model if isinstance(model, str) else test[0].model
    made = FieldCertificate(
        strategy=spec(built), model=test[0].model, source=source, dataset=dataset.name,
        max_tokens=sampling.max_tokens, fields=found, tried=tried(log, test, Arm(spec(built), test[0].model)),
    )  # fmt: skip
    known = (_least(outcome, made.verifier) for outcome in (*dev, *test))
    return replace(made, confidences=tuple(one for one in known if one is not None))


def _field(
    name: str,
    dev: Sequence[Outcome],
    test: Sequence[Outcome],
    groups: Mapping[str, str | None],
    max_error: float,
    level: float,
) -> FieldThreshold:
    if any(outcome.comparison.has_sets for outcome in test[:1]) and "*" in name:
        raise SpecError(f"{name} may be in a set, whose values have no fixed place", hint="give a field outside lists")
    proposed, judged = (_values(part, name, groups) for part in (dev, test))
    if not judged.sure:
        raise DataError(f"no accepted record has a value of {name}", hint="check the name of the field")
    found = threshold(proposed, judged, max_error, level)
    every = np.ones(len(judged.sure), bool)
    passed = ~every if found is None else judged.above(found)
    kept = int(passed.sum())
    return FieldThreshold(
        field=name, max_error=max_error, threshold=found, coverage=wilson(kept / len(every), len(every)), kept=kept,
        errors=judged.errors(passed), worst=judged.rate(passed).upper if kept else 1.0, base_error=judged.rate(every),
        evidence=Evidence.of(judged, len(test), max_error, level), has_confidence=bool(judged.above(-inf).any()),
    )  # fmt: skip


def _values(outcomes: Sequence[Outcome], name: str, groups: Mapping[str, str | None]) -> Sure:
    """The values of a field in the accepted documents. A value is wrong if the label has another or none there."""
    sure, wrong, of = [], [], []
    for outcome in outcomes:
        for leaf in outcome.score.found if outcome.ok else ():
            if leaf.field == name and leaf.answer is not None:
                sure.append(outcome.confidence.get(leaf.pointer, -inf))
                wrong.append(leaf.verdict != "right")
                of.append(group_of(outcome, groups))
    return Sure(sure, wrong, of)


def _least(outcome: Outcome, verifier: Confident) -> float | None:
    """The least confidence of the values that are kept."""
    kept = [sure for place, sure in outcome.confidence.items() if sure >= verifier.least(place, outcome.document)]
    return min(kept, default=None)
