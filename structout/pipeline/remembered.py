"""Answers and spending in memory, in place of a journal."""

import threading
from collections.abc import Mapping, Sequence

from structout.completion import Completion, Usage

_MOST = 10_000  # answers that are remembered


class Remembered:
    """The most recent answers, so that what is asked again is not paid again, and the usage of each model. It is kept
    like a journal (`pipeline.recorded.Kept`). Thread-safe.
    """

    def __init__(self) -> None:
        self._recent: dict[bytes, Completion] = {}
        self._spent: dict[str, Usage] = {}
        self._findings: dict[str, str] = {}
        self._lock = threading.Lock()

    def completions(self, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        """The remembered completions among these keys."""
        with self._lock:
            return {key: self._recent[key] for key in keys if key in self._recent}

    def add_completions(self, model: str, new: Mapping[bytes, Completion], usage: Usage) -> None:
        """Remember new completions of a model, and add their usage."""
        with self._lock:
            self._recent.update(new)
            while len(self._recent) > _MOST:
                del self._recent[next(iter(self._recent))]
            self._spent[model] = self._spent.get(model, Usage()) + usage

    def spent(self) -> dict[str, Usage]:
        """The usage of each model so far, by its name."""
        with self._lock:
            return dict(self._spent)

    def finding(self, model: str) -> str:
        """What was found out about a model's server; "" for nothing."""
        return self._findings.get(model, "")

    def keep_finding(self, model: str, finding: str) -> None:
        """Keep what was found out about a model's server."""
        self._findings[model] = finding
