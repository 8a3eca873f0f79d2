"""What an error of a provider means: a fault to retry, a refusal of the prompt, or the end of the run."""

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Final

from structout.errors import AccountError, ModelError, NoModelError
from structout.models.meanings import is_of_content, is_of_output, is_unpaid, unquoted
from structout.models.retries import CANNOT_TAKE, MAY_PASS, TIMED_OUT, TOO_MUCH, FaultError, RefusalError

_KEYS: Final = re.compile(r"\b(?:sk|gsk|xai|key)[-_][\w*-]{8,}|\bAIza[\w-]{20,}|\bBearer [\w.*-]{8,}")
_SECRET: Final = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)$|_KEY_|_SECRET_")
_OF_SCHEMA: Final = re.compile(
    r"schema|response_format|response format|output_format|output_config|structured|\bstrict\b|additionalproperties"
    r"|\btools?\b|tool_choice|function declaration",
    re.IGNORECASE,
)

_OF_KEY: Final = re.compile(
    r"api.?key.{0,20}(?:not valid|invalid|expired)|(?:invalid|expired).{0,10}api.?key", re.IGNORECASE
)


class UnfitError(RefusalError):
    """The provider, or pydantic-ai for it, does not take the constraint."""


def classified(error: Exception, name: str, timeout: float, *, has_answered: bool = False) -> Exception:
    """The error to raise for a request of the model `name` that ended without a response.

    A `ModelError` stops the run, unless the model has answered before: then another prompt may be answered.
    """
    from pydantic_ai import exceptions as theirs

    said = first_line(masked(_words(error)))
    status = error.status_code if isinstance(error, theirs.ModelHTTPError) else 0
    wait = getattr(error, "retry_after", None)
    kind = ModelError if has_answered else NoModelError
    if isinstance(error, theirs.ModelQuotaExceededError) or is_unpaid(status, said):
        return AccountError(f"{name}: {said}", hint="check the balance and the limits of the account")
    if isinstance(error, theirs.ModelRateLimitError | theirs.ModelUnavailableError) or status in TOO_MUCH:
        return FaultError(said, wait=wait if wait and wait > 0 else None, throttled=True)
    if isinstance(error, theirs.ModelRequestTimeout | theirs.ModelTimeoutError):
        return FaultError(f"no complete answer within {timeout:g} seconds", slow=True)
    if status == 403 and (has_answered or is_of_content(said)):
        return RefusalError(said)
    if isinstance(error, theirs.ModelAuthenticationError) or status in (401, 403) or _names_key(status, said):
        hint = "check the key in the environment, and what it may do"
        return NoModelError(f"{name} rejects the key: {said}", hint=hint)
    if status in TIMED_OUT:
        return FaultError(said, slow=True)
    if status in MAY_PASS or isinstance(error, theirs.ModelServerError | theirs.ModelConnectionError):
        return FaultError(said)
    if isinstance(error, theirs.ModelNotFoundError) or status == 404:
        return kind(f"{name}: {said}", hint="check the model's name")
    if isinstance(error, theirs.UserError):
        return UnfitError(said)
    if status in CANNOT_TAKE or isinstance(error, theirs.ModelRequestRejectedError | theirs.ContentFilterError):
        return UnfitError(said) if _speaks_of_schema(said) else RefusalError(said)
    if status:
        return kind(f"{name}: {said}", hint="check the model's name and the account")
    if isinstance(error, UnicodeEncodeError):
        return RefusalError(f"the prompt is not valid Unicode: {error.reason} at character {error.start}")
    return FaultError(said)


_SETTINGS: Final = ("temperature", "top_p", "top_k", "seed")
_REFUSES: Final = re.compile(
    r"unsupported|not support|n't support|unknown|unrecogni[sz]ed|not (?:allowed|permitted)|only the default|deprecated"
    r"|may only be set|cannot both|extra (?:inputs|fields)|unexpected|only \S+ is allowed",
    re.IGNORECASE,
)


def refused_setting(said: str, settings: Mapping[str, Any]) -> str | None:
    """The setting of a request that a provider's message refuses; None if the message names none."""
    if is_of_content(said) or not _REFUSES.search(said):
        return None
    said = unquoted(said)
    named = (name for name in _SETTINGS if name in settings and re.search(rf"\b{name}\b", said))
    return next(named, None)


def generated(error: Exception) -> str | None:
    """What a model wrote, though the provider found it invalid and gave an error instead (Groq); None for any other
    error.
    """
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, Mapping) else None
    text = inner.get("failed_generation") if isinstance(inner, Mapping) else None
    return text if isinstance(text, str) else None


def is_unread(error: Exception) -> bool:
    """Whether an answer arrived that pydantic-ai, or a provider's client, cannot read. A page that is not JSON comes
    from something between, and says nothing about an answer.
    """
    from pydantic_ai.exceptions import UnexpectedModelBehavior

    if isinstance(error, json.JSONDecodeError) or "expected JSON" in str(error):
        return False
    return isinstance(error, UnexpectedModelBehavior | TypeError | ValueError | LookupError | AttributeError)


def masked(text: str) -> str:
    """A provider's text with keys masked: everything that looks like one, and what the environment keeps secret."""
    for name, value in os.environ.items():
        if len(value) >= 8 and _SECRET.search(name.upper()):
            text = text.replace(value, "***")
    return _KEYS.sub("***", text)


def _names_key(status: int, said: str) -> bool:
    """Whether a 400 is about the key, as Gemini's may be."""
    return status == 400 and bool(_OF_KEY.search(said))


def _speaks_of_schema(said: str) -> bool:
    return not is_of_output(said) and bool(_OF_SCHEMA.search(said))


def _words(error: Exception) -> str:
    """The server's words: the message in the body of an HTTP error, or else the text of the error."""
    status = getattr(error, "status_code", None)
    body = getattr(error, "body", None)
    found = _message(body) or (body if isinstance(body, str) else "")
    if status is not None:
        return f"HTTP {status}: {found}" if found else f"HTTP {status}"
    return found or _cause(error) or getattr(error, "message", "") or str(error) or type(error).__name__


def _cause(error: Exception) -> str:
    """What broke a connection: a client's own words say no more than "Connection error."."""
    from pydantic_ai.exceptions import ModelConnectionError

    first: BaseException = error
    while isinstance(error, ModelConnectionError) and first.__cause__ is not None:
        first = first.__cause__
    return "" if first is error else str(first)


def _message(body: Any) -> str:
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, Mapping):
        return ""
    inner = body.get("error", body)
    if isinstance(inner, str):
        return inner
    if not isinstance(inner, Mapping):
        return ""
    message = inner.get("message") or inner.get("Message") or inner.get("detail")
    code = inner.get("code") or inner.get("type")
    if not isinstance(message, str):
        return ""
    return f"{message} ({code})" if isinstance(code, str) and code not in message else message


def first_line(text: str) -> str:
    """The first line of a text, as a part of a message."""
    return " ".join(text.strip().split("\n")[0].split())[:300]
