"""`structout model`: the embedded model."""

import typer

from structout.cli.console import put

app = typer.Typer(help="The embedded model.", no_args_is_help=True)


@app.command()
def fetch() -> None:
    """Fetch and convert the embedded model now, and say where it is."""
    from structout.models.embedded import embedded_folder

    put(str(embedded_folder()))
