"""`structout model`: commands for the embedded model."""

import typer

from structout.cli.console import put

app = typer.Typer(help="Commands for the embedded model.", no_args_is_help=True)


@app.command()
def fetch() -> None:
    """Download and convert the embedded model now, and show its folder."""
    from structout.models.embedded import embedded_folder

    put(str(embedded_folder()))
