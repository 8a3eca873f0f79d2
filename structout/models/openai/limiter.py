"""How many requests a server is sent at once: as many as it takes, found out as the work goes on."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_START = 8


class Limiter:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989): one more request at once after as many successes
    as are allowed at once, half as many after the server said that it is too much, or let one time out. Thread-safe.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit: float = min(_START, most)
        self.peak = 0  # the most requests that were in flight at once
        self._flying = 0
        self._resume_at = 0.0
        self._cut_at = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the places, once one is free and no pause is on."""
        with self._changed:
            while True:
                pause = self._resume_at - time.monotonic()
                if pause > 0:
                    self._changed.wait(pause)
                elif self._flying >= int(self.limit):
                    self._changed.wait()
                else:
                    break
            self._flying += 1
            self.peak = max(self.peak, self._flying)
        try:
            yield
        finally:
            with self._changed:
                self._flying -= 1
                self._changed.notify_all()

    def succeeded(self) -> None:
        with self._changed:
            self.limit = min(self.most, self.limit + 1 / self.limit)
            self._changed.notify_all()

    def throttled(self, pause: float) -> None:
        """The server has too much: halve, and let nothing go out for `pause` seconds.

        The requests that were out together count as one such word.
        """
        with self._changed:
            now = time.monotonic()
            if now >= self._cut_at:
                self.limit = max(1.0, self.limit / 2)
                self._cut_at = now + 1.0
            self._resume_at = max(self._resume_at, now + pause)
            self._changed.notify_all()
