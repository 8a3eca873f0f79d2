"""Servers of models on this machine, looked for at their usual addresses."""

import http.client
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from structout.models.openai.kinds import KINDS, Kind

_SECONDS = 2.0  # for a whole answer: a server on this machine has no way to go
_LARGEST = 1_000_000  # bytes
_MANY = 50  # models


@dataclass(frozen=True)
class Server:
    """A usual address, and what answers there: `models` are the names as `--model` takes them, at most 50.

    `problem` says why the list of models is missing, "" if the server gave it. Names are the server's words.
    """

    kind: str
    url: str
    models: tuple[str, ...] = ()
    problem: str = ""


def local_servers(kinds: Mapping[str, Kind] = KINDS) -> list[Server]:
    """Ask each usual address of this machine for its models: one request each, all at once, for at most 2 seconds.

    No redirect is followed, no proxy is used, and no key is sent.
    """
    asked = [(name, kind.url) for name, kind in kinds.items() if kind.url]
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        return list(pool.map(lambda one: _server(*one), asked))


def _server(kind: str, url: str) -> Server:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=_SECONDS)
    try:
        connection.request("GET", f"{place.path}/models", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            return Server(kind, url, problem=f"answers with status {answer.status}, and not with a list of models")
        return Server(kind, url, tuple(f"{kind}:{name.replace('#', '%23')}" for name in _names(_body(answer))))
    except ConnectionRefusedError:
        return Server(kind, url, problem="nothing answers")
    except (OSError, http.client.HTTPException) as error:
        return Server(kind, url, problem=f"no answer: {error or type(error).__name__}"[:200])
    except (ValueError, RecursionError):
        return Server(kind, url, problem="answers, but not with a list of models")
    finally:
        connection.close()


def _body(answer: http.client.HTTPResponse) -> bytes:
    """The bytes of an answer. Raises `ValueError` if they are too many, or arrive too slowly."""
    found, until = bytearray(), time.monotonic() + _SECONDS
    while part := answer.read1(65_536):
        found += part
        if len(found) > _LARGEST or time.monotonic() > until:
            raise ValueError("too long")
    return bytes(found)


def _names(body: bytes) -> list[str]:
    """The names in a list of models as OpenAI's protocol writes it. Raises `ValueError`."""
    try:
        return [str(one["id"])[:200] for one in json.loads(body)["data"][:_MANY]]
    except (KeyError, TypeError) as error:
        raise ValueError("not a list of models") from error
