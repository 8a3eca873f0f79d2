"""What is asked of a token loop, and what comes back."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from structout.completion import FinishReason, Sampling
from structout.decoding.meter import Spent
from structout.grammar.matcher import Matcher


@dataclass(frozen=True, slots=True)
class Request:
    """Prompt tokens to continue, how to choose, the seed of this very answer, and the grammar to keep to.

    The answer depends on these four alone. The matcher is moved while the answer is made.
    """

    tokens: Sequence[int]
    sampling: Sampling
    seed: int
    matcher: Matcher | None = None


@dataclass(slots=True)
class Generated:
    """The tokens that came of a request, end token excluded, with their log-probabilities unmasked (nats).

    What it cost: `reused` prompt tokens that were not computed, `forced` output tokens that the grammar left no choice
    about, `drafted` guesses and how many of them were `accepted`, this answer's share of forward `passes`, and of the
    `seconds`, those in the model and those in the grammar. Shares add up to what was spent, from drawing requests to
    finishing answers.
    """

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: FinishReason = "stop"
    reason: str = ""  # why it is stuck
    reused: int = 0
    forced: int = 0
    drafted: int = 0
    accepted: int = 0
    passes: float = 0.0
    seconds: float = 0.0
    model_seconds: float = 0.0
    mask_seconds: float = 0.0

    def charge(self, cost: Spent, share: float = 1.0) -> None:
        """Add a share of what was spent."""
        self.passes += cost.passes * share
        self.seconds += cost.seconds * share
        self.model_seconds += cost.model_seconds * share

    def give_up(self, matcher: Matcher) -> None:
        """End it where its grammar allows no token, with the reason."""
        self.finish_reason = "stuck"
        self.reason = f"the grammar allows no token after {len(self.tokens)} tokens"
        self.reason += f": {matcher.reason}" if matcher.reason else ""

    @contextmanager
    def matching(self) -> Iterator[None]:
        """Count the time in this block as the grammar's."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.mask_seconds += time.perf_counter() - began
