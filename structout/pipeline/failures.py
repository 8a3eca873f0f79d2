"""Consecutive rows on which the model failed: after a number of them, the fault is hardly theirs."""

from structout.errors import ModelError
from structout.pipeline.outcome import RowOutcome

AGAIN = "run the same command again; finished rows are kept"


class Failures:
    """Counts consecutive rows on which the model failed, up to `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._reasons: list[str] = []

    def passed(self, outcome: RowOutcome) -> None:
        """Count a row. Raises `ModelError` for the last of too many."""
        if outcome.status == "error":
            self._reasons.append(outcome.issues[0].message)
        elif None in outcome.refusals:
            self._reasons.clear()
        if len(self._reasons) < self._most:
            return
        first, last = self._reasons[0], self._reasons[-1]
        reasons = f": {first}" if first == last else f", first: {first}, last: {last}"
        message = f"the model failed on {len(self._reasons)} rows in a row{reasons}"
        raise ModelError(message, hint=f"fix the cause, then {AGAIN}")
