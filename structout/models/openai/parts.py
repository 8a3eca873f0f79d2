"""Parts of a request that some servers refuse, and requests without them."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

from structout.models.meanings import is_of_content, unquoted

Part = Literal["temperature", "seed", "system"]
PARTS: Final[dict[Part, str]] = {
    "temperature": "the temperature, which is left to the server from now on",
    "seed": "the seed, so sampled answers cannot be repeated",
    "system": "messages with the role system, whose text goes before the first message of the user from now on",
}
_WORDS: Final[dict[Part, re.Pattern[str]]] = {
    "temperature": re.compile(r"\btemperature\b", re.IGNORECASE),
    "seed": re.compile(r"\bseed\b", re.IGNORECASE),
    "system": re.compile(
        r"\bsystem\b[^.]{0,40}\b(?:role|message|prompt)|\brole\b[^.]{0,40}\bsystem\b"
        r"|\broles must alternate\b|\bonly user and assistant roles\b",
        re.IGNORECASE,
    ),
}
_REFUSES: Final = re.compile(
    r"unsupported|not support|n't support|unknown|unrecogni[sz]ed|not (?:allowed|permitted)|only the default"
    r"|must alternate|extra (?:inputs|fields)|unexpected|deprecated|only \S+ is allowed|roles are supported"
    r"|invalid role",
    re.IGNORECASE,
)


def refused_part(message: str, body: Mapping[str, Any]) -> Part | None:
    """The part of a request that a server's message refuses; None if the message names none that the request has."""
    message = unquoted(message)  # of a record, which may speak of temperatures
    if is_of_content(message) or not _REFUSES.search(message):
        return None
    return next((part for part, words in _WORDS.items() if words.search(message) and _has(body, part)), None)


def _has(body: Mapping[str, Any], part: Part) -> bool:
    if part == "system":
        return any(message["role"] == "system" for message in body["messages"])
    return part in body


def without(body: dict[str, Any], left_out: Collection[Part]) -> dict[str, Any]:
    """A request without some parts. The text of system messages goes before the first message of the user."""
    kept = {name: value for name, value in body.items() if name not in left_out}
    if "system" not in left_out:
        return kept
    told = [message["content"] for message in body["messages"] if message["role"] == "system"]
    others = [dict(message) for message in body["messages"] if message["role"] != "system"]
    first = next((message for message in others if message["role"] == "user"), None)
    if first is not None:
        first["content"] = "\n\n".join([*told, first["content"]])
    return {**kept, "messages": others}
