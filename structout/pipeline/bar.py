"""A progress bar on stderr for programs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from structout.pipeline.progress import Progress


@contextmanager
def bar(total: int | None) -> Iterator[Callable[[Progress], None]]:
    """A function that shows the progress. Only the end is shown unless stderr is a terminal."""
    from rich import progress
    from rich.console import Console

    columns = (
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.TimeRemainingColumn(),
    )
    shown = sys.stdout.isatty()  # else rich would send to stderr what a file or a pipe must get
    with progress.Progress(*columns, console=Console(stderr=True), redirect_stdout=shown) as made:
        row = made.add_task("", total=total)
        yield lambda now: made.update(row, completed=now.done, description=now.told)
