"""What people see: one line of news, a table, and how far the work is."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def say(message: str) -> None:
    """One line on stderr."""
    print(f"structout: {message}" if not message.startswith("error") else message, file=sys.stderr)


def show(report: Any, *, as_json: bool, markdown: bool) -> None:
    """A report on stdout, as a table unless it is asked for otherwise."""
    if as_json:
        print(json.dumps(report.to_json()))
    elif markdown:
        print(report.markdown())
    else:
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else 120)
        console.print(report.table(console.width))


@contextmanager
def progress(task: str, total: int | None) -> Iterator[Any]:
    """A progress line on stderr, if a person is there to see it; the yielded function moves it on by one."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        row = bar.add_task(task, total=total)

        def advance(now: str | None = None) -> None:
            bar.update(row, advance=1, description=now or task)

        yield advance


def utf8() -> bool:
    """Whether stdout can take any character."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
