"""The queue of requests that wait for a slot, drawn in turn from several calls."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from structout.decoding.request import Generated, Request


@dataclass(slots=True, eq=False)
class Call:
    """One call of `Engine.stream`: its remaining requests, and its finished answers."""

    source: Iterator[Request]
    ready: list[tuple[int, Generated]] = field(default_factory=list)
    pulled: int = 0  # the number of requests that were drawn
    open: int = 0  # the number of drawn requests that are not done
    dry: bool = False  # whether the source has no more requests
    error: BaseException | None = None

    @property
    def over(self) -> bool:
        """Whether the call has failed, or all its requests are done."""
        return self.error is not None or (self.dry and not self.open)


@dataclass(frozen=True, slots=True, eq=False)
class Queued:
    """A waiting request, and its place in its call."""

    call: Call
    index: int
    request: Request
    tokens: list[int]


def pull(calls: Sequence[Call], queue: deque[Queued], limit: int) -> None:
    """Draw requests from the calls in turn until `limit` requests are queued, so that common prefixes can be found."""
    while len(queue) < limit and (wet := [call for call in calls if not call.dry]):
        for call in wet:
            try:
                request = next(call.source, None)
            except Exception as error:  # the caller's own iterable failed: other calls go on
                call.error, call.dry = error, True
                continue
            if request is None:
                call.dry = True
                continue
            queue.append(Queued(call, call.pulled, request, list(request.tokens)))
            call.pulled += 1
            call.open += 1
