"""The most that an answer to a prompt may use, before it is asked."""

from collections.abc import Iterable
from typing import Any

from structout.completion import Prompt, Usage
from structout.models import Model
from structout.models.tokens import most_read
from structout.models.wrappers.base import innermost


def most_of(prompts: Iterable[Prompt], model: Model) -> Usage:
    """The most that the answers to some prompts may use, with what the model asks for itself first (its probe).

    Input tokens are exact for a model that counts them. Else every byte counts as a token, the template and the schema
    included. An answer may have as many tokens as its limit.
    """
    encode = getattr(innermost(model), "encode", None)
    return sum((_most(prompt, encode) for prompt in prompts), probe_of(model))


def probe_of(model: Model) -> Usage:
    """The most that a model's next call may use for its probe."""
    found: Usage = getattr(innermost(model), "upfront", Usage())
    return found


def later_probe_of(model: Model) -> Usage:
    """The most that the first call of a later process may use for its probe."""
    found: Usage = getattr(innermost(model), "upfront_later", Usage())
    return found


def finding_of(model: Model) -> str:
    """What a model's probe has found; "" for a model without a probe."""
    found: str = getattr(innermost(model), "finding", "")
    return found


def take_finding(model: Model, finding: str) -> None:
    """Give a model what the probe of an earlier process found."""
    if take := getattr(innermost(model), "take", None):
        take(finding)


def _most(prompt: Prompt, encode: Any) -> Usage:
    limit = prompt.sampling.max_tokens
    if encode is not None:
        tokens = encode(prompt)
        if not isinstance(tokens, list):
            return Usage(1)  # a text: it is refused
        begun = len(prompt.begun.encode(errors="replace"))  # no tokenizer makes more tokens than bytes
        return Usage(1, len(tokens) + begun, limit)
    return Usage(1, most_read(prompt), limit)
