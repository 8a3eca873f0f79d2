"""No server can hold a run, fill its memory, take its key or lose its rows: hostile answers at every status.

A server on loopback answers with whatever bytes a `Case` says. The client is a process of its own, whose peak of memory
is measured; a second server stands for all other machines and must hear nothing. The child process is
`python -m benchmarks.trust.servers`.
"""

import gzip
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from benchmarks.trust.nursery import ROOT
from benchmarks.trust.trial import Trial, Tried
from tests.models.openai.servers import Raw, completion, page, speaking

KEY = "sk-trust-0123456789abcdef"
ROWS = ("MARKED-1 M6 bolt", "MARKED-2 M8 bolt", "MARKED-3 M10 bolt")
_TIMEOUT = 0.5  # seconds for an answer
_LONGEST = 30.0  # seconds of a case: three rows, asked together and alone, on a busy machine
_MEMORY = 200  # MB that all cases together may take
STATUSES = (200, 201, 204, 206, 301, 302, 303, 307, 308, 400, 401, 403, 404, 408, 409, 413, 418, 422, 429, 500, 501,
             502, 503, 504, 524, 599, 999)  # fmt: skip
_BIG = b"x" * (1 << 20)


@dataclass(frozen=True)
class Case:
    """An answer: what its body is like, and its status."""

    body: str
    status: int


def _endless(start: bytes, piece: bytes, pause: float = 0.0) -> Iterator[bytes]:
    yield start
    for one in repeat(piece):
        if pause:
            time.sleep(pause)
        yield one


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * (64 << 20))


def _wrong_types() -> Iterator[Any]:
    """An answer in which each part in turn is something else."""
    whole = completion('{"size_mm": 6}')
    odd: list[Any] = [None, True, -1, 1e308, "x", "", [], {}, [[]], {"a": {}}, "\ud800", 10**400]

    def replaced(node: Any) -> Iterator[Any]:
        yield from odd
        if isinstance(node, dict):
            for key, value in node.items():
                yield {name: one for name, one in node.items() if name != key}
                yield from ({**node, key: one} for one in replaced(value))
        elif isinstance(node, list):
            for place, value in enumerate(node):
                yield from ([*node[:place], one, *node[place + 1 :]] for one in replaced(value))

    return replaced(whole)


def _answer(case: Case, request: bytes, elsewhere: str) -> Iterator[bytes]:
    status, good = case.status, json.dumps(completion('{"size_mm": 6}')).encode()
    head = page(status, b"", length=False)
    length = page(status, b"", "Content-Length: 100000000000", length=False)
    by_name = elsewhere.replace("127.0.0.1", "localhost")
    made: Mapping[str, Callable[[], Iterator[bytes]]] = {
        "endless": lambda: _endless(head, _BIG),
        "endless chunks": lambda: _endless(page(status, b"", "Transfer-Encoding: chunked", length=False),
                                           b"100000\r\n" + _BIG + b"\r\n"),
        "endless and announced": lambda: _endless(length, _BIG),
        "dripping": lambda: _endless(head, b" ", 0.02),
        "dripping headers": lambda: _endless(b"HTTP/1.1 %d X\r\n" % status, b"X: y\r\n", 0.02),
        "header bomb": lambda: _endless(b"HTTP/1.1 %d X\r\n" % status, b"X: " + b"y" * 60_000 + b"\r\n"),
        "one endless header": lambda: _endless(b"HTTP/1.1 %d X\r\nX: " % status, _BIG),
        "endless interim answers": lambda: _endless(b"", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 100),
        "silent": lambda: islice(_endless(b"", b"", 0.1), round(10 * _LONGEST)),  # no piece tells that nobody listens
        "huge": lambda: iter([page(status, _BIG * 100)]),
        "compressed": lambda: iter([page(status, _bomb(), "Content-Encoding: gzip")]),
        "compressed twice": lambda: iter([page(status, gzip.compress(_bomb()), "Content-Encoding: gzip, gzip")]),
        "deep": lambda: iter([page(status, b"[" * 1_000_000)]),
        "a number of 10,000,000 digits": lambda: iter([page(status, b'{"choices": ' + b"9" * 10_000_000 + b"}")]),
        "cut off": lambda: iter([page(status, good)[:-9]]),
        "no HTTP": lambda: iter([b"\x00\xff" * 100]),
        "not UTF-8": lambda: iter([page(status, good.replace(b"size", b"\xff\xfe"))]),
        "empty": lambda: iter([page(status, b"")]),
        "closed": lambda: iter([]),
        "echo": lambda: iter([page(status, json.dumps({"error": {"message": _heard(request)}}).encode())]),
        "elsewhere": lambda: iter([page(status, good, f"Location: {elsewhere}/v1/chat/completions")]),
        "elsewhere by a name": lambda: iter([page(status, good, f"Location: {by_name}/v1")]),
        "elsewhere by //": lambda: iter([page(status, good, f"Location: {elsewhere.partition(':')[2]}/v1")]),
        "elsewhere with a key": lambda: iter([page(status, good, f"Location: {elsewhere.replace('//', '//u:p@')}/v1")]),
        "in circles": lambda: iter([page(status, good, "Location: ?again")]),
        "an odd address": lambda: iter([page(status, good, "Location: //[")]),
        "wait for ever": lambda: iter([page(status, good, "Retry-After: 99999999999")]),
    }  # fmt: skip
    return made[case.body]()


