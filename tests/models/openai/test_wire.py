"""Servers that never end, that speak in riddles, or that send their clients elsewhere."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import chain, repeat

import pytest

from structout import ModelError
from structout.models.base import PartialAnswerError
from structout.models.openai.client import OpenAIModel
from structout.models.openai.wire import MovedError, Wire
from structout.models.retries import Patience
from tests.models.openai.clients import ask, bolt
from tests.models.openai.servers import Proxy, Raw, completion, page, serving, speaking

pytestmark = pytest.mark.usefixtures("key")
BRIEF = Patience(timeout=0.7, attempts=1, seconds=0)
ENDLESS = 2_000_000_000
STATUSES = [200, 204, 307, 400, 401, 404, 429, 500, 503]
GOOD = json.dumps(completion("fine")).encode()


def client(raw: Raw, patience: Patience = BRIEF) -> OpenAIModel:
    return OpenAIModel("m", raw.url, patience=patience, key="OPENAI_API_KEY", dialect="none")


def said(raw: Raw, patience: Patience = BRIEF) -> str:
    """What comes of one prompt: the answer, a refusal, or an error."""
    try:
        (answer,) = client(raw, patience).complete([ask("1 mm")])
    except ModelError as error:
        return error.message if error.hint else "an error without a hint"
    return answer.refusal or answer.text


def in_time(raw: Raw, patience: Patience = BRIEF) -> str:
    began = time.monotonic()
    found = said(raw, patience)
    assert time.monotonic() - began < 8, "the call outlived its time-out by far"
    assert raw.sent < 30_000_000, "nearly as much was read as was sent"
    return found


@pytest.mark.parametrize("status", STATUSES)
def test_a_body_that_drips_ends_with_the_calls_deadline_at_any_status(status: int) -> None:
    with speaking(lambda _: raw.drip(page(status, b"", f"Content-Length: {ENDLESS}", length=False))) as raw:
        assert in_time(raw)


@pytest.mark.parametrize("status", STATUSES)
def test_an_endless_body_ends_with_its_byte_limit_at_any_status(status: int) -> None:
    flood = repeat(b"x" * 65536)
    patience = Patience(timeout=20, attempts=1, seconds=0)
    with speaking(lambda _: chain([page(status, length=False)], flood)) as raw:
        assert in_time(raw, patience)


def chunks(raw: Raw) -> Iterator[bytes]:
    return chain([page(200, b"", "Transfer-Encoding: chunked", length=False)], repeat(b"1\r\nx\r\n" * 10_000))


RIDDLES: dict[str, Callable[[Raw], Iterator[bytes]]] = {
    "endless chunks": chunks,
    "dripping chunk": lambda raw: raw.drip(page(200, b"", "Transfer-Encoding: chunked", length=False), b"0"),
    "endless header": lambda raw: chain([b"HTTP/1.1 200 OK\r\nX: "], repeat(b"x" * 65536)),
    "endless headers": lambda raw: chain([b"HTTP/1.1 200 OK\r\n"], repeat(b"X-Y: z\r\n" * 1000)),
    "dripping header": lambda raw: raw.drip(b"HTTP/1.1 200 OK\r\nX: "),
    "dripping status": lambda raw: raw.drip(b"HTTP/1.1 2", b"0"),
    "endless interim responses": lambda raw: repeat(b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 100),
    "dripping interim responses": lambda raw: raw.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "silence": lambda raw: raw.drip(b"", b""),
    "an endless line that is not HTTP": lambda raw: repeat(b"x" * 65536),
    "a binary answer": lambda raw: iter([bytes(range(256))]),
    "two lengths": lambda raw: iter([page(200, GOOD, "Content-Length: 5")]),
    "a length below nought": lambda raw: iter([page(200, b"", "Content-Length: -5", length=False)]),
    "a bad chunk": lambda raw: iter([page(200, b"zz\r\n", "Transfer-Encoding: chunked", length=False)]),
    "switching protocols": lambda raw: raw.drip(page(101, b"", "Upgrade: x", "Connection: Upgrade", length=False)),
    "nothing": lambda raw: iter([b""]),
}


@pytest.mark.parametrize("riddle", RIDDLES)
def test_no_way_of_never_ending_holds_a_call(riddle: str) -> None:
    with speaking(lambda _: RIDDLES[riddle](raw)) as raw:
        assert "does not answer" in in_time(raw) or riddle == "switching protocols"


@pytest.mark.parametrize("again", [b"", b"\x16"])
def test_a_handshake_that_never_ends_ends_with_the_calls_deadline(again: bytes) -> None:
    with speaking(lambda _: raw.drip(b"\x16\x03\x03\x40\x00", again)) as raw:
        raw.url = raw.url.replace("http:", "https:")
        assert "does not answer" in in_time(raw)


@pytest.mark.parametrize("status", [200, 307, 400, 500])
@pytest.mark.parametrize("packing", ["gzip", "gzip, gzip", "identity, deflate", "br", "zstd"])
def test_a_compressed_answer_is_not_unpacked(status: int, packing: str) -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 50_000_000))
    with speaking(lambda _: iter([page(status, bomb, f"Content-Encoding: {packing}", "Location: /v1/x")])) as raw:
        found = in_time(raw)
        assert ("compressed" in found) == (status < 400)
        assert b"accept-encoding: identity" in raw.requests[0].lower()


def test_what_an_error_status_means_does_not_hang_on_its_body() -> None:
    def answer(request: bytes) -> Iterator[bytes]:
        return chain([page(400, b'{"error": {"message": "too long a', length=False)], repeat(b"a" * 65536))

    with speaking(answer) as raw:
        (refused,) = client(raw).complete([ask("1 mm")])
    assert refused.finish_reason == "refused"
    assert refused.refusal.startswith("HTTP 400: ")
    assert len(refused.refusal) <= 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_carries_neither_record_nor_key_to_another_server(status: int) -> None:
    with serving(Proxy(bolt)) as other, speaking(lambda _: iter([moved])) as raw:
        for place in (f"{other.url}/chat/completions", other.url.replace("127.0.0.1", "localhost"), "//evil.test/v1"):
            moved = page(status, b"", f"Location: {place}")
            with pytest.raises(ModelError, match="redirects to another server: http://") as caught:
                client(raw).complete([ask("1 mm")])
            assert "put the new address into the model's name" in caught.value.hint
        assert len(raw.requests) == 3
    assert other.requests == []


@pytest.mark.parametrize("place", ["/v2/chat/completions", "{url}/there", "chat"])
def test_a_redirect_on_the_same_server_is_followed(place: str) -> None:
    def answer(request: bytes) -> Iterator[bytes]:
        first = b"POST /v1/chat/completions " in request
        yield page(308, b"", "Location: " + place.format(url=raw.url)) if first else page(200, GOOD)

    with speaking(answer) as raw:
        assert said(raw) == "fine"
        assert [b"1 mm" in request for request in raw.requests] == [True, True]


@pytest.mark.parametrize("place", ["", "/v1/chat/completions", "http://", "http://[", "\x7f", "file:///etc/passwd"])
def test_a_redirect_that_leads_nowhere_is_a_model_error(place: str) -> None:
    with speaking(lambda _: iter([page(307, b"", f"Location: {place}")])) as raw:
        assert "does not answer" in (found := said(raw)) or "redirects to another server" in found
        assert len(raw.requests) <= 6


@pytest.mark.parametrize(
    "asked",
    ["inf", "nan", "-5", "1e400", "0x10", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001", "soon"],
)
def test_no_server_says_how_long_to_wait_beyond_the_callers_patience(asked: str) -> None:
    answers = iter([page(429, b"", f"Retry-After: {asked}"), page(200, GOOD)])
    with speaking(lambda _: iter([next(answers)])) as raw:
        assert in_time(raw, Patience(timeout=5, attempts=2, seconds=60, longest_wait=0.1)) == "fine"


def test_one_request_at_its_end_leaves_the_time_of_the_others_alone() -> None:
    def answer(request: bytes) -> Iterator[bytes]:
        hangs = b"7 mm" in request
        return (
            raw.drip(page(200, b"", f"Content-Length: {ENDLESS}", length=False)) if hangs else iter([page(200, GOOD)])
        )

    with speaking(answer) as raw:
        model = client(raw, Patience(timeout=2, attempts=1))
        model.complete([ask("0 mm")])  # to have everything imported
        with pytest.raises(PartialAnswerError, match="no complete answer within 2 seconds") as caught:
            model.complete([ask(f"{n} mm") for n in range(12)])
    assert [one is not None for one in caught.value.completions] == [n != 7 for n in range(12)]


def test_a_prompt_that_is_no_unicode_is_refused_alone() -> None:
    with serving(Proxy(bolt)) as proxy:
        model = OpenAIModel("m", proxy.url, patience=BRIEF, dialect="none")
        good, bad = model.complete([ask("1 mm"), ask("2 \ud800 mm")])
    assert json.loads(good.text)["size_mm"] == 1
    assert (bad.finish_reason, "not valid Unicode" in bad.refusal) == ("refused", True)


@pytest.mark.parametrize(
    ("home", "url", "same"),
    [
        ("http://h/v1/", "http://h/v2/x", True),
        ("http://h/v1/", "https://h/v1/x", True),
        ("http://h:80/v1/", "http://H/x", True),
        ("https://h/v1/", "http://h/v1/x", False),
        ("http://h:8000/v1/", "https://h/v1/x", False),
        ("http://h/v1/", "https://h:8443/v1/x", False),
        ("http://h:8000/v1/", "http://h:8001/v1/x", False),
        ("https://h/v1/", "https://h.test/v1/x", False),
        ("https://h/v1/", "https://h@evil.test/v1/x", False),
        ("https://api.h/v1/", "https://h/v1/x", False),
    ],
)
def test_the_same_server_is_the_same_host_and_port_with_more_secrecy_at_most(home: str, url: str, same: bool) -> None:
    wire = Wire()
    wire.bind(wire.client.build_request("POST", home).url)
    with nullcontext() if same else pytest.raises(MovedError):
        wire._check_request(wire.client.build_request("POST", url))
    wire.client.close()
