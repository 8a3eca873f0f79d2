"""The most that an answer to a prompt may use, before it is asked."""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from structout.completion import Prompt, Usage
from structout.models import Model
from structout.schema import Schema

_TEMPLATE, _TURN = 64, 16  # tokens that a chat template adds, at most: once, and around each message


def most_of(prompts: Iterable[Prompt], model: Model) -> Usage:
    """The most that the answers to some prompts may use, with what the model asks for itself first (its probe).

    Input tokens are exact for a model that counts them. Else every byte counts as a token, the template and the schema
    included. An answer may have as many tokens as its limit.
    """
    asked: Any = model
    while hasattr(asked, "inner"):
        asked = asked.inner
    upfront: Usage = getattr(asked, "upfront", Usage())
    encode = getattr(asked, "encode", None)
    return sum((_most(prompt, encode) for prompt in prompts), upfront)


def _most(prompt: Prompt, encode: Any) -> Usage:
    limit = prompt.sampling.max_tokens
    if encode is not None:
        tokens = encode(prompt)
        return Usage(1, len(tokens), limit) if isinstance(tokens, list) else Usage(1)  # a text: it is refused
    read = sum(len(message.content.encode(errors="replace")) + _TURN for message in prompt.messages) + _TEMPLATE
    if prompt.constraint is not None:
        read += _size(prompt) if prompt.mask is not None else _size_of(prompt.constraint, prompt.open_objects)
    return Usage(1, read, limit)


@lru_cache(maxsize=16)
def _size_of(constraint: Schema[Any], open_objects: bool) -> int:
    """The size for all prompts that share a schema."""
    return _size(Prompt((), constraint=constraint, open_objects=open_objects))


def _size(prompt: Prompt) -> int:
    """The bytes of the schema that a request holds."""
    return len(json.dumps(prompt.held_to).encode())
