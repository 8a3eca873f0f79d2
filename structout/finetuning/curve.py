"""What more labels buy: accuracy against the number of labelled records."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from structout.completion import Sampling
from structout.evaluation import Dataset, evaluate
from structout.evaluation.report import Row
from structout.finetuning.training import Step, Training
from structout.finetuning.tune import finetune

SIZES = (25, 50, 100, 200, 400)
_STEPS = 60  # fewer do not teach a model even the form of the answer
_MOST_PASSES = 12


@dataclass(frozen=True, slots=True)
class Point:
    """What a model that was taught `labels` records does, by one strategy."""

    labels: int
    row: Row


def learning_curve(
    model: str,
    dataset: Dataset,
    out: str | Path,
    training: Training | None = None,
    *,
    sizes: Iterable[int] = SIZES,
    measure: Dataset,
    strategy: str = "Constrained()",
    sampling: Sampling | None = None,
    tell: Callable[[Step], None] = lambda step: None,
) -> list[Point]:
    """Teach the model ever more of the train records, drawn at random, the larger sets with the smaller in them, and
    judge each on the records of `measure`.

    Few records are gone over more often. Each model is left in `out`/SIZE, so that an interrupted curve goes on; a size
    for which there are too few records is left out.
    """
    training = training or Training()
    learnt = [record for record in dataset.records if record.split == "train"]
    random.Random(training.seed).shuffle(learnt)
    points = []
    for size in sizes:
        if size > len(learnt):
            continue
        part = replace(dataset, records=tuple(learnt[:size]))
        passes = max(training.passes, min(_MOST_PASSES, -(-_STEPS * training.batch // size)))
        tuned = finetune(model, part, Path(out) / str(size), replace(training, passes=passes), tell=tell)
        report = evaluate([strategy], tuned, measure, sampling=sampling)
        points.append(Point(size, report.rows()[0]))
    return points
