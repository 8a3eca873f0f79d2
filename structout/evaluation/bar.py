"""The progress of an experiment as a bar, in a terminal or in a notebook."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from structout import pages
from structout.evaluation.outcome import Outcome

_EVERY = 0.2  # seconds between two drawings in a notebook

Progress = Callable[[Outcome], None]


@contextmanager
def bar(progress: Progress | bool | None, total: int) -> Iterator[Progress]:
    """The function to call with each outcome: the given one, or one that draws a bar if `progress` is True."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda outcome: None
    elif _is_notebook():
        yield _in_notebook(total)
    else:
        with _in_terminal(total) as advance:
            yield advance


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def _in_notebook(total: int) -> Progress:
    from IPython import display

    shown: Any = display  # it has no types
    started, drawn, done = time.monotonic(), 0.0, 0
    handle = shown.display(shown.HTML(_drawn(0, total, 0.0, "")), display_id=True)

    def advance(outcome: Outcome) -> None:
        nonlocal drawn, done
        done, now = done + 1, time.monotonic()
        if now - drawn >= _EVERY or done == total:
            drawn = now
            handle.update(shown.HTML(_drawn(done, total, now - started, outcome.arm.label)))

    return advance


def _drawn(done: int, total: int, seconds: float, label: str) -> str:
    told = f"{done:,} of {total:,} results, {seconds:.0f} s {label}"
    return pages.fragment(
        pages.Html(f'<progress value="{done}" max="{total}" aria-label="results"></progress> {pages.cell(told)}')
    )


@contextmanager
def _in_terminal(total: int) -> Iterator[Progress]:
    """A bar on stderr that goes when all is done. Elsewhere than on a terminal, rich draws nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    # rich would send to stderr what a program prints to a file or a pipe.
    shown, off = sys.stdout.isatty(), not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=off, redirect_stdout=shown) as drawn:
        row = drawn.add_task("", total=total)
        yield lambda outcome: drawn.advance(row)
