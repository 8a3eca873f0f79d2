"""The cost of calls without a completion, until a completion includes it."""

import threading
from dataclasses import replace

from structout.completion import Completion, Usage


class Owed:
    """Adds what probes and failed requests cost to the next completion, once. Thread-safe."""

    def __init__(self) -> None:
        self._usage = Usage()
        self._lock = threading.Lock()

    def add(self, usage: Usage) -> None:
        """Keep a cost."""
        with self._lock:
            self._usage += usage

    def charge(self, answers: list[Completion | None]) -> None:
        """Add the cost to the first completion."""
        with self._lock:
            for place, answer in enumerate(answers):
                if answer is not None:
                    answers[place] = replace(answer, usage=answer.usage + self._usage)
                    self._usage = Usage()
                    return
