"""How sure a run is of its accepted rows, and where the token limit overruled the model."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from structout.verifiers.confident import Of

_DOUBTFUL = 0.5
_TOLD: Final[dict[Of, str]] = {
    "values": "it is the lowest of a row's values (_confidence), by the model or a verifier",
    "answer": "it is of a row's whole answer (_confidence), as the strategy's Confident takes it",
}


@dataclass(frozen=True)
class Sureness:
    """Of `accepted` rows: `confidence` counts the rows by their confidence in hundredths, and `overruled` is the number
    of rows with text that the token limit forced against the model's own choice. `truncated` rows were cut off and not
    accepted. `of` says which confidence the strategy compares with a threshold.
    """

    accepted: int = 0
    confidence: Mapping[int, int] = field(default_factory=Counter)
    overruled: int = 0
    truncated: int = 0
    of: Of = "values"

    @property
    def known(self) -> int:
        """The accepted rows that have a confidence."""
        return sum(self.confidence.values())

    @property
    def median(self) -> float | None:
        """The median of the confidences, rounded down to hundredths; None without confidences."""
        seen = 0
        for hundredth in sorted(self.confidence):
            seen += self.confidence[hundredth]
            if 2 * seen >= self.known:
                return hundredth / 100
        return None

    @property
    def doubtful(self) -> int:
        """The rows whose confidence is below a half."""
        return sum(count for hundredth, count in self.confidence.items() if hundredth < 100 * _DOUBTFUL)

    def lines(self) -> Iterator[str]:
        """What a person should know before using the rows."""
        if self.accepted and self.median is None:
            yield (
                "confidence: unknown, since no answer came with log-probabilities (#logprobs after the name of a "
                "server's model asks for them). Accepted rows fit the schema, but their values may be wrong: "
                "Verify(STRATEGY, Grounded()) sets aside rows with values that their texts do not hold"
            )
        elif self.median is not None:
            of = "" if self.known == self.accepted else f" of the {self.known:,} rows that have one"
            share = f"{self.doubtful:,} of {self.known:,} rows ({100 * self.doubtful / self.known:.0f} %)"
            yield (
                f"confidence{of}: median {self.median:.2f}, and below {_DOUBTFUL:g} in {share}; {_TOLD[self.of]}, and "
                "a rank, not a probability"
            )
        if self.overruled:
            yield (
                f"the token limit overruled the model in {self.overruled:,} of {self.accepted:,} accepted rows (_edits "
                'marks them): raise --max-tokens, or refuse such edits with Constrained(steering="lossless")'
            )
        if self.truncated:
            rows = "1 row" if self.truncated == 1 else f"{self.truncated:,} rows"
            yield f"the token limit cut off {rows}, now in the quarantine: raise --max-tokens and --retry-quarantine"
