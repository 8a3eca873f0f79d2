"""What people see: one line of news, a table, and how far the work is.

Whatever a command writes to stdout or stderr goes through a function here, which renders it for its surface: data may
stand in any of it.
"""

import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from structout import surfaces
from structout.errors import StructoutWarning

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import RenderableType

    from structout.pipeline.progress import Tally

_EVERY = 10.0  # seconds between two lines of progress where nobody watches


class LogFormat(StrEnum):
    """How progress is written."""

    TEXT = "text"
    JSON = "json"


def say(message: str) -> None:
    """One line on stderr."""
    _tell(surfaces.line(f"structout: {message}" if not message.startswith("error") else message))


def say_over(message: str) -> None:
    """One line on stderr in place of the one before it, where a person watches."""
    _tell(f"\r\x1b[K{surfaces.line(message)}", end="")


def end_line() -> None:
    """End the line that `say_over` left open."""
    _tell("")


def put(text: str, stream: TextIO | None = None) -> None:
    """Text for people, on stdout unless a stream is given."""
    print(surfaces.terminal(text), file=stream or sys.stdout)


def put_json(value: Any, stream: TextIO | None = None) -> None:
    """One line of JSON for machines, in ASCII where stdout cannot take any character."""
    takes_all = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(surfaces.json_text(value, ascii=not takes_all), file=stream or sys.stdout)


def put_table(table: "Callable[[int], RenderableType]") -> None:
    """What rich lays out for so many columns, on stdout: the cells are rendered by whoever fills them."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 120, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(table(console.width))
    print(surfaces.disarmed(captured.get()), end="")


def show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any
) -> None:
    """What `warnings.showwarning` is while a command runs: data may stand in others' warnings too."""
    if issubclass(category, StructoutWarning):
        say(str(message))
    else:
        _tell(surfaces.terminal(warnings.formatwarning(message, category, filename, lineno).rstrip()))


def show_failure(kind: type[BaseException], error: BaseException, trace: "TracebackType | None") -> None:
    """What `sys.excepthook` is while a command runs: data may stand in the traceback of a defect too."""
    _tell(surfaces.terminal("".join(traceback.format_exception(kind, error, trace)).rstrip()))


def _tell(text: str, end: str = "\n") -> None:
    """On stderr; that nobody reads it any more is no reason to stop working."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except BrokenPipeError:
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Let what is written to stdout or stderr from now on go nowhere: its reader is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def show(report: Any, *, as_json: bool, markdown: bool) -> None:
    """A report on stdout, as a table unless it is asked for otherwise."""
    from structout.evaluation.reporting import table

    if as_json:
        put_json(report.to_json())
    elif markdown:
        put(table.markdown(report))
    else:
        put_table(partial(table.table, report))


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
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        row = bar.add_task(task, total=total)

        def advance(now: str | None = None) -> None:
            bar.update(row, advance=1, description=surfaces.line(now or task))

        yield advance


@contextmanager
def reporter(log_format: LogFormat, metrics: str | None) -> "Iterator[Callable[[Tally], None]]":
    """Shows how far a run is: a line that stays in place for a person, a line now and then for a log; the last state is
    always told. `metrics` is a file that holds it in Prometheus text format.
    """
    from structout.tables.output import replacing

    watched = sys.stderr.isatty() and log_format is LogFormat.TEXT
    told, latest = 0.0, None

    def tell(tally: "Tally", event: str) -> None:
        if log_format is LogFormat.JSON:
            _tell(surfaces.json_text({"event": event, "time": round(time.time(), 3), **tally.to_json()}))
        elif watched:
            say_over(tally.line())
            if event == "end":
                end_line()
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
