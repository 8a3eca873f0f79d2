"""`structout label`: a data set for fine-tuning, labelled from texts."""

from itertools import chain
from typing import Annotated

import typer

from structout import defaults
from structout.cli.codes import FAILED, INCOMPLETE, INTERRUPTED, NOTHING, PASSED
from structout.cli.console import LogFormat, counted, reporter, say
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    ColumnOption,
    DelimiterOption,
    ExamplesOption,
    FormatOption,
    FormerOutOption,
    InstructionsOption,
    MaxTokensOption,
    ModelOption,
    ModelSettingsOption,
    SchemaOption,
    SourceArgument,
    StrategyOption,
    WriteSecretsOption,
    current_spelling,
    sampling,
    shown_examples,
)
from structout.errors import SpecError


def label(
    schema: SchemaOption,
    output: Annotated[
        str,
        typer.Option("--output", "-o", callback=current_spelling, help="The JSONL file for the labelled records."),
    ],
    source: SourceArgument = None,
    column: ColumnOption = "text",
    format: FormatOption = None,  # noqa: A002
    delimiter: DelimiterOption = "",
    model: ModelOption = "embedded",
    model_settings: ModelSettingsOption = None,
    strategy: StrategyOption = defaults.STRATEGY,
    instructions: InstructionsOption = None,
    examples: ExamplesOption = None,
    max_tokens: MaxTokensOption = 512,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start again, but reuse the answers that were paid for.")
    ] = False,
    write_secrets: WriteSecretsOption = False,
    allow_code: AllowCodeOption = False,
    no_code: CodeOption = False,
    out: FormerOutOption = None,
) -> None:
    """Label texts with an expensive strategy, so that `structout finetune` can train a cheap model on the labels.

    OUTPUT.journal keeps every answer as it arrives: the same command resumes where it stopped. OUTPUT is written last.
    """
    from structout.finetuning.labels import label as labelled
    from structout.finetuning.labels import line
    from structout.models import load_model
    from structout.pipeline.progress import tokens_told
    from structout.schema import Schema
    from structout.schema.hidden import check_hidden
    from structout.strategies import instructed, load_strategy
    from structout.tables.output import check_distinct, check_writable
    from structout.tables.partial import warn_of_partial
    from structout.tables.place import Place, local_stem, places
    from structout.tables.rows import read_rows
    from structout.tables.whole_file import replacing

    if output.endswith((".csv", ".parquet")):
        raise SpecError(f"invalid --output: got {output!r}, expected a JSONL file", hint="give a name in .jsonl")
    place = f"{local_stem(output) if Place.of(output).is_remote else output}.journal"
    found = places(source or "-", format, delimiter)
    inputs = {f"INPUT {one.shown}": one.name for one in found}
    check_distinct({**inputs, "--output": output, "the journal": place})
    warn_of_partial(found)
    contract = Schema.of(schema)
    way = load_strategy(instructed(strategy, instructions) if instructions else strategy)
    if not write_secrets:
        check_hidden(contract, "add --write-secrets: labels hold what the records say")
    shown, rows = shown_examples(examples, contract), read_rows(found, text=column)
    first = next(rows, None)  # an input that cannot be read must leave no files
    if first is None:
        say("nothing to label: the input holds no records")
        raise typer.Exit(NOTHING)
    check_writable(output)
    who = load_model(model)
    texts = (row.text for row in chain([first], rows))
    try:
        with reporter(LogFormat.TEXT, None) as report:
            kept, tally = labelled(
                texts, contract, who, way, examples=shown, sampling=sampling(max_tokens), journal=place, fresh=fresh,
                progress=report,
            )  # fmt: skip
    except KeyboardInterrupt:
        say(f"interrupted: every answer is kept in {place}; the same command resumes the run")
        raise typer.Exit(INTERRUPTED) from None
    if kept:
        with replacing(output) as stream:
            for example in kept:
                stream.write(line(example).encode() + b"\n")
    where = f"are in {output}" if kept else f"{output} is not written"
    calls = sum(usage.calls for usage in tally.spent.values())
    paid = f"{counted(calls, 'call')}, {tokens_told(tally.tokens, tally.estimated_tokens)}"
    say(f"{len(kept):,} of {tally.done:,} records were accepted and {where} ({paid})")
    if tally.uncounted:
        say(tally.uncounted)
    if tally.counts["error"]:
        failed = counted(tally.counts["error"], "record")
        say(f"the model failed on {failed}; run the same command again to retry these records")
        raise typer.Exit(INCOMPLETE)
    raise typer.Exit(PASSED if kept else FAILED)
