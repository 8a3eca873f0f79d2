"""Settings in a model's name: further fields of a request's body, and further headers, which a provider documents."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from structout.document import load_json
from structout.errors import SpecError

# What other options of a model or of the sampling decide.
_DECIDED: Final = frozenset({
    "model", "messages", "stream", "stream_options", "n", "logprobs", "response_format", "structured_outputs", "format",
    "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stop",
})  # fmt: skip
_NO_SECRETS: Final = ("prompt_cache_key",)
_HEADERS: Final = "extra_headers"
_TRANSPORT: Final = frozenset({"host", "content-length", "content-type", "transfer-encoding", "accept-encoding"})
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]*")  # a text that needs no quotes
_SECRET: Final = re.compile(
    r"(?:^|[_-])(?:api_?|access_?|subscription-?|private_?)?(?:key|token|sig(?:nature)?|secret|password|passwd|credentials?"
    r"|auth|authorization)$|^apikey$|^code$",
    re.IGNORECASE,
)
_FORM: Final = "write NAME=VALUE, where VALUE is JSON or a text, as in #reasoning_effort=low"


@dataclass(frozen=True)
class Settings:
    """Further fields of a request's body by name, and further headers; a header with the value "" is not sent.

    Raises `SpecError` for an invalid name, a header that cannot be sent, and a field that another option decides.
    """

    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # a value may be a key

    def __post_init__(self) -> None:
        for name in self.body:
            if not _NAME.fullmatch(name):
                raise SpecError(f"invalid setting: {name!r:.60} is not a name", hint=_FORM)
            if is_secret(name) and name not in _NO_SECRETS:
                hint = "put a key into an environment variable, and name the variable: #key=VARIABLE"
                raise SpecError(f"invalid setting: {name!r} holds a key or a password", hint=hint)
            if name in _DECIDED:
                hint = "leave it out: the strategy, the sampling or another option decides it"
                raise SpecError(f"invalid setting: {name!r}", hint=hint)
        for name, value in self.headers.items():  # the message omits the value, as it may be a key
            named = re.fullmatch(r"[A-Za-z0-9-]{1,100}", name) is not None and name.lower() not in _TRANSPORT
            if not named or not isinstance(value, str) or not (value.isascii() and value.isprintable()):
                hint = 'give names and texts of one line, as in extra_headers = {"X-Title" = "mine"}'
                raise SpecError(f"invalid header: {name!r:.60}", hint=hint)

    @classmethod
    def read(cls, options: Mapping[str, str]) -> "Settings":
        """The settings that options give, each as the text of its value; `settings` names a TOML or JSON file. An
        option of its own wins over the file. Raises `SpecError`.
        """
        fields: dict[str, Any] = {}
        if "settings" in options:
            fields |= _file(options["settings"])
        fields |= {name: _value(name, text) for name, text in options.items() if name != "settings"}
        headers = fields.pop(_HEADERS, {})
        if isinstance(headers, list):  # names alone, as `written` has them
            headers = {str(name): "" for name in headers}
        if not isinstance(headers, Mapping):
            raise SpecError(f"invalid {_HEADERS}: expected a table", hint='write {"NAME": "VALUE"}')
        return cls(fields, dict(headers))

    def written(self) -> list[str]:
        """The settings as options of a name, in alphabetical order; of headers, the names alone."""
        fields = {**self.body, **({_HEADERS: sorted(self.headers)} if self.headers else {})}
        return [f"{name}={_text(value)}" for name, value in sorted(fields.items())]


def is_secret(name: str) -> bool:
    """Whether a parameter of this name holds a key or a password."""
    return _SECRET.search(name) is not None


def split_options(text: str) -> Iterator[str]:
    """The options of a text, which commas separate. A comma within a JSON value does not separate."""
    place = 0
    while place < len(text):
        found = re.compile(r"[^=,]*=(?=[\[{\"])").match(text, place)
        if found is None:
            end = text.find(",", place)
        else:
            try:
                end = json.JSONDecoder().raw_decode(text, found.end())[1]
            except (ValueError, RecursionError):
                end = -1
            if end < 0 or text[end : end + 1] not in (",", ""):  # the message omits the value, as it may hold a key
                raise SpecError(
                    f"invalid setting: {found[0]!r:.60} begins with JSON, but goes on otherwise", hint=_FORM
                )
        end = len(text) if end < 0 else end
        if end > place:
            yield text[place:end]
        place = end + 1


def _value(name: str, text: str) -> Any:
    """The JSON value in a text, or else the text itself."""
    if not text:
        raise SpecError(f"invalid setting: {name!r:.60} has no value", hint=_FORM)
    try:
        return load_json(text, _not_a_number)
    except ValueError:
        return text


def _not_a_number(text: str) -> Any:
    raise ValueError(text)


def _text(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value not in ("true", "false", "null"):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _file(path: str) -> dict[str, Any]:
    try:
        text = Path(path).read_text(encoding="utf-8")
        found = load_json(text, _not_a_number) if path.lower().endswith(".json") else tomllib.loads(text)
        made = load_json(json.dumps(found, allow_nan=False))  # TOML also has dates and NaN
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
        hint = 'give a TOML or JSON file with a line a setting, as in reasoning_effort = "low"'
        raise SpecError(f"cannot read the settings {path}: {reason:.200}", hint=hint) from error
    if not isinstance(made, dict):
        raise SpecError(f"cannot read the settings {path}: expected a table", hint='write {"NAME": VALUE}')
    return made
