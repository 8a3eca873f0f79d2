"""The limit on concurrent requests, which adapts to the server's capacity."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from structout.halt import current

_START = 8


class Limiter:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989) of the limit on concurrent requests, after a slow
    start (Jacobson 1988).

    Each success raises the limit by one until the server throttles a request or lets a request time out. This halves
    the limit, and from then on the limit grows by one after as many successes as the limit. Thread-safe.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit: float = min(_START, most)
        self.has_succeeded = False
        self.peak = 0  # the highest number of requests in flight so far
        self._flying = 0
        self._was_throttled = False
        self._resume_at = 0.0
        self._cut_at = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot for one request. Waits until a slot is free and the pause is over. Raises `HaltedError`."""
        halt = current()
        with self._changed:
            while True:
                pause = self._resume_at - time.monotonic()
                if pause > 0:
                    halt.pause(self._changed, pause)
                elif self._flying >= int(self.limit):
                    halt.pause(self._changed)
                else:
                    halt.check()
                    break
            self._flying += 1
            self.peak = max(self.peak, self._flying)
        try:
            yield
        finally:
            with self._changed:
                self._flying -= 1
                self._changed.notify()  # not all: hundreds of threads may wait, and each looks now and then anyway

    def succeeded(self) -> None:
        """Raise the limit, after a success."""
        self.has_succeeded = True
        with self._changed:
            self.limit = min(self.most, self.limit + (1 / self.limit if self._was_throttled else 1))
            self._changed.notify()

    def throttled(self, pause: float) -> None:
        """Halve the limit and send no request for `pause` seconds, because the server is overloaded.

        Calls within a second halve the limit only once, as their requests were in flight together.
        """
        with self._changed:
            self._was_throttled = True
            now = time.monotonic()
            if now >= self._cut_at:
                self.limit = max(1.0, self.limit / 2)
                self._cut_at = now + 1.0
            self._resume_at = max(self._resume_at, now + pause)
            self._changed.notify_all()
