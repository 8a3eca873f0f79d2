"""`structout finetune`: a model trained on labelled records."""

import re
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
from structout.cli.console import counted, end_line, progress, put, put_json, say, say_over, show
from structout.cli.options import (
    CodeOption,
    FormerOutOption,
    InstructionsOption,
    JsonOption,
    MaxTokensOption,
    ModelOption,
    current_spelling,
    sampling,
)

if TYPE_CHECKING:
    from structout.evaluation import Report
    from structout.finetuning import Point, TrainingStep

_EVERY = 30.0  # seconds between two lines of progress in a log


def finetune(
    dataset: Annotated[str, typer.Argument(help="A folder with a schema and records.jsonl, or a JSONL file.")],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", callback=current_spelling, help="The folder for the model; path:FOLDER loads it."
        ),
    ],
    schema: Annotated[str | None, typer.Option("--schema", "-s", help="The schema, if the folder holds none.")] = None,
    model: ModelOption = "embedded",
    more: Annotated[
        str | None, typer.Option("--more", help="JSONL of further, generated records, each used once.")
    ] = None,
    passes: Annotated[
        int | None, typer.Option("--passes", min=1, help="The maximum number of passes over the records.")
    ] = None,
    rank: Annotated[int | None, typer.Option("--rank", min=1, help="The rank of the adapter.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Train all weights, not an adapter.")] = False,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="The peak learning rate.")] = None,
    held_out: Annotated[
        float | None,
        typer.Option("--held-out", help="The share of records held out to judge each pass; 0 keeps the last pass."),
    ] = None,
    vary: Annotated[
        float | None,
        typer.Option("--vary", help="The probability of swapping a field's text for that of another training record."),
    ] = None,
    order: Annotated[
        str | None, typer.Option("--order", help="The order of keys in answers: schema or reading.")
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            "--show",
            help="How prompts show the schema: json_schema, typescript, example, none (instructions only) or brief "
            "(one line of instructions).",
        ),
    ] = None,
    instructions: InstructionsOption = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Records per step.")] = None,
    tokens_at_once: Annotated[
        int | None,
        typer.Option(
            "--tokens-at-once", min=1, help="Tokens in memory (2048). A lower number saves memory and changes no step."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The seed of training.")] = None,
    members: Annotated[
        int | None,
        typer.Option(
            "--members",
            min=2,
            help="Train so many models, each with its own seed, and write members.strategy, which asks them all.",
        ),
    ] = None,
    measure: Annotated[
        str | None, typer.Option("--measure", help="Measure before and after training on this split: dev or test.")
    ] = None,
    on: Annotated[str | None, typer.Option("--on", help="Measure on this data set instead of DATASET.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Measure at most this many records.")] = None,
    curve: Annotated[
        str | None,
        typer.Option(
            "--curve", help="Train on each number of records, such as 25,50,100, and measure each on --measure."
        ),
    ] = None,
    max_tokens: MaxTokensOption = 512,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start again and ignore what the folder holds.")] = False,
    as_json: JsonOption = False,
    no_code: CodeOption = False,
    out: FormerOutOption = None,
) -> None:
    """Train a local model on the train records of a data set. The same command resumes a run that was killed."""
    from structout.errors import SpecError
    from structout.evaluation import Dataset, read_log
    from structout.finetuning import EVALUATION, Training, finetune_members, learning_curve
    from structout.finetuning import finetune as teach
    from structout.finetuning.finetuner import MEASURED
    from structout.finetuning.members import STRATEGY as MEMBERS
    from structout.prompts.guidance import read_instructions
    from structout.result import Example

    if measure not in (None, "dev", "test"):
        raise SpecError(f"invalid --measure: got {measure!r}", hint="give dev or test")
    if measure is None and (on or limit):
        raise SpecError("--on and --limit need --measure", hint="add --measure dev")
    if full and rank:
        raise SpecError("both --full and --rank are given", hint="omit one of them")
    sizes = _sizes(curve) if curve is not None else []
    if sizes and measure is None:
        raise SpecError("--curve needs --measure", hint="add --measure dev")
    if members is not None and (measure is not None or sizes):
        hint = "omit --measure and --curve: structout bench measures members.strategy"
        raise SpecError("--members goes with neither --measure nor --curve", hint=hint)
    for option, value in (("--fresh", fresh), ("--more", more)):
        if sizes and value:
            raise SpecError(f"both --curve and {option} are given", hint="omit one of them")
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
        "instructions": read_instructions(instructions) if instructions else None,
    }
    try:
        training = Training(**{name: value for name, value in given.items() if value is not None})
    except SpecError as error:
        raise SpecError(_by_option(error.message), hint=error.hint) from None
    try:
        if part is not None and sizes:
            with _progress() as tell:
                points = learning_curve(
                    model, whole, output, training, sizes=sizes, measure=part, sampling=sampling(max_tokens), tell=tell
                )
            _show_curve(points, Path(output), as_json=as_json)
            say(f"{len(points)} of {len(sizes)} sizes had enough records: load one as path:{output}/SIZE")
            raise typer.Exit(PASSED if points else NOTHING)
        if members is not None:
            with _progress() as tell:
                finetune_members(model, whole, output, training, members=members, more=further, fresh=fresh, tell=tell)
            say(f"{members} models are trained: use them as --strategy {output}/{MEMBERS}")
            raise typer.Exit(PASSED)
        asked = 2 * len(MEASURED) * len(part or ())
        with _progress() as tell, ExitStack() as later:

            @cache  # the bar starts after the last step, so that only one line moves
            def bar() -> Callable[[str], None]:
                if sys.stderr.isatty():
                    end_line()
                advance: Callable[[str], None] = later.enter_context(progress("judged", asked))
                return advance

            tuned = teach(
                model, whole, output, training, more=further, measure=part, sampling=sampling(max_tokens), fresh=fresh,
                tell=tell, progress=lambda outcome: bar()(outcome.strategy),
            )  # fmt: skip
    except KeyboardInterrupt:
        say(f"interrupted: the same command resumes from the last checkpoint in {output}")
        raise typer.Exit(INTERRUPTED) from None
    tuning = tuned.tuning  # type: ignore[attr-defined]
    if tuning.evaluation:
        show(_briefly_named(read_log(Path(output) / EVALUATION), tuning.base), as_json=as_json, markdown=False)
    cost = tuning.cost
    records = counted(round(cost["records"]), "record")
    say(f"{records}, {cost['seconds'] / 60:.1f} minutes: load it as path:{output}")


