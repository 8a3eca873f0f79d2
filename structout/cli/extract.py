"""`structout extract`: records from texts."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structout import defaults
from structout.cli.codes import FAILED, NOTHING, PASSED
from structout.cli.console import progress, put_json, say
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    ColumnOption,
    DelimiterOption,
    ExamplesOption,
    FormatOption,
    InstructionsOption,
    MaxTokensOption,
    ModelOption,
    ModelSettingsOption,
    SchemaOption,
    SourceArgument,
    StrategyOption,
    sampling,
    shown_examples,
)
from structout.errors import SpecError

if TYPE_CHECKING:
    from structout.result import Result


def extract(
    schema: SchemaOption,
    source: SourceArgument = None,
    column: ColumnOption = "text",
    format: FormatOption = None,  # noqa: A002
    delimiter: DelimiterOption = "",
    text: Annotated[
        str | None, typer.Option("--text", "-t", help="One text to extract from, instead of INPUT.")
    ] = None,
    model: ModelOption = "embedded",
    model_settings: ModelSettingsOption = None,
    strategy: StrategyOption = defaults.STRATEGY,
    instructions: InstructionsOption = None,
    examples: ExamplesOption = None,
    max_tokens: MaxTokensOption = 512,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write status, issues, edits and cost along with each value.")
    ] = False,
    allow_code: AllowCodeOption = False,
    no_code: CodeOption = False,
) -> None:
    """Turn texts into validated records: one line of JSON per text, in input order; null if extraction failed."""
    from structout.pipeline import extract_many
    from structout.schema import Schema
    from structout.strategies import instructed
    from structout.tables.rows import read_rows

    if text is not None and source:
        raise SpecError(f"both {source[0]} and --text are given", hint="omit one of them")
    contract = Schema.of(schema)
    strategy = instructed(strategy, instructions) if instructions else strategy
    records = (
        iter([text])
        if text is not None
        else (row.text for row in read_rows(source or "-", text=column, format=format, delimiter=delimiter))
    )
    failed = overruled = total = 0
    results = extract_many(
        records, contract, model, strategy, examples=shown_examples(examples, contract), sampling=sampling(max_tokens)
    )
    with progress("extract", None) as advance:
        for result in results:
            total += 1
            failed += not result.ok
            overruled += result.ok and any(edit.kind == "steered" for edit in result.edits)
            value = contract.written(result) if result.ok else None
            put_json(_row(total, result, value) if as_json else value)
            sys.stdout.flush()
            if not result.ok and not as_json:
                say(f"record {total}: {result.status}: {'; '.join(map(str, result.issues[:3]))}")
            advance()
    if overruled:
        say(
            f"the token limit overruled the model in {overruled:,} of {total:,} records (--json shows the edits): "
            'raise --max-tokens, or refuse such edits with Constrained(steering="lossless")'
        )
    if total == 0:
        say("nothing to extract: the input holds no records")
        raise typer.Exit(NOTHING)
    raise typer.Exit(FAILED if failed else PASSED)


def _row(number: int, result: "Result[Any]", value: Any) -> dict[str, Any]:
    from dataclasses import asdict

    row = {
        "record": number,
        "status": result.status,
        "value": value,
        "issues": [asdict(issue) for issue in result.issues],
        "edits": [edit._asdict() for edit in result.edits],
        "confidence": dict(result.confidence),
        "spans": dict(result.spans),
        "usage": asdict(result.usage),
    }
    return {name: found for name, found in row.items() if found or name not in ("confidence", "spans")}
