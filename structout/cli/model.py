"""`structout model`: the embedded model, and a check of any model."""

from typing import Annotated

import typer

from structout.cli.codes import INCOMPLETE
from structout.cli.console import put, put_json, put_table
from structout.cli.options import CodeOption, JsonOption, add, example

app = typer.Typer(
    help="Fetch the embedded model, or check any model.",
    short_help="Fetch the embedded model, or check any model.",
    no_args_is_help=True,
    epilog=example("structout model fetch", "structout model check embedded"),
)


def fetch() -> None:
    """Download and convert the embedded model now, and show its folder."""
    from structout.models.embedded import embedded_folder

    put(str(embedded_folder()))


def check(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A name, as --model takes it.")],
    as_json: JsonOption = False,
    no_code: CodeOption = False,
) -> None:
    """Ask a model a few short questions: what answers, whether it heeds a constraint, and what else it can do.

    Exit 0: the model answers; 2: it cannot be loaded; 3: it does not answer.
    """
    from structout.models.check import check_model

    found = check_model(name)
    if as_json:
        put_json(found.to_json())
    else:
        put_table(lambda _: found)
    raise typer.Exit(0 if found.ok else INCOMPLETE)


add(app, fetch, "structout model fetch")
add(app, check, "structout model check ollama:qwen3:8b")
