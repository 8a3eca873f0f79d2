"""Ordered, concurrent work on chunks of a stream."""

import math
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from structout.errors import ModelError
from structout.halt import GRACE, SLACK, Halt, settle, started

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

_IN_FLIGHT = 2  # concurrent chunks, so that one slow re-ask does not idle the model
_LAST = 30.0  # seconds for the requests in flight when the caller stops


def in_order(
    items: Iterable[T],
    work: Callable[[list[T]], R],
    size: int,
    in_flight: int = _IN_FLIGHT,
    *,
    keeps: bool = True,
) -> Generator[R, None, None]:
    """The results of `work` on chunks of `size` items, in order, with `in_flight` concurrent chunks. Items are read
    lazily. Errors of `work` are raised.

    After an error or an interrupt, or when the caller stops, the chunks in progress are told to end, and the requests
    in flight are waited for; after an interrupt for `GRACE` seconds at most. Unless `work` `keeps` what it gets, no
    request is waited for when the caller stops.
    """
    stream = iter(items)
    running: deque[Future[R]] = deque()
    halt = Halt()
    try:
        while True:
            while len(running) < in_flight and (chunk := list(islice(stream, size))):
                running.append(started(partial(work, chunk), halt))
            if not running:
                return
            _wait_for_first(running)
            result = running[0].result()
            running.popleft()
            yield result
    except GeneratorExit:
        halt.call(_LAST if keeps else 0)
        raise
    except KeyboardInterrupt:
        if not halt.is_called:  # else the program called a halt, and a chunk ended
            halt.call(GRACE)
        raise
    except BaseException:
        halt.call(math.inf)
        raise
    finally:
        settle(running, halt, SLACK if keeps else 0)


def _wait_for_first(running: "Collection[Future[R]]") -> None:
    """Wait for the first chunk. Raises an error of any chunk at once if the error stops the run."""
    first, *_ = running
    while not first.done():
        over = {one for one in running if one.done()}
        for error in (one.exception() for one in over):
            if isinstance(error, ModelError) and error.stops:
                raise error
        wait({*running} - over, return_when=FIRST_COMPLETED)


@contextmanager
def interruptible(stream: Generator[T, None, None]) -> Iterator[Generator[T, None, None]]:
    """Closes a stream of `in_order` at the end, and tells it about an interrupt in the code that reads the stream."""
    try:
        yield stream
    except KeyboardInterrupt as error:
        stream.throw(error)
        raise
    finally:
        stream.close()
