"""The clients of providers, with their own retries off: a retry of theirs would be paid for and not counted."""

import os
import re
from inspect import signature
from typing import TYPE_CHECKING, Any

from structout.errors import MissingExtraError, NoModelError
from structout.models.providers.bounds import bounded_client
from structout.models.providers.faults import masked

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.providers import Provider

_OWN_CLIENT = ("huggingface",)  # whose package takes a client of another kind
_CONNECTIONS = 64  # as many as there may be requests in flight
_IN_EXTRA = ("anthropic", "azure", "bedrock", "google", "groq", "mistral", "openai", "openai-chat", "openai-responses")
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")


def made(provider: str, model: str) -> "tuple[Model[Any], Any]":
    """The model of pydantic-ai with a name, with its key from the environment, and the HTTP client to close after it;
    None if the provider closes its own.

    Raises `MissingExtraError`, and `NoModelError` for an unknown model and a missing or invalid key.
    """
    name = f"{provider}:{model}"
    try:
        from pydantic_ai.models import infer_model
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "pydantic-ai-slim", "providers") from error
    _check_key(name, provider)
    opened: list[Any] = []
    try:
        return infer_model(name, lambda one: _provider(one, opened)), next(iter(opened), None)
    except ImportError as error:
        package = error.name or provider
        if provider in _IN_EXTRA:
            raise MissingExtraError(package, "providers") from error
        hint = f'pip install "pydantic-ai-slim[{provider}]"'
        raise NoModelError(f"{name} needs packages that are not installed", hint=hint) from error
    except Exception as error:  # of pydantic-ai, or of the provider's client
        said = " ".join(masked(f"{error}").split("\n")[0].split())[:300]
        if variables := [one for one in _VARIABLE.findall(said) if not os.environ.get(one)]:
            what = "missing key for" if "KEY" in variables[0] else "missing setting for"
            raise NoModelError(f"{what} {name}: ${variables[0]} is not set", hint=f"set {variables[0]}") from None
        hint = "check the name and the environment, or give an address: openai:MODEL@URL"
        raise NoModelError(f"cannot make the model {name}: {said or type(error).__name__}", hint=hint) from None


def _check_key(name: str, provider: str) -> None:
    """Raise `NoModelError` for a key that no header can hold."""
    vendor = provider.rpartition("/")[2].partition("-")[0].upper()
    for variable in (f"{vendor}_API_KEY", "GEMINI_API_KEY" if vendor == "GOOGLE" else ""):
        key = os.environ.get(variable, "")
        if not (key.isascii() and key.isprintable()):
            hint = f"set {variable} to the key alone, without a line break"
            raise NoModelError(f"invalid key for {name} in ${variable}: a header cannot hold it", hint=hint)


def _provider(name: str, opened: list[Any]) -> "Provider[Any]":
    """The provider with a name, as pydantic-ai makes it from the environment, with a bounded HTTP client where it takes
    one; the client is added to `opened`.

    The setting `max_retries` turns retries off for most providers. Bedrock's client takes no such setting, so it is
    made here with a single attempt.
    """
    from pydantic_ai.providers import infer_provider, infer_provider_class

    if name == "bedrock":
        return _bedrock()
    if name in _OWN_CLIENT or "/" in name:
        return infer_provider(name)
    kind = infer_provider_class(name)
    if "http_client" not in signature(kind).parameters:
        return infer_provider(name)
    opened.append(bounded_client(legacy=name == "groq"))
    return kind(http_client=opened[0])  # type: ignore[call-arg]


def _bedrock() -> "Provider[Any]":
    import boto3
    from botocore.config import Config
    from pydantic_ai.providers.bedrock import BedrockProvider

    once = Config(retries={"total_max_attempts": 1}, max_pool_connections=_CONNECTIONS)
    return BedrockProvider(bedrock_client=boto3.client("bedrock-runtime", config=once))