def _by_option(message: str) -> str:
    """The message about a setting of `Training`, with the name of its option: `invalid --held-out: ...`."""
    return re.sub(r"^invalid (\w+)", lambda found: f"invalid --{found[1].replace('_', '-')}", message)


def _sizes(written: str) -> list[int]:
    from structout.errors import SpecError

    sizes = written.split(",")
    if not all(size.strip().isdecimal() and int(size) for size in sizes):
        raise SpecError(f"invalid --curve: got {written!r}, expected SIZE,...", hint="write --curve 25,50,100")
    return [int(size) for size in sizes]


def _show_curve(points: "list[Point]", folder: Path, *, as_json: bool) -> None:
    """Write the rates for each number of labels to stdout, with 95 % intervals, and draw them in the folder."""
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
            say(f"the curve is drawn in {folder / 'curve.png'}")
        except MissingExtraError as error:
            say(f"the curve is not drawn: {error}")


def _briefly_named(report: "Report", base: str) -> "Report":
    """The report with the models named before and after, because their paths would fill the table."""
    from dataclasses import replace

    outcomes = tuple(replace(one, model="before" if one.model == base else "after") for one in report.outcomes)
    return replace(report, about={**report.about, "models": ["before", "after"]}, outcomes=outcomes)


@contextmanager
def _progress() -> Iterator[Callable[["TrainingStep"], None]]:
    """Progress and remaining time of training: one moving line on a terminal, a line every 30 seconds in a log."""
    began, last = time.monotonic(), 0.0
    first: int | None = None

    def tell(step: "TrainingStep") -> None:
        nonlocal last, first
        now = time.monotonic()
        first = step.step - 1 if first is None else first  # a resumed run starts at a later step
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
