"""What a run does when its rows stop looking like the labelled records that its strategy was certified on."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from structout.errors import ShiftError, StructoutWarning
from structout.pipeline.outcome import RowOutcome
from structout.shift import ShiftDetector, read_reference
from structout.verifiers.confident import Of

OnShift = Literal["warn", "quarantine", "stop"]
_RUNS = 20  # runs without a shift, of which one may have an alarm
_UNKNOWN = 1_000_000  # rows of an input whose number is unknown
_DONE = {"warn": "the run goes on", "quarantine": "the rows from here on go to the quarantine"}
_AGAIN = "label some of these rows and certify again, or go on with --on-shift warn"


@dataclass
class Watch:
    """A detector over the confidences of a run, and what happens at its alarm. `part` says which confidences: they are
    of the same part of an answer as those of the labelled records.
    """

    detector: ShiftDetector
    on_shift: OnShift
    part: Of = "values"
    is_told: bool = False

    @classmethod
    def of(cls, file: str, on_shift: OnShift, total: int | None) -> "Watch":
        """A watch with the confidences in a file, for a run over `total` rows. Raises `DataError`."""
        limit = float(_RUNS * max(_UNKNOWN if total is None else total, 1))
        reference = read_reference(file)
        return cls(ShiftDetector(reference.confidences, limit), on_shift, reference.of)

    @property
    def by(self) -> list[Any]:
        """What decides about the rows, as JSON."""
        return [self.part, self.detector.limit, *self.detector.reference]

    def see(self, outcome: RowOutcome) -> None:
        """Take the confidence of a row, if it has one."""
        sure = outcome.sureness_of(self.part)
        if sure is not None:
            self.detector.add(sure)

    def state(self) -> dict[str, Any]:
        """What was seen, as JSON for `restore`."""
        return self.detector.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`. Raises `DataError` for anything else."""
        self.detector.restore(state)

    def screened(self, outcomes: Sequence[tuple[int, bytes, RowOutcome]]) -> list[tuple[int, bytes, RowOutcome]]:
        """The outcomes; after an alarm, none is accepted if rows go to the quarantine."""
        if self.detector.alarm is None or self.on_shift != "quarantine":
            return list(outcomes)
        reason = "the run's rows no longer look like the labelled records"
        return [(at, digest, one.refused(reason) if one.ok else one) for at, digest, one in outcomes]

    def heed(self) -> None:
        """Warn of an alarm once. Raises `ShiftError` if the run is to stop."""
        if self.detector.alarm is None or self.is_told:
            return
        self.is_told = True
        if self.on_shift == "stop":
            raise ShiftError(self.detector.told(), hint=_AGAIN)
        warnings.warn(f"{self.detector.told()}; {_DONE[self.on_shift]}", StructoutWarning, stacklevel=3)

    def close(self) -> None:
        """Warn if there was nothing to watch."""
        if not self.detector.rows:
            message = (
                "no answer has a confidence, so nothing was watched: the model gives no log-probabilities (#logprobs "
                "after the name of a server's model asks for them)"
            )
            warnings.warn(message, StructoutWarning, stacklevel=3)
