"""The name of a model that pydantic-ai asks: `PROVIDER:MODEL` with options, and the settings of its requests."""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from structout.errors import DataError, SpecError
from structout.models.settings import split_options

CLIENT = "pydantic-ai"  # the first part of the name of a model that pydantic-ai asks
# Providers that pydantic-ai knows; a message names them, and a name of theirs asks for the extra.
KNOWN = (
    "alibaba", "anthropic", "azure", "bedrock", "cerebras", "cohere", "crusoe", "deepseek", "fireworks", "gateway",
    "github", "github-copilot", "google", "google-cloud", "groq", "heroku", "huggingface", "litellm", "mistral",
    "moonshotai", "nebius", "openai", "openai-chat", "openai-responses", "openrouter", "ovhcloud", "sambanova",
    "snowflake", "together", "vercel", "xai", "zai",
)  # fmt: skip
_OURS = ("embedded", "hf", "path", "scripted", "py", "vllm", "ollama", "lmstudio", "llamacpp", "sglang")
_ONLY_OPENAI_CLIENT = (
    "logprobs", "n", "json_schema", "structured_outputs", "json_object", "ollama", "none",
)  # fmt: skip
_HINT = 'write the settings as keys with values, as in thinking = "low"'


@dataclass(frozen=True)
class HostedName:
    """A model of a provider: `PROVIDER:MODEL` or `PROVIDER:MODEL#OPTION,...`. The options:

    - `NAME=VALUE`: a setting of pydantic-ai, such as `thinking=low`; the value is JSON or else a text.
    - `settings=FILE`: the settings in a TOML file.
    - a number: the maximum number of requests in flight, by default 64.
    - `timeout=SECONDS`: how long to wait for an answer before a retry, by default 120.
    """

    provider: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    file: Mapping[str, Any] = field(default_factory=dict)
    in_flight: int = 64
    timeout: float | None = None
    digest: str = ""  # of settings that are not in the name

    @classmethod
    def read(cls, name: str) -> "HostedName":
        """Read a name, or an identity. Raises `SpecError`, and `DataError` for the file."""
        place, _, options = name.removeprefix(f"{CLIENT}:").partition("#")
        provider, _, model = place.partition(":")
        if not provider or not model:
            raise SpecError(f"invalid model: got {name!r:.100}, expected PROVIDER:MODEL", hint="name the model")
        settings: dict[str, Any] = {}
        given: dict[str, Any] = {}
        for option in split_options(options):
            key, equals, value = option.partition("=")
            if re.fullmatch(r"[0-9]{1,6}", option) and int(option) > 0:
                given["in_flight"] = int(option)
            elif key == "timeout" and equals:
                given["timeout"] = _seconds(value)
            elif key == "settings" and equals:
                given["file"] = settings_in(value)
            elif equals and key:
                settings[key] = _value(value)
            elif option.startswith("settings@"):
                given["digest"] = option.removeprefix("settings@")
            else:
                hint = "give NAME=VALUE, settings=FILE, timeout=SECONDS or a number of requests in flight"
                raise SpecError(f"invalid option of {place}: got {option!r:.40}", hint=hint)
        return cls(provider, model, settings, **given)

    @property
    def all_settings(self) -> dict[str, Any]:
        """The settings of the file, overridden by those in the name."""
        return {**self.file, **self.settings}

    @property
    def text(self) -> str:
        """The model's name with the settings. Settings of a file, and lists and tables, are shown as a hash."""
        shown = {key: value for key, value in self.settings.items() if isinstance(value, str | int | float | bool)}
        hidden = {**self.file, **{key: value for key, value in self.settings.items() if key not in shown}}
        options = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in shown.items()]
        if hidden or self.digest:
            options.append(f"settings@{self.digest or digest(hidden)}")
        written = ",".join(sorted(options))
        return f"{self.provider}:{self.model}" + (f"#{written}" if written else "")

    @property
    def identity(self) -> str:
        """The name with everything that answers depend on: the client, too."""
        return f"{CLIENT}:{self.text}"


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


def with_settings(name: str, file: str) -> str:
    """A model's name with the settings in a file. Raises `SpecError` for a path that a name cannot hold."""
    if "," in file or "#" in file:
        raise SpecError(f"invalid path of settings: got {file!r}", hint="rename the file: without , and #")
    return f"{name}{',' if '#' in name else '#'}settings={file}"


def settings_in(path: str) -> dict[str, Any]:
    """The settings in a TOML file. Raises `DataError`."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", hint="check the path") from error
    except ValueError as error:
        raise DataError(f"cannot read {path}: not TOML: {error}", hint=_HINT) from error


def digest(settings: Mapping[str, Any]) -> str:
    """A short hash of settings, which may hold keys of gateways and are never shown."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) < 1:
        hint = "give a whole number of seconds, as in #timeout=300"
        raise SpecError(f"invalid timeout: got {text!r:.40}, expected SECONDS", hint=hint)
    return float(text)
