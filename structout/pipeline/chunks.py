"""Work on a stream, in chunks, a few at a time, in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_IN_FLIGHT = 2  # chunks at once, so that a straggler in one chunk's re-ask never idles the model


def in_order(items: Iterable[T], work: Callable[[list[T]], R], size: int, in_flight: int = _IN_FLIGHT) -> Iterator[R]:
    """What `work` makes of each chunk of `size` items, in order, `in_flight` chunks at a time. Items are read lazily;
    its errors are raised.
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
