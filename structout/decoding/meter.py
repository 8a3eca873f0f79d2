"""The meter for the cost of decoding: forward passes and seconds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spent:
    """A number of forward passes, the seconds spent, and the seconds spent in the model."""

    passes: float = 0.0
    seconds: float = 0.0
    model_seconds: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.passes + other.passes, self.seconds + other.seconds, self.model_seconds + other.model_seconds)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.passes - other.passes, self.seconds - other.seconds, self.model_seconds - other.model_seconds)


class Meter:
    """Counts a model's forward passes, and the seconds spent in them."""

    def __init__(self) -> None:
        self.passes = 0
        self._in_model = 0.0

    def read(self) -> Spent:
        """The current reading. The difference of two readings is the cost between them."""
        return Spent(self.passes, time.perf_counter(), self._in_model)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the block as one pass."""
        self.passes += 1
        began = time.perf_counter()
        yield
        self._in_model += time.perf_counter() - began
