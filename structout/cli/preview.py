"""`structout preview`: the first prompt, without sending it."""

from typing import Annotated

import typer

from structout import defaults
from structout.cli.console import put, put_json, say
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    ExamplesOption,
    InstructionsOption,
    JsonOption,
    SchemaOption,
    StrategyOption,
    shown_examples,
)
from structout.errors import DataError, SpecError


def preview(
    schema: SchemaOption,
    source: Annotated[
        str | None, typer.Argument(metavar="INPUT", help="An input of `run`: its first record is shown.")
    ] = None,
    text: Annotated[str | None, typer.Option("--text", "-t", help="The text of the record, instead of INPUT.")] = None,
    column: Annotated[str, typer.Option("--column", help="The column of INPUT to read.")] = "text",
    strategy: StrategyOption = defaults.STRATEGY,
    instructions: InstructionsOption = None,
    examples: ExamplesOption = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Render the prompt with this model's chat template.")
    ] = None,
    as_json: JsonOption = False,
    allow_code: AllowCodeOption = False,
    no_code: CodeOption = False,
) -> None:
    """Show the first prompt exactly as a model would receive it. No model is asked.

    Characters that a terminal or a CI job would interpret are escaped.
    """
    from structout.models import load_model
    from structout.schema import Schema
    from structout.strategies import instructed
    from structout.strategies import preview as first_prompt

    contract = Schema.of(schema)
    strategy = instructed(strategy, instructions) if instructions else strategy
    who = load_model(model) if model is not None else None
    if source is not None:
        if text is not None:
            raise SpecError("both INPUT and --text are given", hint="omit one of them")
        text = _first_text(source, column)
    text = "(the record)" if text is None else text
    prompt = first_prompt(text, contract, strategy, examples=shown_examples(examples, contract), model=who)
    if who is not None:
        render, encode = getattr(who, "render", None), getattr(who, "encode", None)
        if render is None or encode is None:
            raise SpecError(f"{model} has no chat template to show", hint="omit --model")
        tokens = encode(prompt)
        put(render(prompt))
        say(tokens if isinstance(tokens, str) else f"{len(tokens)} tokens")
    elif as_json:
        messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
        put_json({"messages": messages, "constrained": prompt.constraint is not None})
    else:
        for message in prompt.messages:
            put(f"[{message.role}]\n{message.content}\n")


def _first_text(source: str, column: str) -> str:
    """The text of the first record of an input. Raises `DataError` if it has none."""
    from structout.tables.rows import read_rows

    row = next(read_rows(source, text=column), None)
    if row is None or row.wrong or not isinstance(row.text, str):
        why = "it holds no records" if row is None else row.wrong or f"its first record has no text in {column!r}"
        raise DataError(f"{source} has no record to show: {why}", hint="name another input, or give --text")
    return row.text
