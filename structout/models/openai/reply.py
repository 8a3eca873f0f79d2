"""The parser for a server's reply, the body of a chat completion."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from structout.completion import Completion, FinishReason, Prompt, Usage
from structout.decoding.values import value_tokens
from structout.models.openai.body import AnsweredError, read_body

CHARACTERS = 4  # per token, the estimate for a server that does not count tokens
_MOST_TOKENS = 10**9
# Why an answer ended, in lower case. Any other reason may stand for an answer that was cut off.
_WHOLE = (
    "stop",
    "eos",
    "eos_token",
    "end_turn",
    "stop_sequence",
    "tool_calls",
    "function_call",
    "complete",
    "completed",
)
_CUT = ("length", "max_tokens", "max_output_tokens", "model_length", "token_limit", "max_length")
_FILTERED = (
    "content_filter",
    "safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "guardrail",
    "refusal",
)
_TEXTS = ("text", "output_text")  # the parts of a content that are not thoughts
_ROUNDING, _LEAST_LOGPROB = 1e-4, -9999.0  # OpenAI writes -9999 for minus infinity


class Reply(NamedTuple):
    """The answers to one request with their usage, whether the server counted the tokens, and whether all
    log-probabilities that it sent are valid.
    """

    answers: list[Completion]
    counted: bool
    valid: bool


def read_reply(text: str, prompt: Prompt, seconds: float) -> Reply:
    """Read the body of a response to `prompt` that took `seconds`. Raises `ValueError` if it is not a chat completion.

    The first of several answers has the input tokens in its usage, and each answer has its share of the output tokens.
    Invalid numbers do not invalidate an answer: invalid counts are estimated, invalid log-probabilities left out. An
    answer is whole only if the server gives a known reason why it ended. Raises `AnsweredError` for an error inside a
    response of status 200.
    """
    try:
        body = read_body(text)
    except AnsweredError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("invalid chat completion") from error
    try:
        found = [_choice(choice) for choice in body["choices"]]
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError("invalid chat completion") from error
    if not found:
        found = [(Completion("", Usage(), "refused", refusal="the server gave no answer"), True)]
    usage = body.get("usage")
    counts = [_count(_part(usage, name)) for name in ("prompt_tokens", "completion_tokens")]
    reused = _count(_part(_part(usage, "prompt_tokens_details"), "cached_tokens")) or 0
    sizes = [len(answer.text) for answer, _ in found]
    read, left = counts
    counted = read is not None and left is not None
    if read is None or left is None:
        read = sum(len(one.content) for one in prompt.messages) // CHARACTERS + 1
        left = sum(sizes) // CHARACTERS + 1
    answers, wrote, version = [], left, _version(body)
    for place, (answer, _) in enumerate(found):
        written = left if place == len(found) - 1 else min(left, wrote * sizes[place] // max(1, sum(sizes)))
        left -= written
        cost = Usage(0, 0, written) if place else Usage(1, read, written, seconds, reused_tokens=min(reused, read))
        answers.append(replace(answer, usage=cost, version=version))
    return Reply(answers, counted, all(valid for _, valid in found))


def _version(body: dict[str, Any]) -> str:
    """The model and the fingerprint of the system that a server reports, in at most 200 characters."""
    named = [body.get("model"), body.get("system_fingerprint")]
    return " ".join(one for one in named if isinstance(one, str) and one)[:200]


def _part(of: Any, name: str) -> Any:
    return of.get(name) if isinstance(of, dict) else None


def _count(value: Any) -> int | None:
    """A number of tokens from a server; None if it is invalid."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None


def _choice(choice: dict[str, Any]) -> tuple[Completion, bool]:
    """One answer of a response, without its usage, and whether its log-probabilities are valid."""
    message, reason = choice["message"], choice.get("finish_reason")
    text, ended = _text(message), str(reason).lower()
    refusal = message.get("refusal") or ("the server's filter stopped it" if ended in _FILTERED else "")
    if not isinstance(refusal, str):
        raise TypeError("invalid chat completion: expected text")
    if not refusal and ended not in (*_WHOLE, *_CUT):
        raise ValueError(f"the answer ended for an unknown reason: {str(reason)[:60]!r}")
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        text, refusal = "", refusal or "the answer holds an unpaired surrogate"
    content = _part(choice.get("logprobs"), "content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    logprobs = [_logprob(part.get("logprob")) for part in parts]
    known = tuple(one for one in logprobs if one is not None)
    valid = len(known) == len(content or ()) if isinstance(content, list | None) else False
    pieces = _pieces(parts, text) if known and valid else None
    finish: FinishReason = "refused" if refusal else "length" if ended in _CUT else "stop"
    answer = Completion(
        text,
        Usage(),
        finish,
        known if known and valid else None,
        refusal=refusal,
        values=value_tokens(pieces) if pieces is not None else None,
        ends=tuple(accumulate(map(len, pieces))) if pieces is not None else None,
    )
    return answer, valid


def _text(message: dict[str, Any]) -> str:
    """The text of a message: its content, whole or in parts, or else the arguments of its only tool call, or JSON that
    the server took for a thought.
    """
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") in _TEXTS]
        content = "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str | None):
        raise TypeError("invalid chat completion: expected text")
    if content and content.strip():
        return content
    calls = message.get("tool_calls")
    if isinstance(calls, list) and len(calls) == 1:
        arguments = _part(_part(calls[0], "function"), "arguments")
        return arguments if isinstance(arguments, str) else json.dumps(arguments)
    thought = message.get("reasoning_content", message.get("reasoning"))
    is_json = isinstance(thought, str) and thought.strip()[:1] in ("{", "[") and thought.strip()[-1:] in ("}", "]")
    return str(thought).strip() if is_json else content or ""


def _logprob(value: Any) -> float | None:
    """A log-probability from a server; None if it is invalid. A value slightly above 0 is a rounding error, and counts
    as 0.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not value <= _ROUNDING:
        return None
    return float(max(min(value, 0.0), _LEAST_LOGPROB))


def _pieces(parts: Sequence[dict[str, Any]], text: str) -> list[bytes] | None:
    """The bytes of the text that each token wrote; None if the tokens do not add up to the text.

    Tokens before the text (thoughts) and after it (the end token, or tokens that a stop text cut off) wrote no bytes.
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
    values = part.get("bytes")
    return bytes(values) if values and isinstance(values, list) else str(part.get("token") or "").encode()
