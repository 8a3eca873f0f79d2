"""A verifier that is fitted to labelled results."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import exp, log
from pathlib import Path
from typing import Any, NamedTuple

from structout.document import load_json
from structout.errors import DataError, NoModelError, SpecError
from structout.issue import Issue
from structout.models.base import Model
from structout.models.scripted import Scripted
from structout.prompts import wording
from structout.result import Result, Task
from structout.verifiers.base import Verdict, check_threshold
from structout.verifiers.features import NAMES, features
from structout.verifiers.grounded import Grounded

_FOLDS = 5
# The least number of records with right results, and with wrong results. A head fitted to fewer ranks results by chance
# without saying so: fitted to 5 right results among 50, it learned to reject right results, while the model's own
# confidence could tell them apart.
_LEAST = 10
_LEAST_SLOPE = 0.01


class Judged(NamedTuple):
    """A result that was compared with its label, as the log of `evaluate` holds it."""

    task: Task[Any]
    result: Result[Any]
    right: bool


@dataclass(frozen=True)
class Head:
    """A logistic regression over `features`: P(right) = sigmoid(bias + weights * (features - means) / scales).

    `grounded` is the search for leaves in the record at the time of fitting: some features depend on it.
    """

    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    grounded: Grounded = field(default_factory=Grounded)

    def __post_init__(self) -> None:
        if not len(self.means) == len(self.scales) == len(self.weights) == len(NAMES):
            raise SpecError(f"invalid head: expected {len(NAMES)} features", hint="fit the head again")

    def score(self, row: Sequence[float]) -> float:
        """P(right) for a row of `features`."""
        scaled = ((x - mean) / scale for x, mean, scale in zip(row, self.means, self.scales, strict=True))
        total = self.bias + sum(weight * x for weight, x in zip(self.weights, scaled, strict=True))
        return 1 / (1 + exp(-max(min(total, 500.0), -500.0)))


@dataclass(frozen=True)
class Learned:
    """Rejects a result whose probability of being right is below `threshold`, by a head fitted to labelled results.

    `head` is a `Head` or the JSON file of one; `grounded` finds leaves in the record, by default as the head was
    fitted. Costs no call. The score is calibrated only for the model, strategy and schema that the head was fitted to.
    """

    head: Head | str
    threshold: float = 0.5
    grounded: Grounded | None = None

    def __post_init__(self) -> None:
        check_threshold(self.threshold)

    @classmethod
    def fit(
        cls, judged: Sequence[Judged], *, grounded: Grounded | None = None, ridge: float = 3.0, threshold: float = 0.5
    ) -> "Learned":
        """Fit a head to results that were compared with their labels; evaluate it on other results.

        `ridge` is the weight of the squared penalty. The head is calibrated by Platt's method on out-of-fold scores
        (Platt 1999). All results for one text are in one fold, since a log may hold a record many times. Raises
        `DataError` for too few records.
        """
        usable = [one for one in judged if one.result.ok]
        right = [one.right for one in usable]
        numbers = {text: number for number, text in enumerate(dict.fromkeys(one.task.text for one in usable))}
        known = [len({one.task.text for one in usable if one.right is truth}) for truth in (True, False)]
        if min(known) < _LEAST:
            raise DataError(
                f"too few records to fit: got right results for {known[0]} and wrong results for {known[1]} of "
                f"{len(numbers)} records, expected {_LEAST} each",
                hint="label more records; until then use Confident()",
            )
        sources = grounded or Grounded()
        tasks, results = [one.task for one in usable], [one.result for one in usable]
        rows = features(tasks, results, sources, _NOBODY)
        records = [numbers[one.task.text] for one in usable]
        return cls(replace(_fitted(rows, right, records, ridge), grounded=sources), threshold)

    def files(self) -> list[str]:
        """The file of the head, if there is one."""
        return [self.head] if isinstance(self.head, str) else []

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        head = read_head(self.head) if isinstance(self.head, str) else self.head
        return [
            self._verdict(head.score(row)) for row in features(tasks, results, self.grounded or head.grounded, model)
        ]

    def _verdict(self, score: float) -> Verdict:
        if score >= self.threshold:
            return Verdict("accept", score)
        return Verdict("reject", score, (Issue("", "rejected", wording.DOUBTFUL),))


def read_head(file: str | Path) -> Head:
    """Read a head that `write_head` wrote. Raises `NoModelError` for any other file."""
    try:
        content = load_json(Path(file).read_text(encoding="utf-8"))
        if content.pop("features") != list(NAMES):
            raise ValueError("the head was fitted to other features")
        means, scales, weights = (tuple(map(float, content[name])) for name in ("means", "scales", "weights"))
        grounded = content.get("grounded", {})  # older files lack it
        if isinstance(grounded.get("fields"), list):
            grounded["fields"] = tuple(grounded["fields"])
        return Head(means, scales, weights, float(content["bias"]), Grounded(**grounded))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, SpecError) as error:
        hint = "fit a head again, and write it with write_head"
        raise NoModelError(f"cannot read the head {file}: {error}", hint=hint) from error


def write_head(head: Head, file: str | Path) -> None:
    """Write a head as JSON."""
    Path(file).write_text(json.dumps({"features": NAMES, **asdict(head)}) + "\n", encoding="utf-8", newline="\n")


_NOBODY = Scripted("", name="nobody")  # grounding asks no model


def _fitted(rows: Sequence[Sequence[float]], right: Sequence[bool], records: Sequence[int], ridge: float) -> Head:
    import numpy

    x, y = numpy.array(rows), numpy.array(right, dtype=float)
    means, scales = x.mean(0), x.std(0)
    scales[scales < 1e-9] = 1.0
    x = (x - means) / scales
    fold = numpy.array(records) % _FOLDS
    held_out = numpy.zeros(len(y))
    for i in range(_FOLDS):
        weights = _logistic(x[fold != i], y[fold != i], ridge)
        held_out[fold == i] = x[fold == i] @ weights[1:] + weights[0]
    # Platt's targets, slightly inside (0, 1), keep the scale finite where the scores separate right from wrong.
    positive = y.sum()
    targets = numpy.where(y > 0, (positive + 1) / (positive + 2), 1 / (len(y) - positive + 2))
    shift, slope = _logistic(held_out[:, None], targets, 1e-6)
    if slope < _LEAST_SLOPE:
        # The out-of-fold scores say nothing, or by chance the opposite: the folds with the few wrong results score the
        # folds without them. Reversing the head would trust this chance, and a slope of 0 would make all scores equal,
        # so that any threshold accepts or rejects everything. So the order stays, with scores close to the base rate.
        slope = _LEAST_SLOPE
        shift = log(targets.mean() / (1 - targets.mean())) - slope * held_out.mean()
    weights = _logistic(x, y, ridge)
    return Head(
        tuple(means.tolist()),
        tuple(scales.tolist()),
        tuple((slope * weights[1:]).tolist()),
        float(slope * weights[0] + shift),
    )


def _logistic(x: Any, y: Any, ridge: float) -> Any:
    """The weights by Newton's method; the first is the intercept, which is not penalised."""
    import numpy

    x = numpy.hstack([numpy.ones((len(x), 1)), x])
    penalty = numpy.full(x.shape[1], ridge)
    penalty[0] = 1e-9
    weights = numpy.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + numpy.exp(-numpy.clip(x @ weights, -30, 30)))
        slope = x.T @ (y - p) - penalty * weights
        curve = (x * (p * (1 - p) + 1e-9)[:, None]).T @ x + numpy.diag(penalty)
        step = numpy.linalg.solve(curve, slope)
        weights += step
        if abs(step).max() < 1e-8:
            break
    return weights
