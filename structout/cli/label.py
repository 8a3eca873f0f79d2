"""`structout label`: texts in, a data set to fine-tune on out."""

from itertools import chain
from typing import Annotated

import typer

from structout import defaults
from structout.cli.codes import FAILED, INCOMPLETE, INTERRUPTED, NOTHING, PASSED
from structout.cli.console import LogFormat, reporter, say
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    ColumnOption,
    ExamplesOption,
    MaxTokensOption,
    ModelOption,
    SchemaOption,
    SourceArgument,
    StrategyOption,
    sampling,
    shown_examples,
)


def label(
    schema: SchemaOption,
    out: Annotated[str, typer.Option("--out", "-o", help="The JSONL file for the labelled records.")],
    source: SourceArgument = "-",
    column: ColumnOption = "text",
    model: ModelOption = "embedded",
    strategy: StrategyOption = defaults.STRATEGY,
    examples: ExamplesOption = None,
    max_tokens: MaxTokensOption = 512,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew; answers that were paid for are kept.")] = False,
    allow_code: AllowCodeOption = False,
    no_code: CodeOption = False,
) -> None:
    """Label texts with what an expensive strategy accepts, for `structout finetune` to teach it to a cheap model.

    OUT.journal keeps every answer as it comes: the same command goes on where it stopped. OUT is written at the end.
    """
    from structout.finetuning.labels import label as labelled
    from structout.finetuning.labels import line
    from structout.models import load_model
    from structout.schema import Schema
    from structout.strategies import load_strategy
    from structout.tables.output import check_distinct, check_writable, replacing
    from structout.tables.rows import read_rows

    place = f"{out}.journal"
    check_distinct({"INPUT": source, "--out": out, "the journal": place})
    contract, way = Schema.of(schema), load_strategy(strategy)
    shown, rows = shown_examples(examples, contract), read_rows(source, text=column)
    first = next(rows, None)  # an input that cannot be read leaves nothing behind
    if first is None:
        say("nothing to label: the input holds no records")
        raise typer.Exit(NOTHING)
    check_writable(out)
    who = load_model(model)
    texts = (row.text for row in chain([first], rows))
    try:
        with reporter(LogFormat.TEXT, None) as report:
            kept, tally = labelled(
                texts, contract, who, way, examples=shown, sampling=sampling(max_tokens), journal=place, fresh=fresh,
                progress=report,
            )  # fmt: skip
    except KeyboardInterrupt:
        say(f"interrupted: every answer is kept in {place}; the same command goes on")
        raise typer.Exit(INTERRUPTED) from None
    if kept:
        with replacing(out) as stream:
            for example in kept:
                stream.write(line(example).encode() + b"\n")
    where = f"are in {out}" if kept else f"{out} is not written"
    calls = sum(usage.calls for usage in tally.spent.values())
    say(f"{len(kept)} of {tally.done} records were accepted and {where} ({calls} calls, {tally.tokens:,} tokens)")
    if tally.counts["error"]:
        say(f"the model failed on {tally.counts['error']} of them; the same command asks for these again")
        raise typer.Exit(INCOMPLETE)
    raise typer.Exit(PASSED if kept else FAILED)
