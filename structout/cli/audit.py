"""`structout audit`: a schema judged before money is spent."""

from typing import Annotated

import typer

from structout.cli.console import put_json, put_table
from structout.cli.options import CodeOption, JsonOption
from structout.errors import SpecError


def audit(
    schema: Annotated[
        str, typer.Argument(help="A folder, a .json file, path/to/schema.py:Name or package.module:Name.")
    ],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Count the shortest document in this model's tokens.")
    ] = None,
    as_json: JsonOption = False,
    no_code: CodeOption = False,
) -> None:
    """Judge a schema before money is spent: what a constraint will enforce, and what is only checked afterwards."""
    from structout.grammar.audit import audit as judge
    from structout.models import load_model
    from structout.schema import Schema

    vocabulary = getattr(load_model(model), "vocabulary", None) if model is not None else None
    if model is not None and vocabulary is None:
        raise SpecError(f"{model} does not show its tokens", hint="give a local model, or leave --model out")
    found = judge(Schema.of(schema), vocabulary)
    if as_json:
        put_json(found.to_json())
    else:
        put_table(lambda _: found)
