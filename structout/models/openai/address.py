"""Where a model is served, and how it is asked, as the part of its name after `openai:` says."""

import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from structout.errors import NoModelError, SpecError
from structout.models.openai.dialects import Dialect, dialect_named

_OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True)
class Address:
    """A model at a server: `MODEL`, `MODEL@URL` or `MODEL@URL#OPTION,...`. Without a URL it is at `$OPENAI_BASE_URL`,
    or else at OpenAI. The options:

    - `logprobs`: have log-probabilities told, by which confidence, judges and the best of several answers go.
    - `n`: several samples of one prompt are one request.
    - a number: the most requests in flight, by default 64.
    - `timeout=SECONDS`: how long to wait for an answer before it is asked for again, by default 120.
    - the dialect in which the server is told of a constraint, which is else found out: `json_schema`,
      `structured_outputs`, `json_object`, `ollama` or `none`.
    - `key=VARIABLE`: the environment variable that holds the server's key. Without, `$OPENAI_API_KEY` goes to OpenAI
      and to the server of `$OPENAI_BASE_URL`, and no key to any other.
    """

    model: str
    url: str = ""
    dialect: Dialect | None = None
    logprobs: bool = False
    many: bool = False
    in_flight: int = 64
    timeout: float | None = None
    key: str = ""

    def __post_init__(self) -> None:
        """Raises `SpecError` for a URL, its own or the environment's, that names no server."""
        for url in filter(None, (self.url, os.environ.get("OPENAI_BASE_URL", ""))):
            if not _names_server(url):
                hint = "give http:// or https://, a host, perhaps a port, and a path such as /v1"
                shown = url.rpartition("@")[2].partition("?")[0]  # without a password or a key
                raise SpecError(f"invalid server address: {shown!r:.100}", hint=hint)

    @classmethod
    def read(cls, text: str) -> "Address":
        """Read an address. Raises `SpecError`."""
        place, _, options = text.partition("#")
        model, at, rest = place.partition("@http")
        url = f"http{rest}" if at else ""
        if _names_server(url) and (urlsplit(url).query or "@" in urlsplit(url).netloc):
            hint = "put it in an environment variable, and name that: #key=VARIABLE"
            raise SpecError("a key or a password stands in the server's address", hint=hint)
        settings: dict[str, Any] = {}
        for option in filter(None, options.split(",")):
            name, equals, value = option.partition("=")
            if option in ("logprobs", "n"):
                settings["many" if option == "n" else option] = True
            elif (number := _whole(option)) is not None:
                settings["in_flight"] = number
            elif equals and name == "timeout":
                settings[name] = _seconds(value)
            elif equals and name == "key":
                settings[name] = _variable(value)
            else:
                settings["dialect"] = dialect_named(option)
        return cls(model, url, **settings)

    @property
    def name(self) -> str:
        """The model's name with all that answers hang on: where it is served, and the options that change what is
        answered or told, but not how long to wait or which key to send.
        """
        server = urlsplit(self.url or os.environ.get("OPENAI_BASE_URL", ""))
        shown = server._replace(netloc=server.netloc.rpartition("@")[2], query="").geturl()  # without a password
        options = [self.dialect or "", "logprobs" if self.logprobs else "", "n" if self.many else ""]
        written = ",".join(filter(None, options))
        return f"openai:{self.model}" + (f"@{shown}" if shown else "") + (f"#{written}" if written else "")

    @property
    def own(self) -> bool:
        """Whether this is the server that the environment's settings for OpenAI are meant for."""
        theirs = (_OPENAI, os.environ.get("OPENAI_BASE_URL", ""))
        return not self.url or _origin(self.url) in map(_origin, theirs)

    @property
    def variable(self) -> str:
        """The environment variable with the key that this server is sent, "" if it is sent none."""
        return self.key or ("OPENAI_API_KEY" if self.own else "")

    def withheld(self) -> list[str]:
        """The headers that OpenAI's client would add from the environment, and that are none of this server's business:
        accounts, and what `$OPENAI_CUSTOM_HEADERS` holds, often the key of a gateway.
        """
        custom = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
        named = [name.strip() for name, colon, _ in (line.partition(":") for line in custom) if colon]
        return [] if self.own else ["OpenAI-Organization", "OpenAI-Project", *named]

    def secret(self) -> str:
        """The key that this server is sent, "" for none. Raises `NoModelError` if it is not set where it must be."""
        found = os.environ.get(self.variable, "")
        if not found and self.key:
            raise NoModelError(f"there is no key in ${self.key}", hint=f"set {self.key}")
        if not found and not self.url and not os.environ.get("OPENAI_BASE_URL"):
            raise NoModelError("there is no key for the OpenAI API", hint="set OPENAI_API_KEY")
        if not (found.isascii() and found.isprintable()):
            hint = f"set {self.variable} to the key alone, without a line break"
            raise NoModelError(f"the key in ${self.variable} cannot be sent", hint=hint)
        return found


def _seconds(text: str) -> float:
    number = _whole(text)
    if number is None:
        raise SpecError(f"timeout is {text!r:.40}", hint="give whole seconds, as in #timeout=300")
    return float(number)


def _whole(text: str) -> int | None:
    """A number from 1 on, of at most six digits; None for anything else."""
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) and int(text) > 0 else None


def _names_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        return False


def _variable(text: str) -> str:
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", text):  # not repeated, for it may be the key itself
        raise SpecError("key= does not name a variable", hint="give its name in capitals, as in #key=VLLM_API_KEY")
    return text


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
