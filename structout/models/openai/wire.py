"""The way to a server: so many bytes and seconds an answer, and no other server than the one that was named."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from structout.document import read_json

_LONGEST_REASON = 64 * 1024  # bytes of what is said with an error status
_REASON_SECONDS = 5.0
_MOST_REDIRECTS = 5
_SLICE = 16 * 1024  # bytes written at a time, as the client's time-out is for each time alone


class WireError(Exception):
    """What ended a request on its way."""


class SlowError(WireError):
    """The request's time is up."""


class LongError(WireError):
    """The answer has more bytes than it may have."""


class MovedError(WireError):
    """The server sends its clients to another server."""


class StatusError(WireError):
    """A status that is no success, with what was said of it, as far as that could be read, and Retry-After."""

    def __init__(self, status: int, reason: str, retry_after: str | None) -> None:
        super().__init__(f"HTTP {status}" + (f": {reason}" if reason else ""))
        self.status = status
        self.retry_after = retry_after


class Limits(threading.local):
    """What is left to the request that this thread has under way: seconds (`until` a time) and bytes."""

    until = float("inf")
    size = float("inf")

    def seconds(self, timeout: float | None) -> float:
        """How long to wait at most, where a time-out of its own holds too. Raises `SlowError`."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise SlowError("no whole answer in time")
        return left if timeout is None else min(left, timeout)

    def took(self, count: int) -> None:
        self.size -= count
        if self.size < 0:
            raise LongError("the answer is too long")


class Wire:
    """The HTTP client of OpenAI's package with bounds on all that a server may send: handshakes, interim responses,
    headers and bodies of any status count. Thread-safe.

    Nothing is asked for in compressed form, and nothing compressed is read, for a few bytes may stand for very many. A
    redirect is followed on the same server alone, from http to https at most: whoever is at another address is sent
    neither a record nor a key.
    """

    def __init__(self) -> None:
        import openai

        self._bounds = Limits()
        self._home: Any = None
        hooks: Any = {"request": [self._asked], "response": [self._heard]}
        self.client = openai.DefaultHttpxClient(max_redirects=_MOST_REDIRECTS, event_hooks=hooks)
        self.client.headers["Accept-Encoding"] = "identity"
        for transport in (self.client._transport, *self.client._mounts.values()):
            pool: Any = getattr(transport, "_pool", None)  # none where the environment says to use no proxy
            if pool is not None:  # httpx has no other way to a pool's connections
                pool._network_backend = _Backend(pool._network_backend, self._bounds)

    def bind(self, url: Any) -> None:
        """Name the server that requests may go to."""
        self._home = url

    @contextmanager
    def request(self, seconds: float, size: int) -> Iterator[None]:
        """Let what this thread sends meanwhile take so many seconds and bytes, whatever comes back."""
        self._bounds.until, self._bounds.size = time.monotonic() + seconds, size
        try:
            yield
        finally:
            del self._bounds.until, self._bounds.size

    def _asked(self, request: Any) -> None:
        """Before each request, redirected ones too. Raises `MovedError`."""
        home, url = self._home, request.url
        same = (url.scheme, url.port) == (home.scheme, home.port)
        upgraded = (home.scheme, home.port, url.scheme, url.port) == ("http", None, "https", None)
        if url.host != home.host or not (same or upgraded):
            raise MovedError(f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}")

    def _heard(self, response: Any) -> None:
        """After the headers of each response. Raises `StatusError`, `WireError`."""
        status, packed = response.status_code, response.headers.get("content-encoding", "").strip().lower()
        plain = packed in ("", "identity")
        if not 200 <= status < 300 and not response.has_redirect_location:
            reason = self._reason(response) if plain else ""
            raise StatusError(status, reason, response.headers.get("retry-after"))
        if not plain:
            raise WireError("the answer is compressed, though it was asked for as it is")

    def _reason(self, response: Any) -> str:
        """What is said with an error status: as much as comes soon, for the status alone decides what is done."""
        self._bounds.until = min(self._bounds.until, time.monotonic() + _REASON_SECONDS)
        body = bytearray()
        try:
            for piece in response.iter_raw():
                body += piece
                if len(body) > _LONGEST_REASON:
                    break
        except Exception:  # of whichever library, or a bound: what came is what was said
            pass
        return _reason(body.decode(errors="replace"))


class _Backend:
    """Makes connections that keep to the bounds."""

    def __init__(self, inner: Any, bounds: Limits) -> None:
        self._inner = inner
        self._bounds = bounds

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> "_Stream":
        stream = self._inner.connect_tcp(host, port, self._bounds.seconds(timeout), **options)
        return _Stream(stream, self._bounds)

    def connect_unix_socket(self, path: str, timeout: float | None = None, **options: Any) -> "_Stream":
        stream = self._inner.connect_unix_socket(path, self._bounds.seconds(timeout), **options)
        return _Stream(stream, self._bounds)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream:
    """A connection that keeps to the bounds of the thread that uses it."""

    def __init__(self, inner: Any, bounds: Limits) -> None:
        self._inner = inner
        self._bounds = bounds

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._inner.read(max_bytes, self._bounds.seconds(timeout))
        self._bounds.took(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _SLICE):
            self._inner.write(buffer[start : start + _SLICE], self._bounds.seconds(timeout))

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> "_Stream":
        stream = self._inner.start_tls(ssl_context, server_hostname, self._bounds.seconds(timeout))
        return _Stream(stream, self._bounds)

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def ended_by(error: BaseException) -> WireError | None:
    """What ended the request, where a client wrapped it in errors of its own."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, WireError):
        seen = seen.__cause__
    return seen


def _reason(text: str) -> str:
    """What a server says of an error: the message of a JSON body, as most have one, or else the first line."""
    try:
        body = read_json(text)
    except ValueError:
        body = None
    error = body.get("error", body) if isinstance(body, dict) else None
    message = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return message if isinstance(message, str) and message.strip() else text
