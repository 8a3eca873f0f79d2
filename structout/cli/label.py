"""`structout label`: texts in, a data set to fine-tune on out."""

from typing import Annotated

import typer

from structout.cli.codes import FAILED, NOTHING, PASSED
from structout.cli.console import progress, say
from structout.cli.options import (
    DEFAULT_STRATEGY,
    ExamplesOption,
    MaxTokensOption,
    ModelOption,
    SchemaOption,
    StrategyOption,
    sampling,
    shown_examples,
)


def label(
    schema: SchemaOption,
    out: Annotated[str, typer.Option("--out", "-o", help="The JSONL file for the labelled records.")],
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help='JSONL with "text", a text file (a record a line), or - for stdin.')
    ] = "-",
    model: ModelOption = "embedded",
    strategy: StrategyOption = DEFAULT_STRATEGY,
    examples: ExamplesOption = None,
    max_tokens: MaxTokensOption = 512,
) -> None:
    """Label texts with what an expensive strategy accepts, for `structout finetune` to teach it to a cheap model."""
    from structout.completion import Usage
    from structout.errors import DataError
    from structout.finetuning.labels import label as labelled
    from structout.finetuning.labels import line
    from structout.pipeline.formats import texts
    from structout.schema import Schema

    contract = Schema.of(schema)
    shown = shown_examples(examples, contract)
    total, kept, usage = 0, 0, Usage()
    rows = labelled(texts(source), contract, model, strategy, examples=shown, sampling=sampling(max_tokens))
    try:
        stream = open(out, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror}", hint="name another file with --out") from error
    with stream, progress("label", None) as advance:
        for example, result in rows:
            total += 1
            usage += result.usage
            if example is not None:
                kept += 1
                print(line(example), file=stream, flush=True)
            advance()
    spent = f"{usage.calls} calls, {usage.input_tokens + usage.output_tokens:,} tokens"
    say(f"{kept} of {total} records were accepted and are in {out} ({spent})")
    if total == 0:
        raise typer.Exit(NOTHING)
    raise typer.Exit(PASSED if kept else FAILED)
