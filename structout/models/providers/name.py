"""The name of a model that pydantic-ai asks: `PROVIDER:MODEL` with options, and the settings of its requests."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from structout.errors import SpecError
from structout.models.openai.kinds import KINDS
from structout.models.settings import Settings, split_options

CLIENT = "pydantic-ai"  # the first part of the name of a model that pydantic-ai asks
# Providers that pydantic-ai knows; a message names them, and a name of theirs asks for the extra.
KNOWN = (
    "alibaba", "anthropic", "azure", "bedrock", "cerebras", "cohere", "crusoe", "deepseek", "fireworks", "gateway",
    "github", "github-copilot", "google", "google-cloud", "groq", "heroku", "huggingface", "litellm", "mistral",
    "moonshotai", "nebius", "openai", "openai-chat", "openai-responses", "openrouter", "ovhcloud", "sambanova",
    "snowflake", "together", "vercel", "xai", "zai",
)  # fmt: skip
_OURS = ("embedded", "hf", "path", "scripted", "py", *(kind for kind in KINDS if kind != "openai"))
_ONLY_OPENAI_CLIENT = (
    "logprobs", "n", "json_schema", "structured_outputs", "json_object", "ollama", "none",
)  # fmt: skip
_HASHED = "settings@"


@dataclass(frozen=True)
class HostedName:
    """A model of a provider: `PROVIDER:MODEL` or `PROVIDER:MODEL#OPTION,...`. The options:

    - `NAME=VALUE`: a setting of pydantic-ai, such as `thinking=low`; the value is JSON or a text.
    - `settings=FILE`: a TOML or JSON file of settings; its table `extra_headers` holds further headers.
    - a number: the maximum number of requests in flight, by default 64.
    - `timeout=SECONDS`: how long to wait for an answer before a retry, by default 120.
    """

    provider: str
    model: str
    settings: Settings = field(default_factory=Settings)
    in_flight: int = 64
    timeout: float | None = None
    hash: str = ""  # of settings that are not in the name

    @classmethod
    def read(cls, name: str) -> "HostedName":
        """Read a name, or an identity. Raises `SpecError`."""
        place, _, written = name.removeprefix(f"{CLIENT}:").partition("#")
        provider, _, model = place.partition(":")
        if not provider or not model:
            raise SpecError(f"invalid model: got {name!r:.100}, expected PROVIDER:MODEL", hint="name the model")
        given: dict[str, Any] = {}
        settings: dict[str, str] = {}
        for option in split_options(written):
            key, equals, value = option.partition("=")
            if re.fullmatch(r"[0-9]{1,6}", option) and int(option) > 0:
                given["in_flight"] = int(option)
            elif key == "timeout" and equals:
                given["timeout"] = _seconds(value)
            elif equals and key:
                settings[key] = value
            elif option.startswith(_HASHED):
                given["hash"] = option.removeprefix(_HASHED)
            else:
                hint = "give NAME=VALUE, settings=FILE, timeout=SECONDS or a number of requests in flight"
                raise SpecError(f"invalid option of {place}: got {option!r:.40}", hint=hint)
        return cls(provider, model, Settings.read(settings), **given)

    @property
    def text(self) -> str:
        """The model's name with everything that answers depend on, but the client; of headers, the names alone."""
        options = [*self.settings.written(), *([f"{_HASHED}{self.hash}"] if self.hash else [])]
        return f"{self.provider}:{self.model}" + (f"#{','.join(options)}" if options else "")

    @property
    def identity(self) -> str:
        """The name with everything that answers depend on: the client, and an address in the environment, too."""
        name, mark, options = self.text.partition("#")
        return f"{CLIENT}:{name}{_elsewhere(self.provider) if '@http' not in name else ''}{mark}{options}"

    @property
    def given(self) -> dict[str, Any]:
        """The settings as pydantic-ai takes them. A header without a value is left out."""
        headers = {name: value for name, value in self.settings.headers.items() if value}
        return {**self.settings.body, **({"extra_headers": headers} if headers else {})}


def is_hosted(name: str) -> bool:
    """Whether pydantic-ai asks the model of this name, and no client of ours.

    A name with an address is asked by our own client, as is `openai:MODEL` where `$OPENAI_BASE_URL` names the user's
    own server or an option is known to our client alone.
    """
    provider, _, rest = name.partition(":")
    if provider == CLIENT:
        return True
    if not rest or provider in _OURS or "@http" in rest.partition("=")[0]:
        return False
    if provider != "openai":
        return provider in KNOWN or _is_known(provider)
    options = rest.partition("#")[2].split(",")
    ours = any(option in _ONLY_OPENAI_CLIENT or option.startswith("key=") for option in options)
    return not ours and not os.environ.get("OPENAI_BASE_URL")


def _is_known(provider: str) -> bool:
    """Whether pydantic-ai, if it is installed, knows a provider."""
    if not re.fullmatch(r"[a-z][a-z0-9-]*(/[a-z0-9-]+)?", provider):
        return False
    try:
        from pydantic_ai.providers import infer_provider_class
    except ModuleNotFoundError:
        return False
    try:
        infer_provider_class(provider)
    except ImportError:  # known, but its packages are missing
        return True
    except Exception:
        return False
    return True


def address(url: str) -> str:
    """Where a model is asked, as a part of its name: without a password or a key."""
    parts = urlsplit(url)
    return f"@{parts._replace(netloc=parts.netloc.rpartition('@')[2], query='').geturl()}" if parts.netloc else ""


def _elsewhere(provider: str) -> str:
    """The address in the environment at which the models of a provider are asked; "" if it is the provider's own."""
    vendor = provider.partition("-")[0]
    url = os.environ.get("GOOGLE_GEMINI_BASE_URL" if provider == "google" else f"{vendor.upper()}_BASE_URL", "")
    host = urlsplit(url).hostname or ""
    is_own = host.endswith((f".{vendor}.com", f".{vendor}.ai", ".googleapis.com"))
    return "" if is_own else address(url)


def takes_settings(name: str) -> bool:
    """Whether the model of this name takes settings: a hosted one, or one behind a server."""
    return is_hosted(name) or name.partition(":")[0] in KINDS


def with_settings(name: str, file: str) -> str:
    """A model's name with the settings in a file. Raises `SpecError` for a path that a name cannot hold."""
    if "," in file or "#" in file:
        raise SpecError(f"invalid path of settings: got {file!r}", hint="rename the file: without , and #")
    return f"{name}{',' if '#' in name else '#'}settings={file}"


def hashed(settings: Mapping[str, Any]) -> str:
    """The option of a name that stands for settings, which may hold keys and are not shown; "" without settings."""
    if not settings:
        return ""
    written = json.dumps(settings, sort_keys=True, default=str)
    return f"#{_HASHED}{hashlib.sha256(written.encode()).hexdigest()[:12]}"


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) < 1:
        hint = "give a whole number of seconds, as in #timeout=300"
        raise SpecError(f"invalid timeout: got {text!r:.40}, expected SECONDS", hint=hint)
    return float(text)
