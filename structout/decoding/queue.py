"""What waits for a slot: requests of several calls, drawn from their iterables in turn."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from structout.decoding.request import Generated, Request


@dataclass(slots=True, eq=False)
class Call:
    """The requests of one call of `Engine.stream`: what is still to come, and what is ready."""

    source: Iterator[Request]
    ready: list[tuple[int, Generated]] = field(default_factory=list)
    pulled: int = 0  # requests that were drawn
    open: int = 0  # ... and are not done
    dry: bool = False
    error: BaseException | None = None

    @property
    def over(self) -> bool:
        return self.error is not None or (self.dry and not self.open)


@dataclass(frozen=True, slots=True, eq=False)
class Queued:
    """A request that waits, and its place in its call."""

    call: Call
    index: int
    request: Request
    tokens: list[int]


def pull(calls: Sequence[Call], queue: deque[Queued], limit: int) -> None:
    """Draw requests from the calls in turn until `limit` are queued: enough to see what they share."""
    while len(queue) < limit and (wet := [call for call in calls if not call.dry]):
        for call in wet:
            try:
                request = next(call.source, None)
            except Exception as error:  # the caller's own iterable failed: that is the caller's alone
                call.error, call.dry = error, True
                continue
            if request is None:
                call.dry = True
                continue
            queue.append(Queued(call, call.pulled, request, list(request.tokens)))
            call.pulled += 1
            call.open += 1
