"""`structout preview`: the prompt, before it is sent."""

from typing import Annotated

import typer

from structout import defaults
from structout.cli.console import put, put_json, say
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    ExamplesOption,
    JsonOption,
    SchemaOption,
    StrategyOption,
    shown_examples,
)
from structout.errors import SpecError


def preview(
    schema: SchemaOption,
    text: Annotated[str, typer.Option("--text", "-t", help="The record.")] = "(the record)",
    strategy: StrategyOption = defaults.STRATEGY,
    examples: ExamplesOption = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Show it in this model's own chat template.")
    ] = None,
    as_json: JsonOption = False,
    allow_code: AllowCodeOption = False,
    no_code: CodeOption = False,
) -> None:
    """Show the first prompt exactly as it would be sent. No model is asked.

    What would act on the terminal, or on a CI job that obeys its own output, is shown as its escape.
    """
    from structout.models import load_model
    from structout.schema import Schema
    from structout.strategies import preview as first_prompt

    contract = Schema.of(schema)
    who = load_model(model) if model is not None else None
    prompt = first_prompt(text, contract, strategy, examples=shown_examples(examples, contract), model=who)
    if who is not None:
        render, encode = getattr(who, "render", None), getattr(who, "encode", None)
        if render is None or encode is None:
            raise SpecError(f"{model} has no chat template to show", hint="leave --model out")
        tokens = encode(prompt)
        put(render(prompt))
        say(tokens if isinstance(tokens, str) else f"{len(tokens)} tokens")
    elif as_json:
        messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
        put_json({"messages": messages, "constrained": prompt.constraint is not None})
    else:
        for message in prompt.messages:
            put(f"[{message.role}]\n{message.content}\n")
