"""The address of a model at a server: the part of its name after `openai:`, with the options of requests."""

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
    """A model at a server: `MODEL`, `MODEL@URL` or `MODEL@URL#OPTION,...`. The default URL is `$OPENAI_BASE_URL`, or
    else OpenAI's. The options:

    - `logprobs`: request log-probabilities, which confidence, judges and the choice of the best answer use.
    - `n`: request several samples of a prompt at once.
    - a number: the maximum number of requests in flight, by default 64.
    - `timeout=SECONDS`: how long to wait for an answer before a retry, by default 120.
    - a dialect: how a request states a constraint, `json_schema`, `structured_outputs`, `json_object`, `ollama` or
      `none`. By default a probe finds the dialect.
    - `key=VARIABLE`: the environment variable that holds the server's key. By default OpenAI and the server of
      `$OPENAI_BASE_URL` get `$OPENAI_API_KEY`, and other servers get no key.
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
        """Raises `SpecError` if the URL or `$OPENAI_BASE_URL` is invalid."""
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
            hint = "put it into an environment variable, and name the variable: #key=VARIABLE"
            raise SpecError("invalid server address: it contains a key or a password", hint=hint)
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
        """The model's name with everything that answers depend on: the server and the options that affect answers, but
        neither the timeout nor the key.
        """
        server = urlsplit(self.url or os.environ.get("OPENAI_BASE_URL", ""))
        shown = server._replace(netloc=server.netloc.rpartition("@")[2], query="").geturl()  # without a password
        options = [self.dialect or "", "logprobs" if self.logprobs else "", "n" if self.many else ""]
        written = ",".join(filter(None, options))
        return f"openai:{self.model}" + (f"@{shown}" if shown else "") + (f"#{written}" if written else "")

    @property
    def own(self) -> bool:
        """Whether the environment's settings for OpenAI are meant for this server."""
        theirs = (_OPENAI, os.environ.get("OPENAI_BASE_URL", ""))
        return not self.url or _origin(self.url) in map(_origin, theirs)

    @property
    def variable(self) -> str:
        """The environment variable that holds this server's key, "" if the server gets no key."""
        return self.key or ("OPENAI_API_KEY" if self.own else "")

    def withheld(self) -> list[str]:
        """The headers that OpenAI's client would add from the environment but this server must not see: the accounts,
        and the headers in `$OPENAI_CUSTOM_HEADERS`, which often hold the key of a gateway.
        """
        custom = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
        named = [name.strip() for name, colon, _ in (line.partition(":") for line in custom) if colon]
        return [] if self.own else ["OpenAI-Organization", "OpenAI-Project", *named]

    def secret(self) -> str:
        """This server's key, "" if it gets no key. Raises `NoModelError` if a required key is missing or invalid."""
        found = os.environ.get(self.variable, "")
        if not found and self.key:
            raise NoModelError(f"missing key: ${self.key} is not set", hint=f"set {self.key}")
        if not found and not self.url and not os.environ.get("OPENAI_BASE_URL"):
            raise NoModelError("missing key for the OpenAI API", hint="set OPENAI_API_KEY")
        if not (found.isascii() and found.isprintable()):
            hint = f"set {self.variable} to the key alone, without a line break"
            raise NoModelError(f"invalid key in ${self.variable}: a header cannot hold it", hint=hint)
        return found


def _seconds(text: str) -> float:
    number = _whole(text)
    if number is None:
        hint = "give a whole number of seconds, as in #timeout=300"
        raise SpecError(f"invalid timeout: got {text!r:.40}, expected SECONDS", hint=hint)
    return float(number)


def _whole(text: str) -> int | None:
    """A whole number of at least 1 with at most six digits; None for any other text."""
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) and int(text) > 0 else None


def _names_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        return False


def _variable(text: str) -> str:
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", text):  # the message omits the text, as it may be the key itself
        hint = "give the variable's name in capitals, as in #key=VLLM_API_KEY"
        raise SpecError("invalid key: expected key=VARIABLE", hint=hint)
    return text


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
