"""Servers on loopback: one that answers by a function, with faults put in between."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal["429", "500", "hang", "drip", "reset", "truncated", "html", "page"]
Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Proxy:
    """Speaks OpenAI's protocol at `url`, passes each request on to `answer`, and breaks those that are in `faults`, by
    the number of the request from 0.
    """

    def __init__(self, answer: Answer, faults: dict[int, Fault] | None = None, *, retry_after: str = "0.05") -> None:
        self.answer = answer
        self.faults = faults or {}
        self.retry_after = retry_after
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []  # their names in small letters
        self.paths: list[str] = []
        self.url = ""
        self.done = threading.Event()
        self._lock = threading.Lock()

    @property
    def keys(self) -> list[str]:
        return [headers.get("authorization", "") for headers in self.headers]

    def take(self, body: dict[str, Any], headers: dict[str, str]) -> Fault | None:
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            return self.faults.get(len(self.requests) - 1)


@contextmanager
def serving(proxy: Proxy) -> Iterator[Proxy]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            proxy.paths.append(self.path)
            fault = proxy.take(body, {name.lower(): value for name, value in self.headers.items()})
            if fault == "429":
                return self.reply(429, b'{"error": {"message": "slow down"}}', retry=proxy.retry_after)
            if fault == "500":
                return self.reply(500, b"oh no")
            if fault == "hang":
                proxy.done.wait(20)
                return self.close()
            if fault == "html":
                return self.reply(200, b"<html>gateway</html>", kind="text/html")
            if fault == "page":
                return self.reply(200, b'{"error": {"message": "try later"}}')
            status, answer = 200, proxy.answer(body)
            if "status" in answer:
                status = answer["status"]
            whole = json.dumps(answer).encode()
            if fault == "truncated":
                return self.reply(status, whole[: len(whole) // 2])
            if fault == "drip":
                self.start(status, len(whole))
                for byte in whole:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if proxy.done.wait(0.1):
                        break
                return self.close()
            if fault == "reset":
                self.start(status, len(whole))
                self.wfile.write(whole[: len(whole) // 2])
                self.wfile.flush()
                linger = struct.pack("ii", 1, 0)  # closing sends a reset
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return self.close()
            return self.reply(status, whole)

        def start(self, status: int, length: int, kind: str = "application/json", retry: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length))
            if retry:
                self.send_header("Retry-After", retry)
            self.end_headers()

        def reply(self, status: int, body: bytes, *, kind: str = "application/json", retry: str = "") -> None:
            self.start(status, len(body), kind, retry)
            self.wfile.write(body)

        def close(self) -> None:
            self.close_connection = True
            self.connection.close()

        def log_message(self, *words: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError, ValueError):  # the client left, or the fault was a closed connection
                super().handle()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *words: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield proxy
    finally:
        proxy.done.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Raw:
    """A server that answers each request with the pieces of bytes that a function makes of it, and counts them."""

    def __init__(self, answer: Callable[[bytes], Iterator[bytes]]) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.sent = 0
        self.done = threading.Event()
        self.url = ""

    def drip(self, start: bytes, again: bytes = b"x", seconds: float = 0.05) -> Iterator[bytes]:
        """Something, and then something more for as long as the client listens."""
        yield start
        while not self.done.wait(seconds):
            yield again


@contextmanager
def speaking(answer: Callable[[bytes], Iterator[bytes]]) -> Iterator[Raw]:
    """Serve whatever bytes `answer` makes of a request, HTTP or not; a connection carries one answer."""
    raw = Raw(answer)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    raw.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request:
                request += (piece := connection.recv(65536))
                if not piece or request[:1] == b"\x16":  # gone, or the start of a TLS handshake
                    break
            head, _, body = request.partition(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0
            )
            while len(body) < length and (piece := connection.recv(65536)):
                body += piece
            whole = head + b"\r\n\r\n" + body
            raw.requests.append(whole)
            for piece in raw.answer(whole):
                connection.sendall(piece)
                raw.sent += len(piece)

    def listen() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

    accepting = threading.Thread(target=listen)
    accepting.start()
    try:
        yield raw
    finally:
        raw.done.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join()


def page(status: int, body: bytes = b"", *headers: str, length: bool = True) -> bytes:
    """A whole answer of HTTP, after which the connection is closed."""
    lines = [
        f"HTTP/1.1 {status} Status",
        "Connection: close",
        *headers,
        *([f"Content-Length: {len(body)}"] if length else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def completion(text: str, *, finish: str = "stop", read: int = 11, written: int = 5) -> dict[str, Any]:
    """A chat completion as servers write it."""
    return {
        "id": "x", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }  # fmt: skip


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(port: int, seconds: float = 120) -> None:
    """Until something listens there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