def _heard(request: bytes) -> str:
    """A request in one line, its key first: a message shows the start of the first line."""
    return " ".join(sorted(request.decode("latin-1").splitlines(), key=lambda line: KEY not in line))


BODIES = (
    "endless", "endless chunks", "endless and announced", "dripping", "dripping headers", "header bomb",
    "one endless header", "endless interim answers", "silent", "huge", "compressed", "compressed twice", "deep",
    "a number of 10,000,000 digits", "cut off", "no HTTP", "not UTF-8", "empty", "closed", "echo", "elsewhere",
    "elsewhere by a name", "elsewhere by //", "elsewhere with a key", "in circles", "an odd address", "wait for ever",
)  # fmt: skip


def hostile(count: int, seed: int, bodies: Sequence[str] = BODIES, fault: str = "") -> Tried:
    """`count` cases of all bodies at all statuses, evenly apart. `fault` is seeded into the client (see `FAULTS`)."""
    every = [Case(body, status) for status in STATUSES for body in bodies]
    places = range(count) if count < len(every) else range(len(every))
    return _asked([every[(place * len(every) // count + seed) % len(every)] for place in places], {}, fault)


def wrong_types(count: int, seed: int) -> Tried:
    """Answers of status 200 in which a part is missing, or of another type; at most `count`."""
    bodies = [json.dumps(one).encode() for one in _wrong_types()]
    step = max(1, len(bodies) // count)
    chosen = {f"wrong type {place}": body for place, body in list(enumerate(bodies))[::step][:count]}
    return _asked([Case(name, 200) for name in chosen], chosen)


def _asked(cases: list[Case], bodies: Mapping[str, bytes], fault: str = "") -> Tried:
    heard: list[bytes] = []

    def listen(request: bytes) -> Iterator[bytes]:
        heard.append(request)
        return iter([page(200, json.dumps(completion('{"size_mm": 6}')).encode())])

    with speaking(listen) as other:
        elsewhere = other.url.removesuffix("/v1")

        def answer(request: bytes) -> Iterator[bytes]:
            found = re.match(rb"POST /(\d+)/", request)
            case = cases[int(found[1])] if found else cases[0]
            if case.body in bodies:
                return iter([page(case.status, bodies[case.body])])
            return _answer(case, request, elsewhere)

        with speaking(answer) as server:
            found, broken = _in_child(server, cases, fault)
    for case, one in zip(cases, found, strict=False):
        told = f"{case.body}, status {case.status}: {one['told'][:300]}"
        if one["seconds"] > _LONGEST:
            broken.append(f"{one['seconds']:.0f} seconds for {told}")
        if one["rows"] != len(ROWS) and not one["hint"]:
            broken.append(f"{one['rows']} of {len(ROWS)} rows, and no error with a hint: {told}")
        if KEY in one["told"]:
            broken.append(f"the key is in a message: {told}")
        if one["odd"]:
            broken.append(f"{one['odd']}: {told}")
    if heard:
        broken.append(f"another server heard {heard[0][:300]!r}")
    return Tried(len(found), tuple(broken[:10]))


def _in_child(server: Raw, cases: list[Case], fault: str) -> tuple[list[dict[str, Any]], list[str]]:
    """What the client process says of each case, and what is wrong with the process."""
    root = server.url.removesuffix("/v1")
    command = [sys.executable, "-m", "benchmarks.trust.servers", root, str(len(cases)), fault]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=3600)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != len(cases) + 1:
        return [], [f"the client ended with {done.returncode} after {len(lines)} cases: {done.stderr[-500:]}"]
    grown = float(lines[-1])
    return list(map(json.loads, lines[:-1])), [f"{grown:.0f} MB more memory"] if grown > _MEMORY else []


# --- the client process ---


def _ask(address: str) -> dict[str, Any]:
    """Three rows by one server: the results, what they say, and the seconds."""
    from structout import ModelError, Schema, extract_many
    from structout.models.openai.client import OpenAIModel
    from structout.models.retries import Patience

    schema = Schema.of({"type": "object", "properties": {"size_mm": {"type": "integer"}}, "required": ["size_mm"]})
    patience = Patience(timeout=_TIMEOUT, attempts=1, seconds=0, longest_wait=0.1)
    model = OpenAIModel("m", address, dialect="json_schema", key="TRUST_KEY", patience=patience)
    began, told, hint, odd, results = time.monotonic(), "", "", "", []
    try:
        for one in extract_many(ROWS, schema, model, on_error="result"):
            results.append(one)
    except ModelError as error:
        told, hint = f"{error} {getattr(error, '__notes__', '')}", error.hint or ""
    except Exception as error:
        odd = f"{type(error).__name__}: {error}"[:300]
    told += " ".join(issue.message for one in results for issue in one.issues)
    if any(one.ok and not schema.check(one.document).ok for one in results):
        odd = "an invalid value passed as valid"
    return {"rows": len(results), "told": told, "hint": hint, "odd": odd, "seconds": time.monotonic() - began}


def _trust() -> None:
    """Seed two faults: a redirect to another server is followed, and what a server says is shown as it is."""
    from structout.models.openai.connection import Connection
    from structout.models.openai.wire import Wire

    Wire._check_request = lambda self, request: None  # type: ignore[method-assign]
    Connection.hidden = lambda self, text: text  # type: ignore[method-assign]


FAULTS: Mapping[str, Callable[[], None]] = {"trust": _trust}


def main() -> None:
    """Ask each case's server, four at a time; print what came of it, and the MB that the peak of memory grew by."""
    root, count = sys.argv[1], int(sys.argv[2])
    FAULTS.get(sys.argv[3], lambda: None)()
    os.environ["TRUST_KEY"] = KEY
    _ask("http://127.0.0.1:9/v1")  # what is imported once is no case's own
    before = _memory("VmRSS")
    with ThreadPoolExecutor(4) as together:
        for found in together.map(lambda number: _ask(f"{root}/{number}/v1"), range(count)):
            print(json.dumps(found), flush=True)
    print(_memory("VmHWM") - before, flush=True)


def _memory(which: str) -> float:
    found = re.search(rf"^{which}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


TRIALS = (
    Trial("27 kinds of hostile bodies and headers at statuses of all kinds, three rows each", 24, 729, hostile),
    Trial("answers in which a part is missing or of another type", 40, 400, wrong_types),
)

if __name__ == "__main__":
    main()
