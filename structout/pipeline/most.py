"""The most that an answer to a prompt may use, before it is asked."""

from collections.abc import Iterable
from typing import Any

from structout.completion import Prompt, Usage
from structout.models import Model
from structout.models.tokens import most_read


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
    return Usage(1, most_read(prompt), limit)
