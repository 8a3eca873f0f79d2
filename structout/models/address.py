"""Where a model is served, and how it is asked, as the part of its name after `openai:` says."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from structout.errors import SpecError
from structout.models.dialects import Dialect, dialect_named


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
    """

    model: str
    url: str = ""
    dialect: Dialect | None = None
    logprobs: bool = False
    many: bool = False
    in_flight: int = 64
    timeout: float | None = None

    @classmethod
    def read(cls, text: str) -> "Address":
        """Read an address. Raises `SpecError`."""
        place, _, options = text.partition("#")
        model, at, rest = place.partition("@http")
        url = f"http{rest}" if at else ""
        if urlsplit(url).query or "@" in urlsplit(url).netloc:
            raise SpecError("a key or a password stands in the server's address", hint="set OPENAI_API_KEY instead")
        settings: dict[str, Any] = {}
        for option in filter(None, options.split(",")):
            name, equals, value = option.partition("=")
            if option in ("logprobs", "n"):
                settings["many" if option == "n" else option] = True
            elif option.isdecimal() and int(option) > 0:
                settings["in_flight"] = int(option)
            elif equals and name == "timeout":
                settings[name] = _seconds(value)
            else:
                settings["dialect"] = dialect_named(option)
        return cls(model, url, **settings)


def _seconds(text: str) -> float:
    if not text.isdecimal() or int(text) < 1:
        raise SpecError(f"timeout is {text!r}", hint="give whole seconds, as in #timeout=300")
    return float(text)
