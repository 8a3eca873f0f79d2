"""What a server answers: the body of a chat completion, read."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from structout.completion import Completion, FinishReason, Prompt, Usage
from structout.decoding.values import value_tokens

CHARACTERS = 4  # of a token, where the server does not count them
_MOST_TOKENS = 10**9
_ROUNDING, _LEAST_LOGPROB = 1e-4, -9999.0  # the latter is what OpenAI writes for minus infinity


class Reply(NamedTuple):
    """The answers to one request, with what they cost; whether the server counted the tokens itself, and whether the
    log-probabilities that it told, if any, are some.
    """

    answers: list[Completion]
    counted: bool
    sure: bool


def read_reply(text: str, prompt: Prompt, seconds: float) -> Reply:
    """Read the body of a response to `prompt` that took so many seconds. Raises `ValueError` if it is something else.

    Of several answers, the first is charged with what was read, and each with its part of what was written. Numbers
    that cannot be are not believed, and cost nobody an answer: counts are estimated then, log-probabilities left out.
    """
    try:
        body = json.loads(text)
        found = [_choice(choice) for choice in body["choices"]]
        _ = found[0]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("no chat completion") from error
    told = body.get("usage")
    counts = [_count(_part(told, name)) for name in ("prompt_tokens", "completion_tokens")]
    reused = _count(_part(_part(told, "prompt_tokens_details"), "cached_tokens")) or 0
    sizes = [len(answer.text) for answer, _ in found]
    read, left = counts
    counted = read is not None and left is not None
    if read is None or left is None:
        read = sum(len(one.content) for one in prompt.messages) // CHARACTERS + 1
        left = sum(sizes) // CHARACTERS + 1
    answers, wrote = [], left
    for place, (answer, _) in enumerate(found):
        written = left if place == len(found) - 1 else min(left, wrote * sizes[place] // max(1, sum(sizes)))
        left -= written
        usage = Usage(0, 0, written) if place else Usage(1, read, written, seconds, reused_tokens=min(reused, read))
        answers.append(replace(answer, usage=usage))
    return Reply(answers, counted, all(sure for _, sure in found))


def _part(of: Any, name: str) -> Any:
    return of.get(name) if isinstance(of, dict) else None


def _count(told: Any) -> int | None:
    """A number of tokens as a server tells it; None for what cannot be one."""
    whole = isinstance(told, int) or (isinstance(told, float) and told.is_integer())
    return int(told) if whole and not isinstance(told, bool) and 0 <= told <= _MOST_TOKENS else None


def _choice(choice: dict[str, Any]) -> tuple[Completion, bool]:
    """One of the answers in a response, as yet without its usage, and whether its log-probabilities are some."""
    message, reason = choice["message"], choice.get("finish_reason")
    text = message.get("content") or ""
    refusal = message.get("refusal") or ("the server's filter stopped it" if reason == "content_filter" else "")
    if not isinstance(text, str) or not isinstance(refusal, str):
        raise TypeError("a text is none")
    told = _part(choice.get("logprobs"), "content")
    parts = [part for part in told if isinstance(part, dict)] if isinstance(told, list) else []
    logprobs = [_logprob(part.get("logprob")) for part in parts]
    known = tuple(one for one in logprobs if one is not None)
    sure = len(known) == len(told or ()) if isinstance(told, list | None) else False
    pieces = _pieces(parts, text) if known and sure else None
    finish: FinishReason = "refused" if refusal else "length" if reason == "length" else "stop"
    answer = Completion(
        text,
        Usage(),
        finish,
        known if known and sure else None,
        refusal=refusal,
        values=value_tokens(pieces) if pieces is not None else None,
        ends=tuple(accumulate(map(len, pieces))) if pieces is not None else None,
    )
    return answer, sure


def _logprob(told: Any) -> float | None:
    """A log-probability as a server tells it; None for what cannot be one. A sum of shares in few digits may come out
    a hair above 1, which is 1.
    """
    if not isinstance(told, int | float) or isinstance(told, bool) or not told <= _ROUNDING:
        return None
    return float(max(min(told, 0.0), _LEAST_LOGPROB))


def _pieces(parts: Sequence[dict[str, Any]], text: str) -> list[bytes] | None:
    """The bytes of the text that each token wrote: none for what comes before it (thoughts) and after it (the token
    that ends it, or what a stop text cut off). None where the tokens do not add up to the text.
    """
    try:
        tokens = [_bytes(part) for part in parts]
    except (TypeError, ValueError, OverflowError):
        return None
    wanted = text.encode(errors="replace")
    start = b"".join(tokens).rfind(wanted)
    if start < 0:
        return None
    ends = [min(max(end - start, 0), len(wanted)) for end in accumulate(map(len, tokens))]
    return [wanted[first:last] for first, last in pairwise([0, *ends])]


def _bytes(part: dict[str, Any]) -> bytes:
    told = part.get("bytes")
    return bytes(told) if told and isinstance(told, list) else str(part.get("token") or "").encode()
