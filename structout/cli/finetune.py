"""`structout finetune`: labelled records in, a model that knows them out."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structout.cli.codes import INTERRUPTED, NOTHING, PASSED
from structout.cli.console import end_line, progress, put, put_json, say, say_over, show
from structout.cli.options import CodeOption, JsonOption, MaxTokensOption, ModelOption, sampling

if TYPE_CHECKING:
    from structout.evaluation import Report
    from structout.finetuning import Point, TrainingStep

_EVERY = 30.0  # seconds between two lines of progress where no one is watching


def finetune(
    dataset: Annotated[str, typer.Argument(help="A folder with a schema and records.jsonl, or a JSONL file.")],
    out: Annotated[str, typer.Option("--out", "-o", help="The folder for the model; path:FOLDER loads it.")],
    schema: Annotated[str | None, typer.Option("--schema", "-s", help="The schema, where the folder has none.")] = None,
    model: ModelOption = "embedded",
    more: Annotated[
        str | None, typer.Option("--more", help="Further labelled records, as JSONL, each learnt once: generated ones.")
    ] = None,
    passes: Annotated[int | None, typer.Option("--passes", min=1, help="Passes over the records at most.")] = None,
    rank: Annotated[int | None, typer.Option("--rank", min=1, help="The adapter's rank.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Train all weights instead of an adapter.")] = False,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="At its peak.")] = None,
    held_out: Annotated[
        float | None, typer.Option("--held-out", help="The share that passes are judged by; with 0 the last is kept.")
    ] = None,
    vary: Annotated[
        float | None, typer.Option("--vary", help="Exchange texts between records at this probability.")
    ] = None,
    order: Annotated[
        str | None, typer.Option("--order", help="Of the keys of answers: the schema's, or that of reading.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--show", help="How the schema is shown: brief (not at all), typescript, ...")
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Records a step.")] = None,
    tokens_at_once: Annotated[
        int | None,
        typer.Option("--tokens-at-once", min=1, help="In memory (2048): fewer are the same steps, in pieces."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="For another outcome.")] = None,
    measure: Annotated[
        str | None, typer.Option("--measure", help="Judge before and after on this split: dev or test.")
    ] = None,
    on: Annotated[str | None, typer.Option("--on", help="The data set of --measure, where it is another.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first records of --measure.")] = None,
    curve: Annotated[
        str | None, typer.Option("--curve", help="25,50,100: teach so many records each, judge them on --measure.")
    ] = None,
    max_tokens: MaxTokensOption = 512,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew, whatever the folder holds.")] = False,
    as_json: JsonOption = False,
    no_code: CodeOption = False,
) -> None:
    """Teach a local model the train records of a data set. A run that was killed goes on when it is called again."""
    from structout.errors import SpecError
    from structout.evaluation import Dataset, read_log
    from structout.finetuning import EVALUATION, Training, learning_curve
    from structout.finetuning import finetune as teach
    from structout.finetuning.finetuner import MEASURED
    from structout.result import Example

    if measure not in (None, "dev", "test"):
        raise SpecError(f"no split to measure on is called {measure!r}", hint="give dev or test")
    if measure is None and (on or limit):
        raise SpecError("--on and --limit are of --measure", hint="add --measure dev")
    if full and rank:
        raise SpecError("--full has no rank", hint="leave one of them out")
    sizes = _sizes(curve) if curve is not None else []
    if sizes and (measure is None or fresh or more):
        raise SpecError("a curve is judged on a split, and goes on", hint="add --measure dev, no --fresh, no --more")
    whole = Dataset.load(dataset, schema)
    judged = Dataset.load(on, whole.schema) if on else whole
    part = judged.split(measure).head(limit or len(judged)) if measure else None  # type: ignore[arg-type]
    further = [Example(one.text, one.written) for one in Dataset.load(more, whole.schema)] if more else []
    given: dict[str, Any] = {
        "passes": passes,
        "rank": 0 if full else rank,
        "learning_rate": learning_rate,
        "held_out": held_out,
        "vary": vary,
        "order": order,
        "show": prompt,
        "batch": batch,
        "tokens_at_once": tokens_at_once,
        "seed": seed,
    }
    training = Training(**{name: value for name, value in given.items() if value is not None})
    try:
        if part is not None and sizes:
            with _progress() as tell:
                points = learning_curve(
                    model, whole, out, training, sizes=sizes, measure=part, sampling=sampling(max_tokens), tell=tell
                )
            _show_curve(points, Path(out), as_json=as_json)
            say(f"{len(points)} of {len(sizes)} sizes, for which there are records: load one as path:{out}/SIZE")
            raise typer.Exit(PASSED if points else NOTHING)
        asked = 2 * len(MEASURED) * len(part or ())
        with _progress() as tell, ExitStack() as later:

            @cache  # one line at a time: it begins once the steps are done
            def bar() -> Callable[[str], None]:
                if sys.stderr.isatty():
                    end_line()
                advance: Callable[[str], None] = later.enter_context(progress("judged", asked))
                return advance

            tuned = teach(
                model, whole, out, training, more=further, measure=part, sampling=sampling(max_tokens), fresh=fresh,
                tell=tell, progress=lambda outcome: bar()(outcome.strategy),
            )  # fmt: skip
    except KeyboardInterrupt:
        say(f"interrupted: call it again to go on from the last checkpoint in {out}")
        raise typer.Exit(INTERRUPTED) from None
    tuning = tuned.tuning  # type: ignore[attr-defined]
    if tuning.evaluation:
        show(_briefly_named(read_log(Path(out) / EVALUATION), tuning.base), as_json=as_json, markdown=False)
    cost = tuning.cost
    say(f"{cost['records']:.0f} records, {cost['seconds'] / 60:.1f} minutes: load it as path:{out}")


def _sizes(written: str) -> list[int]:
    from structout.errors import SpecError

    sizes = written.split(",")
    if not all(size.strip().isdecimal() and int(size) for size in sizes):
        raise SpecError(f"{written!r} is no curve", hint="write --curve 25,50,100")
    return [int(size) for size in sizes]


def _show_curve(points: "list[Point]", folder: Path, *, as_json: bool) -> None:
    """What each number of labels bought, on stdout, with 95 % intervals; and as a picture in the folder."""
    from structout.errors import MissingExtraError
    from structout.finetuning.curve import draw

    if as_json:
        put_json([{"labels": one.labels, **{k: asdict(v) for k, v in one.row.rates.items()}} for one in points])
    else:
        for head in points[:1]:
            put("\t".join(["labels", *head.row.rates]))
        for point in points:
            rates = point.row.rates.values()
            shares = (f"{100 * r.value:.0f} ({100 * r.low:.0f}-{100 * r.high:.0f})" for r in rates)
            put("\t".join([str(point.labels), *shares]))
    if points:
        try:
            draw({"": [(point.labels, point.row.rates) for point in points]}, folder / "curve.png")
            say(f"drawn in {folder / 'curve.png'}")
        except MissingExtraError as error:
            say(f"not drawn: {error}")


def _briefly_named(report: "Report", base: str) -> "Report":
    """A report in which the models are called by what they are: paths would fill the table."""
    from dataclasses import replace

    outcomes = tuple(replace(one, model="before" if one.model == base else "after") for one in report.outcomes)
    return replace(report, about={**report.about, "models": ["before", "after"]}, outcomes=outcomes)


@contextmanager
def _progress() -> Iterator[Callable[["TrainingStep"], None]]:
    """How far training is and when it will be done: a line that moves where a person watches, else one now and then."""
    began, last = time.monotonic(), 0.0
    first: int | None = None

    def tell(step: "TrainingStep") -> None:
        nonlocal last, first
        now = time.monotonic()
        first = step.step - 1 if first is None else first  # a resumed run begins later
        left = (now - began) / max(1, step.step - first) * (step.steps - step.step)
        watched = sys.stderr.isatty()
        if watched or now - last >= _EVERY or step.step == step.steps:
            last = now
            line = f"step {step.step} of {step.steps}, loss {step.loss:.3f}, {left / 60:.1f} minutes left"
            (say_over if watched else say)(line)

    try:
        yield tell
    finally:
        if sys.stderr.isatty():
            end_line()
