"""Threads that end soon when they are told to: after Ctrl-C, or after an error that concerns all of their work."""

import atexit
import math
import sys
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, wait
from contextvars import ContextVar, copy_context
from functools import cache
from typing import Any, TypeVar

R = TypeVar("R")

GRACE = 2.0  # seconds for the requests in flight after Ctrl-C, and at the end of the program
SLACK = 1.0  # seconds to keep what has arrived by then
THREAD = "structout"  # the name of all threads
_LOOK = 0.2  # seconds between two looks at a halt


class HaltedError(KeyboardInterrupt):
    """The end of work that was told to end."""


class Halt:
    """Tells the threads of some work to end. A halt that is made in such a thread belongs to the work of that thread,
    and is called when its halt is called. Thread-safe.
    """

    def __init__(self) -> None:
        self._outer = _CURRENT.get()
        self._until = math.inf
        self._called = False

    def call(self, seconds: float = math.inf) -> None:
        """Start nothing new, and wait at most `seconds` for what is in progress."""
        self._until = min(self._until, time.monotonic() + seconds)
        self._called = True

    @property
    def is_called(self) -> bool:
        """Whether the work must end."""
        return self._called or (self._outer is not None and self._outer.is_called)

    @property
    def until(self) -> float:
        """The time, by `time.monotonic`, until which to wait for what is in progress."""
        return self._until if self._outer is None else min(self._until, self._outer.until)

    def check(self) -> None:
        """Raise `HaltedError` if the work must end."""
        if self.is_called:
            raise HaltedError

    def sleep(self, seconds: float) -> None:
        """Sleep. Raises `HaltedError` as soon as the work must end."""
        end = time.monotonic() + seconds
        self.check()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK))
            self.check()

    def pause(self, condition: threading.Condition, seconds: float = math.inf) -> None:
        """Wait for a condition, at most `seconds`. Returns early now and then. Raises `HaltedError`."""
        self.check()
        condition.wait(min(seconds, _LOOK))


_CURRENT: ContextVar[Halt | None] = ContextVar("structout_halt", default=None)


_RUNNING: dict[Future[Any], Halt] = {}


@cache
def _register() -> None:
    atexit.register(_finish)  # so late that it runs while models are still open


def _finish() -> None:
    """Give the threads of a program that ends a few seconds."""
    running = dict(_RUNNING)
    for halt in running.values():
        halt.call(GRACE)
    until = max((halt.until for halt in running.values()), default=0.0)
    wait(running, max(0.0, until + SLACK - time.monotonic()))


def current() -> Halt:
    """The halt of the work that this thread does, or else a new halt."""
    return _CURRENT.get() or Halt()


def started(work: Callable[[], R], halt: Halt) -> "Future[R]":
    """The future of some work in a new thread, which works until `halt` is called. The end of the program calls it."""
    _register()
    future: Future[R] = Future()
    future.set_running_or_notify_cancel()
    context = copy_context()
    context.run(_CURRENT.set, halt)

    def run() -> None:
        try:
            future.set_result(context.run(work))
        except BaseException as error:
            future.set_exception(error)
        finally:
            _RUNNING.pop(future, None)

    _RUNNING[future] = halt
    threading.Thread(target=run, name=THREAD, daemon=True).start()
    return future


def settle(futures: Collection["Future[Any]"], halt: Halt, slack: float = 0.0) -> None:
    """Wait for all futures, and after the halt for no longer than it allows and `slack` seconds. A Ctrl-C calls the
    halt.
    """
    try:
        while not sys.is_finalizing() and wait(futures, _LOOK).not_done and time.monotonic() < halt.until + slack:
            pass
    except KeyboardInterrupt:
        halt.call(GRACE)
        settle(futures, halt, slack)
