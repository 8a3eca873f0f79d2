"""The connection to a server: it sends bodies, and says why a request ended without an answer."""

import re
import time
import weakref
from collections.abc import Mapping
from typing import Any, NamedTuple

from structout.errors import MissingExtraError, NoModelError, SpecError
from structout.models.limiter import Limiter
from structout.models.openai.address import Address
from structout.models.openai.body import failed_generation
from structout.models.openai.wire import LongError, MovedError, SlowError, StatusError, Wire, ended_by, first_line
from structout.models.retries import FaultError, Patience, RefusalError


class Response(NamedTuple):
    """The body of a response, the seconds that it took, and what is wrong with its encoding, "" if nothing is."""

    text: str
    seconds: float
    problem: str = ""


class Connection:
    """Sends requests to a server within a limit on concurrent requests, on seconds and on bytes. Thread-safe.

    Raises `SpecError` for an invalid address, and `NoModelError` if the server's key is missing.
    """

    def __init__(self, address: Address, limiter: Limiter, patience: Patience) -> None:
        try:
            import openai
            import tenacity  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "openai", "openai") from error
        self.limiter = limiter
        self.patience = patience
        self._name = address.name
        key = address.secret()
        self.has_key = bool(key)
        self._secrets = [key] * bool(key) + address.hidden()
        self._wire = Wire()
        headers: dict[str, Any] = dict.fromkeys(address.withheld(), openai.Omit())
        if address.is_azure and key:
            headers["api-key"] = key
        try:
            self.client = openai.OpenAI(
                api_key=key or "none",
                base_url=address.place or None,
                default_query=dict(address.query),
                timeout=patience.timeout,
                max_retries=0,
                default_headers=headers,
                http_client=self._wire.client,
            )
        except Exception as error:  # the client's transport checks an address more strictly than `Address`
            raise SpecError(f"invalid server address: {error}", hint="check the host name") from error
        self._wire.bind(self.client.base_url)
        weakref.finalize(self, self.client.close)  # else its connections stay open until they are collected

    def send(self, body: Mapping[str, Any], room: int) -> Response:
        """The response to a request; it may have `room` bytes.

        Raises `FaultError`, `RefusalError` and `ModelError`, and `StatusError` for an error status.
        """
        fields = {**body, **body.get("extra_body", {})}
        fields.pop("extra_body", None)
        headers = fields.pop("extra_headers", None)
        with self.limiter.slot():
            began = time.monotonic()
            try:
                with (
                    self._wire.request(self.patience.timeout, room),
                    # As `extra_body`, the fields are sent as they are; else the client looks at the type of each part.
                    self.client.chat.completions.with_streaming_response.create(
                        model=fields["model"], messages=(), extra_body=fields, extra_headers=headers
                    ) as raw,
                ):
                    content = b"".join(raw.iter_bytes())
            except Exception as error:  # the libraries of the client's transport raise their own errors
                seconds = time.monotonic() - began
                ended = ended_by(error)
                generated = failed_generation(ended.body) if isinstance(ended, StatusError) else None
                if generated is None:
                    late = seconds >= self.patience.timeout
                    raise self.noted(self._classified(error, late=late, room=room)) from None  # it may hold the key
                return Response(generated, seconds)
            seconds = time.monotonic() - began
        try:
            return Response(content.decode(), seconds)
        except UnicodeDecodeError as error:
            wrong = f"the answer is not UTF-8: byte {error.start}"
            return Response(content.decode(errors="replace"), seconds, wrong)

    def noted(self, error: Exception) -> Exception:
        """An error, after the limiter has heard of it."""
        if isinstance(error, FaultError) and (error.throttled or error.slow):
            self.limiter.throttled(min(error.wait or 0.0, self.patience.longest_wait))
        return error

    def hidden(self, text: str) -> str:
        """A server's text with keys masked."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return re.sub(r"\bsk-[\w*-]{8,}|\bBearer [\w.*-]{20,}", "***", text)

    def _classified(self, error: Exception, *, late: bool, room: int) -> Exception:
        """The error to raise for a request that ended without an answer."""
        import openai

        ended = ended_by(error)
        if isinstance(ended, StatusError):
            return ended
        if isinstance(ended, MovedError):
            hint = "put the new address into the model's name if you trust it"
            return NoModelError(f"{self._name} redirects to another server: {self.hidden(str(ended))}", hint=hint)
        if isinstance(ended, LongError):
            return FaultError(f"an answer of more than {room} bytes")
        if late or isinstance(ended, SlowError) or isinstance(error, openai.APITimeoutError):
            return FaultError(f"no complete answer within {self.patience.timeout:g} seconds", slow=True)
        if isinstance(error, UnicodeEncodeError):
            place = f"{error.reason} at character {error.start}"
            return RefusalError(f"the prompt is not valid Unicode: {place}", final=True)
        return FaultError(first_line(self.hidden(str(ended or error) or type(error).__name__)))
