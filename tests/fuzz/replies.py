"""Server answers: whatever comes over the wire, it becomes completions whose numbers can be, or a model error."""

from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from structout import Completion, Confident, Constrained, Message, Prompt, Prompted, Sampling, Schema, Verify
from structout.models.openai.client import OpenAIModel
from structout.models.retries import Patience
from structout.models.wrappers.strict import wrong_numbers
from structout.result import Task
from tests.fuzz import noise
from tests.fuzz.target import Case, whole
from tests.models.openai.servers import Raw, completion, page, speaking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SCHEMA = Schema.of({"type": "object", "properties": {"size_mm": {"type": "integer"}}, "additionalProperties": False})
_ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, "", "5", [], {}, [None], {"a": 1}, float("nan"), float("inf"), float("-inf"),
    10**30, 1e308,
    "\ud800", "\0", "x" * 2000, -5, [[]], 0.5, "length", "content_filter", 10**400,
]  # fmt: skip
_STATUSES = [200] * 12 + [
    201,
    204,
    206,
    300,
    304,
    307,
    308,
    400,
    401,
    403,
    404,
    408,
    413,
    418,
    422,
    429,
    500,
    503,
    529,
    599,
    999,
]
_HEADERS = [
    "Retry-After: 0", "Retry-After: inf", "Retry-After: Mon, 99 Foo", "Content-Type: text/html",
    "Content-Encoding: gzip",
    "Content-Encoding: odd", "Content-Type: application/json; charset=utf-7", "Location: /v1/x",
    "Location: http://127.0.0.2/",
    "Location: //[", "Connection: close", "Transfer-Encoding: odd", "Set-Cookie: a=b; Domain=.", "X: " + "y" * 3000,
    "é: ü", "no colon",
    "Content-Length: 3", "Content-Type: \x01",
]  # fmt: skip


def make(rng: Random) -> Case:
    body = whole(noise.nested(rng)) if rng.random() < 0.05 else noise.written(rng, _body(rng))
    if rng.random() < 0.2:
        body = noise.spoiled(rng, body)
    data = body.encode(rng.choice(["utf-8"] * 8 + ["utf-16", "utf-32", "utf-8-sig"]), "surrogatepass")
    return {
        "status": rng.choice(_STATUSES),
        "headers": [rng.choice(_HEADERS) for _ in range(rng.choice([0, 0, 0, 1, 2]))],
        "body": noise.damaged(rng, data, rng.choice([0] * 8 + [1, 3])).decode("latin-1"),
        "framing": rng.choice(["length"] * 6 + ["close", "chunked", "cut", "none"]),
        "way": rng.choice(["plain", "many", "confident", "constrained"]),
    }


def _body(rng: Random) -> Any:
    answer = completion(
        rng.choice(['{"size_mm": 6}', "", "x", noise.word(rng), '{"size_mm": 1e400}']),
        finish=rng.choice(["stop", "length"]),
    )
    if rng.random() < 0.6:
        pieces = [
            {"token": one, "logprob": -0.1, "bytes": list(one.encode())} for one in ('{"', "size_mm", '": ', "6", "}")
        ]
        answer["choices"][0]["logprobs"] = {"content": pieces}
    answer["choices"] *= rng.choice([1, 1, 1, 2, 3, 40])
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        answer = noise.replaced(rng, answer, _ODD) if isinstance(answer, dict) else answer
    return answer if rng.random() < 0.85 else {"error": noise.replaced(rng, {"message": "no", "code": 5}, _ODD)}


class _Server:
    """One server for all tries: what it says next is set before each."""

    def __init__(self) -> None:
        self.says: Callable[[], Iterator[bytes]] = lambda: iter(())
        self._speaking = speaking(lambda request: self.says())
        self.raw: Raw = self._speaking.__enter__()


@cache
def _server() -> _Server:
    return _Server()


@cache
def _model(*, many: bool) -> OpenAIModel:
    patience = Patience(timeout=5, attempts=1, seconds=0, longest_wait=0)
    url = _server().raw.url
    return OpenAIModel("m", url, dialect="json_schema", logprobs=True, many=many, patience=patience)


def check(case: Case, folder: Path) -> str:
    server = _server()
    server.says = lambda: iter([_answer(case)])
    many = case["way"] == "many"
    model = _model(many=many)
    if case["way"] in ("confident", "constrained"):
        strategy = Verify(Prompted(), Confident(0.5)) if case["way"] == "confident" else Constrained()
        (result,) = strategy.run([Task("M6", _SCHEMA)], model)
        if not all(0 <= sure <= 1 for sure in result.confidence.values()):
            return "a confidence that is no probability"
        if result.ok and not _SCHEMA.check(result.document).ok:
            return "a valid value that its schema refuses"
        return _odd([attempt.completion for attempt in result.attempts])
    asked = [Prompt((Message("user", "M6"),), Sampling(temperature=1.0, max_tokens=20), sample=n) for n in range(2)]
    return _odd(model.complete(asked if many else asked[:1]))


def _odd(answers: list[Completion]) -> str:
    """What is wrong with completions, though the client took them."""
    return next(filter(None, map(wrong_numbers, answers)), "")


def _answer(case: Case) -> bytes:
    body, headers, framing = whole(case["body"]).encode("latin-1"), case["headers"], case["framing"]
    if framing == "none":
        return body
    if framing == "chunked":
        chunked = (
            b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:7], body[7:]) if piece) + b"0\r\n\r\n"
        )
        return page(case["status"], b"", "Transfer-Encoding: chunked", *headers, length=False) + chunked
    sent: bytes = page(case["status"], body, *headers, length=framing != "close")
    return sent[: len(sent) * 2 // 3] if framing == "cut" else sent
