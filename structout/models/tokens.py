"""Tokens that nobody counted: the most that a prompt and an answer may take.

A budget reserves by this rule, and a usage that a server or a provider does not report is estimated by it: every byte
counts as a token. No tokenizer makes more tokens than bytes, so an estimate is never below the bill, and a budget
holds. A mean (four characters a token) would be nearer, but break the budget for code, numbers and many languages.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from structout.completion import Prompt, Usage
from structout.schema import Schema

# Of an answer, not of the model: later answers may have a count.
ESTIMATED: Final = "sent an answer without a token count: its tokens are estimated at the most, a token for each byte"
_TEMPLATE, _TURN = 64, 16  # tokens that a chat template adds, at most: once, and around each message


def most_read(prompt: Prompt) -> int:
    """The most tokens that a prompt may take, the template and the schema included."""
    read = sum(len(message.content.encode(errors="replace")) + _TURN for message in prompt.messages) + _TEMPLATE
    if prompt.constraint is not None:
        read += _size(prompt) if prompt.mask is not None else _size_of(prompt.constraint, prompt.open_objects)
    return read


@lru_cache(maxsize=16)
def _size_of(constraint: Schema[Any], open_objects: bool) -> int:
    """The size for all prompts that share a schema."""
    return _size(Prompt((), constraint=constraint, open_objects=open_objects))


def _size(prompt: Prompt) -> int:
    """The bytes of the schema that a request holds."""
    return len(json.dumps(prompt.held_to).encode())


def most_written(prompt: Prompt, text: str) -> int:
    """The most tokens that an answer may have, with the token that ends it; never more than the token limit."""
    return min(len(text.encode(errors="replace")) + 1, prompt.sampling.max_tokens)


def filled(usage: Usage, prompt: Prompt, texts: Sequence[str]) -> Usage:
    """A usage with estimates for the tokens that nobody counted: of the prompt if it has no tokens, and of the answers
    `texts` if they have none, although there is text.
    """
    read = 0 if usage.input_tokens else most_read(prompt)
    wrote = 0 if usage.output_tokens else sum(most_written(prompt, text) for text in texts if text)
    return replace(
        usage,
        input_tokens=usage.input_tokens + read,
        output_tokens=usage.output_tokens + wrote,
        estimated_tokens=usage.estimated_tokens + read + wrote,
    )


def uncounted_told(uncounted: int, answers: int) -> str:
    """How many of all answers had no token count, as a sentence; "" if all had one."""
    told = f"{uncounted:,} of {answers:,} answers had no token count: their tokens are estimated at the most"
    return told if uncounted else ""


def unread(prompt: Prompt, seconds: float) -> Usage:
    """The most that an answer may have used that arrived, but cannot be read."""
    read, wrote = most_read(prompt), prompt.sampling.max_tokens
    return Usage(1, read, wrote, seconds, estimated_tokens=read + wrote)
