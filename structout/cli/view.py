"""`structout view`: an index of the reports in a folder."""

from pathlib import Path
from typing import Annotated

import typer

from structout.cli.console import counted, say


def view(
    folder: Annotated[str, typer.Argument(help="The folder of reports and logs.")] = ".structout",
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="The HTML file (default: index.html in the folder).")
    ] = None,
) -> None:
    """Write an index of the reports in a folder, with the trends of its bench logs."""
    from structout.evaluation.reporting.index import write

    path = Path(output) if output is not None else Path(folder) / "index.html"
    found, runs = write(Path(folder), path)
    say(f"{path} lists {counted(len(found), 'report')} and {counted(len({one.log for one in runs}), 'log')}")
