"""An event loop in a thread of its own: the connections of a provider's client belong to one loop."""

import asyncio
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
_SECONDS_TO_CLOSE = 2.0
_LOOPS: "weakref.WeakSet[Loop]" = weakref.WeakSet()


class Loop:
    """Runs coroutines for other threads. The thread is a daemon, and starts with the first coroutine.

    `opened` runs before the first coroutine, and `closed` once `close` is called.
    """

    def __init__(self, opened: Callable[[], Awaitable[Any]], closed: Callable[[], Awaitable[Any]]) -> None:
        self._opened = opened
        self._closed = closed
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        _LOOPS.add(self)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine in the loop. Cancelling the future cancels the coroutine."""
        with self._lock:
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop = loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(loop,), name="structout-provider", daemon=True)
                self._thread.start()
                asyncio.run_coroutine_threadsafe(_awaited(self._opened), loop).result()
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def forget(self) -> None:
        """Start anew in a process that was forked, which has no thread of its parent, but maybe a held lock."""
        self._lock, self._thread, self._loop = threading.Lock(), None, None

    def close(self) -> None:
        """Close the connections, stop the loop, and end its thread. Another coroutine starts a new loop."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None or not thread.is_alive():
            return
        ending = asyncio.run_coroutine_threadsafe(_ended(self._closed), loop)
        ending.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
        if thread is not threading.current_thread():
            thread.join(2 * _SECONDS_TO_CLOSE)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def _awaited(call: Callable[[], Awaitable[Any]]) -> None:
    await call()


async def _ended(closed: Callable[[], Awaitable[Any]]) -> None:
    """Cancel what still runs, and close the connections."""
    running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    try:
        async with asyncio.timeout(_SECONDS_TO_CLOSE):
            await closed()
    except Exception:  # the connections end with the process
        pass


def _forget_all() -> None:
    for loop in list(_LOOPS):
        loop.forget()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_all)
