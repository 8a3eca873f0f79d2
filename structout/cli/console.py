"""Messages, tables and progress on stdout and stderr.

Commands write to stdout and stderr only through these functions. They escape the text for its surface, because any
text may contain data.
"""

import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
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

_EVERY = 10.0  # seconds between two lines of progress of a run in a log
_SELDOM = 30.0  # seconds between two lines of progress of other commands in a log


class LogFormat(StrEnum):
    """The format of progress lines."""

    TEXT = "text"
    JSON = "json"


def say(message: str) -> None:
    """Write one line to stderr."""
    _write(surfaces.line(f"structout: {message}" if not message.startswith("error") else message))


def counted(number: int, thing: str) -> str:
    """A number of things in words: `1 record`, `2,000 records`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def say_over(message: str) -> None:
    """Overwrite the last line on stderr, for a terminal."""
    _write(f"\r\x1b[K{surfaces.line(message)}", end="")


def end_line() -> None:
    """End the line that `say_over` left open."""
    _write("")


def put(text: str, stream: TextIO | None = None) -> None:
    """Write text for people to `stream` (default: stdout)."""
    print(surfaces.terminal(text), file=stream or sys.stdout)


def put_json(value: Any, stream: TextIO | None = None) -> None:
    """Write one line of JSON for machines to `stream` (default: stdout); in ASCII unless stdout takes UTF-8."""
    takes_all = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(surfaces.json_text(value, ascii=not takes_all), file=stream or sys.stdout)


def put_table(table: "Callable[[int], RenderableType]") -> None:
    """Write to stdout what `table` returns for the width of the terminal. `table` escapes its own cells."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 120, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(table(console.width))
    print(surfaces.disarmed(captured.get()), end="")


def show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any
) -> None:
    """The `warnings.showwarning` of a running command. It escapes every warning, because any may contain data."""
    if issubclass(category, StructoutWarning):
        say(str(message))
    else:
        _write(surfaces.terminal(warnings.formatwarning(message, category, filename, lineno).rstrip()))


def show_failure(kind: type[BaseException], error: BaseException, trace: "TracebackType | None") -> None:
    """The `sys.excepthook` of a running command. It escapes the traceback, which may contain data."""
    _write(surfaces.terminal("".join(traceback.format_exception(kind, error, trace)).rstrip()))


def _write(text: str, end: str = "\n") -> None:
    """Write to stderr. A closed stderr does not stop the command."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except BrokenPipeError:
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Send all further output of stdout or stderr to the null device, after its reader has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def show(report: Any, *, as_json: bool, markdown: bool, more: Mapping[str, Any] | None = None) -> None:
    """Write a report to stdout: as JSON with `more`, as Markdown, or by default as a table."""
    from structout.evaluation.reporting import table
    from structout.evaluation.reporting.conclusion import conclusion

    if as_json:
        put_json(report.to_json() | {"conclusion": conclusion(report), **(more or {})})
    elif markdown:
        put(table.markdown(report))
    else:
        put_table(partial(table.table, report))


@contextmanager
def progress(task: str, total: int | None) -> Iterator[Any]:
    """A progress bar on stderr if stderr is a terminal, else a line every 30 seconds. The yielded function advances by
    one.
    """
    if not sys.stderr.isatty():
        with _in_lines(task, total) as advance:
            yield advance
        return
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
    shown = sys.stdout.isatty()  # else rich would send to stderr what a file or a pipe must get
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=shown) as bar:
        row = bar.add_task(task, total=total)

        def advance(now: str | None = None) -> None:
            bar.update(row, advance=1, description=surfaces.line(now or task))

        yield advance


@contextmanager
def _in_lines(task: str, total: int | None) -> "Iterator[Callable[..., None]]":
    """Advances a count by one, and says it when 30 seconds have passed since the last line, and at the end of a count
    that was said.
    """
    done, told, last = 0, 0, time.monotonic()

    def say_count() -> None:
        nonlocal told, last
        told, last = done, time.monotonic()
        say(f"{task}: {done:,}{'' if total is None else f' of {total:,}'}")

    def advance(now: str | None = None) -> None:
        nonlocal done
        done += 1
        if time.monotonic() - last >= _SELDOM:
            say_count()

    yield advance
    if 0 < told < done:
        say_count()


@contextmanager
def reporter(log_format: LogFormat, metrics: str | None) -> "Iterator[Callable[[Tally], None]]":
    """Reports the progress of a run on stderr: one line that is updated in place on a terminal, a line every 10 seconds
    in a log. The final state is always reported. The file `metrics` holds the state in the Prometheus text format.
    """
    from structout.tables.whole_file import replacing

    watched = sys.stderr.isatty() and log_format is LogFormat.TEXT
    reported, latest = 0.0, None

    def show_state(tally: "Tally", event: str) -> None:
        if log_format is LogFormat.JSON:
            _write(surfaces.json_text({"event": event, "time": round(time.time(), 3), **tally.to_json()}))
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
        nonlocal reported, latest
        latest = tally
        if tally.seconds - reported >= (0.5 if watched else _EVERY):
            reported = tally.seconds
            show_state(tally, "progress")

    try:
        yield report
    finally:
        if latest is not None:
            show_state(latest, "end")
