"""`structout audit`: a check of a schema before any money is spent."""

from typing import Annotated

import typer

from structout.cli.codes import FAILED
from structout.cli.console import put_json, put_table
from structout.cli.options import CodeOption, JsonOption
from structout.errors import SpecError


def audit(
    schema: Annotated[
        str, typer.Argument(help="A folder, a .json file, path/to/schema.py:Name or package.module:Name.")
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Also show how many tokens of this model the shortest document takes."),
    ] = None,
    for_provider: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="PROVIDER",
            help="Show instead what a provider, such as openai or anthropic, rejects, ignores or compiles slowly, and "
            "the least rewrite that it takes. Exit code 1: no rewrite is known.",
        ),
    ] = None,
    as_json: JsonOption = False,
    no_code: CodeOption = False,
) -> None:
    """Show what a constraint enforces of a schema, and what is only checked after decoding."""
    if for_provider is not None:
        if model is not None:
            raise SpecError("both --for and --model are given", hint="omit one of them")
        _audit_for(schema, for_provider, as_json)
        return
    from structout.grammar.audit import audit as judge
    from structout.models import load_model
    from structout.schema import Schema

    vocabulary = getattr(load_model(model), "vocabulary", None) if model is not None else None
    if model is not None and vocabulary is None:
        raise SpecError(f"{model} does not expose its tokens", hint="give a local model, or omit --model")
    found = judge(Schema.of(schema), vocabulary)
    if as_json:
        put_json(found.to_json())
    else:
        put_table(lambda _: found)


def _audit_for(schema: str, provider: str, as_json: bool) -> None:
    """Show the audit of a schema for one provider."""
    from structout.schema.provider_audit import judge

    found = judge(schema, provider)
    if as_json:
        put_json(found.to_json())
    else:
        put_table(lambda _: found)
    if not found.is_taken:
        raise typer.Exit(FAILED)
