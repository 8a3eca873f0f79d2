"""Waiting for a server: which errors pass, how long to wait, and when to give up."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from structout.completion import Usage
from structout.halt import current

T = TypeVar("T")

TOO_MUCH = (429, 503)
TIMED_OUT = (408, 504, 522, 524)
MAY_PASS = (*TIMED_OUT, 409, 424, 425, 498, 499, *(one for one in range(500, 600) if one not in (501, 503, 504)))
CANNOT_TAKE = (400, 413, 422, 501)
_LONGEST_PAUSE = 20.0  # seconds, if the server does not say how long to wait


class FaultError(Exception):
    """A transport fault, which says nothing about the prompt: the request may be retried, after `wait` seconds if the
    server named a time.
    """

    def __init__(
        self,
        reason: str,
        *,
        wait: float | None = None,
        throttled: bool = False,
        slow: bool = False,
        status: int = 0,
        answer: Usage | None = None,
    ) -> None:
        super().__init__(reason)
        self.wait = wait
        self.throttled = throttled
        self.slow = slow  # the server is overloaded, though it does not say so
        self.status = status  # 0: no error status
        self.answer = answer  # the cost of an answer that cannot be used


class RefusalError(Exception):
    """The server rejects this request, and would reject it again; a `final` refusal, also with a weaker constraint.

    `said` is all that the server said of it.
    """

    def __init__(self, reason: str, *, said: str = "", final: bool = False) -> None:
        super().__init__(reason)
        self.said = said or reason
        self.final = final


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    An answer may take `timeout` seconds. A request with transport faults gets `attempts` attempts. A request that the
    server throttles (429, 503) is retried for `seconds` seconds; a throttled request does not count as an attempt. A
    pause that the server asks for is cut to `longest_wait` seconds.
    """

    timeout: float = 120.0
    attempts: int = 5
    seconds: float = 600.0
    longest_wait: float = 60.0


def retried(send: Callable[[], T], patience: Patience) -> T:
    """What `send` returns, called again after each `FaultError` until the patience is used up. Raises the last one,
    and `HaltedError`.

    Throttling and faults are counted apart, so that a single fault after a long wait does not end the request.
    """
    import tenacity

    failed = 0

    def pause(state: tenacity.RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        asked = fault.wait if isinstance(fault, FaultError) else None
        return backoff(state) if asked is None else min(asked, patience.longest_wait)

    def enough(state: tenacity.RetryCallState) -> bool:
        nonlocal failed
        fault = state.outcome.exception() if state.outcome else None
        if isinstance(fault, FaultError) and fault.throttled:
            return (state.seconds_since_start or 0) > patience.seconds
        failed += 1
        return failed >= patience.attempts

    backoff = tenacity.wait_random_exponential(0.5, max=_LONGEST_PAUSE)
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(FaultError),
        wait=pause,
        stop=enough,
        sleep=current().sleep,
        reraise=True,
    )
    return retrying(send)


def seconds_asked(header: str | None) -> float | None:
    """The wait in seconds that a Retry-After header asks for, in seconds or as a date (RFC 9110).

    None if it is invalid, or asks for no wait at all: the caller then waits longer each time.
    """
    if header is None:
        return None
    try:
        return _above_zero(float(header))
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime

    try:
        return _above_zero(parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError, TypeError):  # not a date, or a year out of range
        return None


def _above_zero(seconds: float) -> float | None:
    return seconds if 0 < seconds < float("inf") else None
