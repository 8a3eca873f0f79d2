"""Ordered, concurrent work on chunks of a stream."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_IN_FLIGHT = 2  # concurrent chunks, so that one slow re-ask does not idle the model


def in_order(items: Iterable[T], work: Callable[[list[T]], R], size: int, in_flight: int = _IN_FLIGHT) -> Iterator[R]:
    """The results of `work` on chunks of `size` items, in order, with `in_flight` concurrent chunks. Items are read
    lazily. Errors of `work` are raised.
    """
    stream = iter(items)
    pool = ThreadPoolExecutor(in_flight)
    running: deque[Future[R]] = deque()
    try:
        while True:
            while len(running) < in_flight and (chunk := list(islice(stream, size))):
                running.append(pool.submit(work, chunk))
            if not running:
                return
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
