"""The tokens that a server counts: what a response cost, and whether the server read the whole prompt."""

import re
from typing import Any, Final

from structout.completion import Prompt, Usage

_MOST_TOKENS: Final = 10**9
# A long prompt with more characters per token, of no text in any language, was cut. Characters in a row count once, as
# many spaces can be a single token.
_LONG, _MOST_CHARACTERS = 8_000, 12
_REPEATED: Final = re.compile(r"(.)\1+", re.DOTALL)


def read_usage(usage: Any) -> Usage | None:
    """The cost of a response by the server's own count; None if the count is missing or invalid.

    Some servers leave thoughts out of the tokens of the completion, and count them in the total alone.
    """
    read, wrote, total = (_count(usage, name) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    if read is None or wrote is None:
        return None
    reused = _count(_part(usage, "prompt_tokens_details"), "cached_tokens")
    reused = (_count(usage, "prompt_cache_hit_tokens") if reused is None else reused) or 0
    if reused > read:  # the server counts tokens from the cache beside the tokens of the prompt
        read += reused
    thought = _count(_part(usage, "completion_tokens_details"), "reasoning_tokens") or 0
    outside = max(0, (total or 0) - read - wrote)
    written = wrote + outside
    thinking = min(max(thought, outside), written)
    return Usage(1, read, written, reused_tokens=min(reused, read), thinking_tokens=thinking)


def sent(prompt: Prompt) -> int:
    """The number of characters in a prompt."""
    return sum(len(message.content) for message in prompt.messages)


def is_cut(prompt: Prompt, usage: Usage) -> bool:
    """Whether the server must have cut the prompt, by the tokens that it read. Tokens from a cache count as read."""
    most = max(_LONG, (usage.input_tokens + usage.reused_tokens) * _MOST_CHARACTERS)
    if usage.input_tokens == 0 or sent(prompt) <= most:
        return False
    return sum(len(_REPEATED.sub(r"\1", message.content)) for message in prompt.messages) > most


def _part(of: Any, name: str) -> Any:
    return of.get(name) if isinstance(of, dict) else None


def _count(of: Any, name: str) -> int | None:
    """A number of tokens from a server; None if it is missing or invalid."""
    value = _part(of, name)
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None
