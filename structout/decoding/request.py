"""The request to a token loop, and its answer."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from structout.completion import FinishReason, Sampling
from structout.decoding.meter import Spent
from structout.grammar.matcher import Matcher


@dataclass(frozen=True, slots=True)
class Request:
    """Prompt tokens to continue, with the sampling settings, the seed of this answer, and a matcher of its grammar.

    The answer begins with the tokens `begun`, which count for `max_tokens` and which the matcher has passed already. It
    depends on these five fields alone. Decoding advances the matcher.
    """

    tokens: Sequence[int]
    sampling: Sampling
    seed: int
    matcher: Matcher | None = None
    begun: Sequence[int] = ()


@dataclass(slots=True)
class Generated:
    """The tokens of an answer, without the end token, with their unmasked log-probabilities (nats), and the cost.

    `reused` prompt tokens were not computed again. `forced` output tokens were forced by the grammar. Of the `drafted`
    guesses, `accepted` were right. `passes` and `seconds` are this answer's share of the forward passes and of the
    time, with `model_seconds` in the model and `mask_seconds` in the grammar. The shares of all answers add up to the
    total, from the drawing of requests to the last answer.
    """

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: FinishReason = "stop"
    reason: str = ""  # why the answer is stuck
    reused: int = 0
    forced: int = 0
    drafted: int = 0
    accepted: int = 0
    passes: float = 0.0
    seconds: float = 0.0
    model_seconds: float = 0.0
    mask_seconds: float = 0.0

    def charge(self, cost: Spent, share: float = 1.0) -> None:
        """Add a share of a cost."""
        self.passes += cost.passes * share
        self.seconds += cost.seconds * share
        self.model_seconds += cost.model_seconds * share

    def give_up(self, matcher: Matcher) -> None:
        """End the answer as stuck, with the matcher's reason, because its grammar allows no token."""
        self.finish_reason = "stuck"
        self.reason = f"the grammar allows no token after {len(self.tokens)} tokens"
        self.reason += f": {matcher.reason}" if matcher.reason else ""

    @contextmanager
    def matching(self) -> Iterator[None]:
        """Count the time of the block as the grammar's time."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.mask_seconds += time.perf_counter() - began
