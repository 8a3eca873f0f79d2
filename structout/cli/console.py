"""What people see: one line of news, a table, and how far the work is."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from structout.pipeline.progress import Tally

_EVERY = 10.0  # seconds between two lines of progress where nobody watches


class LogFormat(StrEnum):
    """How progress is written."""

    TEXT = "text"
    JSON = "json"


def say(message: str) -> None:
    """One line on stderr."""
    _print(f"structout: {message}" if not message.startswith("error") else message)


def _print(line: str, end: str = "\n") -> None:
    """On stderr; that nobody reads it any more is no reason to stop working."""
    try:
        print(line, end=end, file=sys.stderr, flush=True)
    except BrokenPipeError:
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Let what is written to stdout or stderr from now on go nowhere: its reader is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


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


@contextmanager
def reporter(log_format: LogFormat, metrics: str | None) -> "Iterator[Callable[[Tally], None]]":
    """Shows how far a run is: a line that stays in place for a person, a line now and then for a log; the last state is
    always told. `metrics` is a file that holds it in Prometheus text format.
    """
    from structout.pipeline.output import replacing

    watched = sys.stderr.isatty() and log_format is LogFormat.TEXT
    told, latest = 0.0, None

    def tell(tally: "Tally", event: str) -> None:
        if log_format is LogFormat.JSON:
            _print(json.dumps({"event": event, "time": round(time.time(), 3), **tally.to_json()}))
        elif watched:
            _print(f"\r\x1b[K{tally.line()}", end="\n" if event == "end" else "")
        else:
            say(tally.line())
        if metrics is not None:
            with replacing(metrics) as stream:
                stream.write(tally.prometheus().encode())

    def report(tally: "Tally") -> None:
        nonlocal told, latest
        latest = tally
        if tally.seconds - told >= (0.5 if watched else _EVERY):
            told = tally.seconds
            tell(tally, "progress")

    try:
        yield report
    finally:
        if latest is not None:
            tell(latest, "end")


def utf8() -> bool:
    """Whether stdout can take any character."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
