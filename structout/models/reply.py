"""What a server answers: the body of a chat completion, read."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from structout.completion import Completion, FinishReason, Prompt, Usage
from structout.decoding.values import value_tokens

CHARACTERS = 4  # of a token, where the server does not count them


class Reply(NamedTuple):
    """The answers to one request, with what they cost, and whether the server counted the tokens itself."""

    answers: list[Completion]
    counted: bool


def read_reply(text: str, prompt: Prompt, seconds: float) -> Reply:
    """Read the body of a response to `prompt` that took so many seconds. Raises `ValueError` if it is something else.

    Of several answers, the first is charged with what was read, and each with its part of what was written.
    """
    try:
        body = json.loads(text)
        found = [_choice(choice) for choice in body["choices"]]
        told = body.get("usage") or {}
        counts = [int(told[name]) for name in ("prompt_tokens", "completion_tokens") if told.get(name) is not None]
        reused = int((told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
        _ = found[0]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError("no chat completion") from error
    sizes = [len(answer.text) for answer in found]
    counted = len(counts) == 2
    if not counted:
        read = sum(len(one.content) for one in prompt.messages)
        counts = [read // CHARACTERS + 1, sum(sizes) // CHARACTERS + 1]
    answers, left = [], counts[1]
    for place, answer in enumerate(found):
        written = left if place == len(found) - 1 else min(left, counts[1] * sizes[place] // max(1, sum(sizes)))
        left -= written
        usage = Usage(0, 0, written) if place else Usage(1, counts[0], written, seconds, reused_tokens=reused)
        answers.append(replace(answer, usage=usage))
    return Reply(answers, counted)


def _choice(choice: dict[str, Any]) -> Completion:
    """One of the answers in a response, as yet without its usage."""
    message, reason = choice["message"], choice.get("finish_reason")
    text = message.get("content") or ""
    parts = (choice.get("logprobs") or {}).get("content") or []
    logprobs = tuple(float(part["logprob"]) for part in parts) if parts else None
    pieces = _pieces(parts, text) if parts else None
    refusal = message.get("refusal") or ("the server's filter stopped it" if reason == "content_filter" else "")
    finish: FinishReason = "refused" if refusal else "length" if reason == "length" else "stop"
    return Completion(
        text,
        Usage(),
        finish,
        logprobs,
        refusal=refusal,
        values=value_tokens(pieces) if pieces is not None else None,
        ends=tuple(accumulate(map(len, pieces))) if pieces is not None else None,
    )


def _pieces(parts: Sequence[dict[str, Any]], text: str) -> list[bytes] | None:
    """The bytes of the text that each token wrote: none for what comes before it (thoughts) and after it (the token
    that ends it, or what a stop text cut off). None where the tokens do not add up to the text.
    """
    try:
        tokens = [bytes(part.get("bytes") or str(part.get("token") or "").encode()) for part in parts]
    except (TypeError, ValueError):
        return None
    wanted = text.encode(errors="replace")
    start = b"".join(tokens).rfind(wanted)
    if start < 0:
        return None
    ends = [min(max(end - start, 0), len(wanted)) for end in accumulate(map(len, tokens))]
    return [wanted[first:last] for first, last in pairwise([0, *ends])]
