"""A provider behind HTTP on 127.0.0.1, and the log of what it was asked."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs, urlsplit

Way = Literal["format", "tool", "nothing"]  # where a request states its schema


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; the names of headers are in small letters."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def json(self) -> dict[str, Any]:
        """The body as an object; empty if it is no object."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request: bytes as they are, everything else as JSON."""

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to the model: the schema as received, whether the answer was held to it, and why it was refused."""

    prompt: str
    schema: Any
    way: Way
    held: bool
    refusal: str = ""
    answer: str = ""


@dataclass
class Log:
    """What a provider was asked and what it billed. Tokens are counted as a quarter of the characters."""

    requests: int = 0  # over HTTP
    submissions: int = 0  # of batches
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0  # part of `input_tokens`
    stored_tokens: int = 0  # part of `input_tokens`
    asked: list[Asked] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _prefixes: set[str] = field(default_factory=set)

    @property
    def refused(self) -> int:
        """The questions that were refused, which cost nothing."""
        return sum(bool(asked.refusal) for asked in self.asked)

    @property
    def answered(self) -> int:
        return len(self.asked) - self.refused

    def note(self, asked: Asked, prefix: str = "") -> "Bill":
        """Record a question and bill it; a known `prefix` of the prompt is read from the cache."""
        with self.lock:
            self.asked.append(asked)
            if asked.refusal:
                return Bill()
            known = prefix in self._prefixes
            if prefix:
                self._prefixes.add(prefix)
            shared = tokens(prefix) if prefix else 0
            bill = Bill(
                max(tokens(asked.prompt), shared),
                tokens(asked.answer),
                shared if known else 0,
                0 if known else shared,
            )
            self.input_tokens += bill.read
            self.output_tokens += bill.written
            self.cached_tokens += bill.cached
            self.stored_tokens += bill.stored
            return bill


@dataclass(frozen=True, slots=True)
class Bill:
    """The tokens of one question; `cached` and `stored` are parts of `read`."""

    read: int = 0
    written: int = 0
    cached: int = 0
    stored: int = 0


def tokens(text: str) -> int:
    return len(text) // 4 + 1


class Provider(Protocol):
    """An API: a pure function of requests, besides its log and its batches."""

    log: Log

    def answer(self, request: Request) -> Reply: ...


@dataclass(frozen=True)
class Server:
    """A provider that listens at `url`, such as `http://127.0.0.1:4242`."""

    url: str
    log: Log


@contextmanager
def serving(provider: Provider) -> Iterator[Server]:
    """Serve a provider on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # one write an answer

        def respond(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, query, headers, self._body())
            with provider.log.lock:
                provider.log.requests += 1
                provider.log.seen.append(request)
            reply = provider.answer(request)
            whole = reply.content if isinstance(reply.content, bytes) else json.dumps(reply.content).encode()
            self.send_response(reply.status)
            if "Content-Type" not in reply.headers:
                self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(whole)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(whole)
            self.wfile.flush()

        do_GET = do_POST = do_DELETE = respond  # noqa: N815

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def log_message(self, *words: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):  # the client left
                super().handle()

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    listener = Listener(("127.0.0.1", 0), Handler)
    listener.block_on_close = False  # kept connections must not hold the block up
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{listener.server_address[1]}", provider.log)
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
