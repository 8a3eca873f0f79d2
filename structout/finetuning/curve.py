"""Learning curves: accuracy against the number of labelled records."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from structout.completion import Sampling
from structout.errors import MissingExtraError
from structout.evaluation import Dataset, evaluate
from structout.evaluation.report import ReportRow
from structout.evaluation.reporting.style import styled
from structout.evaluation.stats.rates import Rate
from structout.finetuning.finetuner import check_measure, finetune
from structout.finetuning.training import Training, TrainingStep

SIZES = (25, 50, 100, 200, 400)
_STEPS = 60  # fewer steps do not even teach the form of the answer
_MOST_PASSES = 12


@dataclass(frozen=True, slots=True)
class Point:
    """The numbers of a model that was fine-tuned on `labels` records, with one strategy."""

    labels: int
    row: ReportRow


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
    tell: Callable[[TrainingStep], None] = lambda step: None,
) -> list[Point]:
    """Fine-tune a model on each size of a random subset of the train records, and evaluate it on `measure`.

    A larger subset contains the smaller ones. Small subsets get more passes. Each model is saved in `out`/SIZE, so that
    an interrupted curve resumes. Sizes beyond the number of train records are skipped.
    """
    check_measure(measure, dataset.examples)
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


def draw(curves: Mapping[str, Sequence[tuple[int, Mapping[str, Rate]]]], file: str | Path) -> None:
    """Draw the value and record accuracy of each curve against the number of labels, with 95 % intervals, as PNG.

    Raises `MissingExtraError` without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "matplotlib", "bench") from error
    with styled():
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.add_subplot()
        for name, points in curves.items():
            labels = [count for count, _ in points]
            for what, line in (("value accuracy", "o-"), ("record accuracy", "s--")):
                rates = [rates[what] for _, rates in points]
                values = [100 * rate.value for rate in rates]
                below = [100 * (rate.value - rate.low) for rate in rates]
                above = [100 * (rate.high - rate.value) for rate in rates]
                axes.errorbar(
                    labels, values, yerr=[below, above], fmt=line, capsize=3, label=f"{name}: {what}".removeprefix(": ")
                )
        axes.set_xscale("log")
        every = sorted({count for points in curves.values() for count, _ in points})
        axes.set_xticks(every, [str(count) for count in every])
        axes.minorticks_off()
        axes.set(xlabel="labelled records", ylabel="%, 95 % interval", ylim=(0, 100))
        axes.legend(loc="lower right")
        figure.savefig(file, dpi=120)
