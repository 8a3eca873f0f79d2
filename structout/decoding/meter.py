"""What decoding costs, as it goes on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spent:
    """Forward passes, seconds in all, and those in the model: between two moments, or up to one."""

    passes: float = 0.0
    seconds: float = 0.0
    model_seconds: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.passes + other.passes, self.seconds + other.seconds, self.model_seconds + other.model_seconds)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.passes - other.passes, self.seconds - other.seconds, self.model_seconds - other.model_seconds)


class Meter:
    """Counts the passes of a model, and the seconds in them."""

    def __init__(self) -> None:
        self.passes = 0
        self._in_model = 0.0

    def read(self) -> Spent:
        """Where it stands: what was spent since another reading is their difference."""
        return Spent(self.passes, time.perf_counter(), self._in_model)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count one pass."""
        self.passes += 1
        began = time.perf_counter()
        yield
        self._in_model += time.perf_counter() - began
