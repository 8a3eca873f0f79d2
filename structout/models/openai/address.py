"""The address of a model at a server: its name, `KIND:MODEL@URL#OPTION,...`, taken apart."""

import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from structout.errors import NoModelError, SpecError
from structout.models.openai.dialects import Dialect, dialect_named
from structout.models.openai.kinds import KINDS
from structout.models.settings import Settings, is_secret, split_options

_OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True)
class Address:
    """A model at a server: `KIND:MODEL`, `KIND:MODEL@URL` or `KIND:MODEL@URL#OPTION,...`. The kind is `openai`, `vllm`,
    `ollama`, `lmstudio`, `llamacpp` or `sglang`. The default URL of the kind `openai` is `$OPENAI_BASE_URL`, or else
    OpenAI's; the other kinds have the usual local address of such a server. A `#` in the model's own name is written
    `%23`. The options:

    - `logprobs`: request log-probabilities, which confidence, judges and the choice of the best answer use.
    - `n`: request several samples of a prompt at once.
    - a number: the maximum number of requests in flight, by default 64.
    - `timeout=SECONDS`: how long to wait for an answer before a retry, by default 120.
    - a dialect: how a request states a constraint, `json_schema`, `structured_outputs`, `json_object`, `ollama` or
      `none`. By default a probe finds the dialect.
    - `key=VARIABLE`: the environment variable that holds the server's key. By default OpenAI and the server of
      `$OPENAI_BASE_URL` get `$OPENAI_API_KEY`, and other servers get no key.
    - `NAME=VALUE`: a further field of each request's body, as in `reasoning_effort=low`; the value is JSON or a text.
    - `settings=FILE`: a TOML or JSON file of such fields; its table `extra_headers` holds further headers.
    """

    model: str
    url: str = ""
    dialect: Dialect | None = None
    logprobs: bool = False
    many: bool = False
    in_flight: int = 64
    timeout: float | None = None
    key: str = ""
    kind: str = "openai"
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        """Raises `SpecError` if the URL or `$OPENAI_BASE_URL` is invalid."""
        for url in filter(None, (self.url, os.environ.get("OPENAI_BASE_URL", ""))):
            if not _names_server(url):
                hint = "give http:// or https://, a host, perhaps a port, and a path such as /v1"
                shown = url.rpartition("@")[2].partition("?")[0]  # without a password or a key
                raise SpecError(f"invalid server address: {shown!r:.100}", hint=hint)

    @classmethod
    def read(cls, text: str, kind: str = "openai") -> "Address":
        """Read what stands behind `KIND:` in the name of a model. Raises `SpecError`."""
        place, _, written = text.partition("#")
        model, at, rest = place.partition("@http")
        url = f"http{rest}" if at else KINDS[kind].url
        if _names_server(url) and ("@" in urlsplit(url).netloc or any(map(is_secret, _query(url)))):
            hint = "put it into an environment variable, and name the variable: #key=VARIABLE"
            raise SpecError("invalid server address: it contains a key or a password", hint=hint)
        known: dict[str, Any] = {}
        further: dict[str, str] = {}
        for option in split_options(written):
            name, equals, value = option.partition("=")
            if option in ("logprobs", "n"):
                known["many" if option == "n" else option] = True
            elif (number := _whole(option)) is not None:
                known["in_flight"] = number
            elif equals and name == "timeout":
                known[name] = _seconds(value)
            elif equals and name == "key":
                known[name] = _variable(value)
            elif equals:
                further[name] = value
            else:
                known["dialect"] = dialect_named(option)
        return cls(model.replace("%23", "#"), url, kind=kind, settings=Settings.read(further), **known)

    @property
    def name(self) -> str:
        """The model's name with everything that answers depend on: the server and the options that affect answers, but
        neither the timeout nor the key nor the values of headers.
        """
        server = urlsplit(self.place)
        query = {name: value for name, value in self.query.items() if not is_secret(name)}
        netloc = server.netloc.rpartition("@")[2]  # without a password
        shown = server._replace(netloc=netloc, query=urlencode(query)).geturl()
        options = [self.dialect or "", "logprobs" if self.logprobs else "", "n" if self.many else ""]
        written = ",".join(filter(None, [*options, *self.settings.written()]))
        model = self.model.replace("#", "%23")
        return f"{self.kind}:{model}" + (f"@{shown}" if shown else "") + (f"#{written}" if written else "")

    @property
    def place(self) -> str:
        """The server's URL without its query, "" for OpenAI's default."""
        return urlsplit(self._whole_url)._replace(query="").geturl()

    @property
    def query(self) -> dict[str, str]:
        """The parameters that every request has in its URL."""
        return _query(self._whole_url)

    @property
    def _whole_url(self) -> str:
        return self.url or os.environ.get("OPENAI_BASE_URL", "")

    @property
    def own(self) -> bool:
        """Whether the environment's settings for OpenAI are meant for this server."""
        theirs = (_OPENAI, os.environ.get("OPENAI_BASE_URL", ""))
        return not self.url or _origin(self.url) in map(_origin, theirs)

    @property
    def is_azure(self) -> bool:
        """Whether the server is Azure's, which wants the key in a header of its own."""
        return (urlsplit(self._whole_url).hostname or "").endswith(".azure.com")

    @property
    def is_strict(self) -> bool:
        """Whether the server takes schemas in the form of strict modes only."""
        return self.is_azure or _origin(self._whole_url or _OPENAI) == _origin(_OPENAI)

    @property
    def variable(self) -> str:
        """The environment variable that holds this server's key, "" if the server gets no key."""
        return self.key or ("OPENAI_API_KEY" if self.own else "")

    def hidden(self) -> list[str]:
        """Texts beside the key that no message may show: values of headers, and secrets in the URL."""
        secrets = [value for name, value in self.query.items() if is_secret(name)]
        return [one for one in (*secrets, *self.settings.headers.values()) if len(one) > 7]

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
        if not found and not self._whole_url:
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


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _variable(text: str) -> str:
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", text):  # the message omits the text, as it may be the key itself
        hint = "give the variable's name in capitals, as in #key=VLLM_API_KEY"
        raise SpecError("invalid key: expected key=VARIABLE", hint=hint)
    return text


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
