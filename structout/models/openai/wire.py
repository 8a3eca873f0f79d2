"""The HTTP client for one server, with limits on the bytes and the seconds of an answer."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from structout.document import read_json
from structout.models.openai.body import words

_LONGEST_REASON = 64 * 1024  # bytes of the body of an error status
_REASON_SECONDS = 5.0
_MOST_REDIRECTS = 5
_SLICE = 16 * 1024  # bytes per write, as the client's timeout applies to each write


class WireError(Exception):
    """The reason why a request ended without an answer."""


class SlowError(WireError):
    """The request's time is up."""


class LongError(WireError):
    """The answer has more bytes than allowed."""


class MovedError(WireError):
    """The server redirects to another server."""


class StatusError(WireError):
    """An error status (0: an error in a response of status 200) with the server's reason as far as it could be read,
    the Retry-After header, and the body.
    """

    def __init__(self, status: int, reason: str, retry_after: str | None = None, body: str = "") -> None:
        super().__init__((f"HTTP {status}" if status else "an error instead of an answer") + (reason and f": {reason}"))
        self.status = status
        self.retry_after = retry_after
        self.body = body


class Limits(threading.local):
    """The limits of this thread's current request: the time at which it must end, and the bytes that are left."""

    until = float("inf")
    size = float("inf")

    def seconds(self, timeout: float | None) -> float:
        """The seconds until the deadline, at most `timeout`. Raises `SlowError` after the deadline."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise SlowError("no complete answer in time")
        return left if timeout is None else min(left, timeout)

    def took(self, count: int) -> None:
        """Count the bytes that were received. Raises `LongError` if they exceed the limit."""
        self.size -= count
        if self.size < 0:
            raise LongError("the answer is too long")


class Wire:
    """The HTTP client of OpenAI's package with limits on everything that a server sends: handshakes, interim responses,
    headers and bodies of any status. Thread-safe.

    The client neither requests nor reads compressed responses, because a few compressed bytes may expand to very many.
    It follows a redirect only on the same server, or from http to https there, so that another server gets neither a
    record nor a key.
    """

    def __init__(self) -> None:
        import openai

        self._bounds = Limits()
        self._home: Any = None
        hooks: Any = {"request": [self._check_request], "response": [self._check_response]}
        self.client = openai.DefaultHttpxClient(max_redirects=_MOST_REDIRECTS, event_hooks=hooks)
        self.client.headers["Accept-Encoding"] = "identity"
        for transport in (self.client._transport, *self.client._mounts.values()):
            pool: Any = getattr(transport, "_pool", None)  # None where the environment turns the proxy off
            if pool is not None:  # httpx has no public access to a pool's connections
                pool._network_backend = _Backend(pool._network_backend, self._bounds)

    def bind(self, url: Any) -> None:
        """Set the server that requests may go to."""
        self._home = url

    @contextmanager
    def request(self, seconds: float, size: int) -> Iterator[None]:
        """Limit the seconds and the received bytes of this thread's request within the `with` block."""
        self._bounds.until, self._bounds.size = time.monotonic() + seconds, size
        try:
            yield
        finally:
            del self._bounds.until, self._bounds.size

    def _check_request(self, request: Any) -> None:
        """Check a request, also a redirected one, before it is sent. Raises `MovedError`."""
        home, url = self._home, request.url
        same = (url.scheme, url.port) == (home.scheme, home.port)
        upgraded = (home.scheme, home.port, url.scheme, url.port) == ("http", None, "https", None)
        if url.host != home.host or not (same or upgraded):
            raise MovedError(f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}")

    def _check_response(self, response: Any) -> None:
        """Check the headers of a response. Raises `StatusError`, `WireError`."""
        status, packed = response.status_code, response.headers.get("content-encoding", "").strip().lower()
        plain = packed in ("", "identity")
        if not 200 <= status < 300 and not response.has_redirect_location:
            body = self._error(response) if plain else ""
            raise StatusError(status, _reason(body), response.headers.get("retry-after"), body)
        if not plain:
            raise WireError("the answer is compressed, though the request forbids it")

    def _error(self, response: Any) -> str:
        """The body of an error status, as far as it arrives soon: the status alone decides what to do."""
        self._bounds.until = min(self._bounds.until, time.monotonic() + _REASON_SECONDS)
        body = bytearray()
        try:
            for piece in response.iter_raw():
                body += piece
                if len(body) > _LONGEST_REASON:
                    break
        except Exception:  # an error of the transport, or a limit: keep the bytes that arrived
            pass
        return body.decode(errors="replace")


class _Backend:
    """Makes connections that keep the limits."""

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
    """A connection that keeps the limits of the thread that uses it."""

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
    """The `WireError` among the causes of a client's error; None if another error ended the request."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, WireError):
        seen = seen.__cause__
    return seen


def first_line(text: str) -> str:
    """The first line of a server's text, in at most 200 characters."""
    return text.strip().split("\n")[0][:200]


def _reason(text: str) -> str:
    """A server's explanation of an error: the message in a JSON body with its code and type, or else the whole text."""
    try:
        body = read_json(text)
    except ValueError:
        body = None
    return words(body.get("error", body) if isinstance(body, dict) else None) or text
