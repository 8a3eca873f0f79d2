"""The parser for a server's reply, the body of a chat completion."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from structout.completion import Completion, FinishReason, Prompt, Usage
from structout.decoding.values import value_tokens
from structout.models.ends import end
from structout.models.openai.body import AnsweredError, read_body, words
from structout.models.openai.tokens import read_usage
from structout.models.tokens import filled

_TEXTS = ("text", "output_text")  # the parts of a content that are not thoughts
_ROUNDING, _LEAST_LOGPROB = 1e-4, -9999.0  # OpenAI writes -9999 for minus infinity


class Reply(NamedTuple):
    """The answers to one request with their usage, whether the server counted the tokens, whether all log-probabilities
    that it sent are valid, and why the answers cannot be used, "" if they can.
    """

    answers: list[Completion]
    counted: bool
    valid: bool
    problem: str

    @property
    def usage(self) -> Usage:
        """The cost of all answers."""
        return sum((answer.usage for answer in self.answers), Usage())


def read_reply(text: str, prompt: Prompt, seconds: float) -> Reply:
    """Read the body of a response to `prompt` that took `seconds`. Raises `ValueError` if it is not a chat completion.

    The first of several answers has the input tokens in its usage, and each answer has its share of the output tokens.
    Invalid numbers do not invalidate an answer: invalid log-probabilities are left out, and invalid counts are
    estimated, as are counts of zero where there is text. An answer is whole only if the server gives a known reason why
    it ended; any other reason is a problem of the reply.
    Raises `AnsweredError` for an error inside a response of status 200.
    """
    try:
        body = read_body(text)
    except AnsweredError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError("invalid chat completion") from error
    try:
        found = [_choice(choice) for choice in body["choices"] or ()]
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError("invalid chat completion") from error
    if not found:
        found = [_Choice(Completion("", finish_reason="refused", refusal="the server gave no answer"))]
    sizes = [len(one.answer.text) for one in found]
    stated = read_usage(body.get("usage")) or Usage(1)
    total = replace(filled(stated, prompt, [one.answer.text for one in found]), seconds=seconds)
    answers, left, version = [], total.output_tokens, _version(body)
    for place, size in enumerate(sizes):
        share = total.output_tokens * size // max(1, sum(sizes))
        written = left if place == len(found) - 1 else min(left, share)
        left -= written
        guessed = 0 if stated.output_tokens else written
        cost = Usage(output_tokens=written, estimated_tokens=guessed)
        if place == 0:
            read = 0 if stated.input_tokens else total.input_tokens
            cost = replace(total, output_tokens=written, estimated_tokens=read + guessed)
        answers.append(replace(found[place].answer, usage=cost, version=version))
    problem = next((one.problem for one in found if one.problem), "") or _failed(body)
    return Reply(answers, not total.estimated_tokens, all(one.valid for one in found), problem)


def usage_in(text: str) -> Usage | None:
    """The cost that the body of an unreadable answer states; None if it states no cost."""
    try:
        return read_usage(read_body(text).get("usage"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def _failed(of: dict[str, Any]) -> str:
    """What is wrong with an answer that has an error beside its text, "" if it has none."""
    error = of.get("error")
    return f"the answer ended with an error: {(words(error) or str(error))[:200]}" if error else ""


def _version(body: dict[str, Any]) -> str:
    """The model and the fingerprint of the system that a server reports."""
    named = [body.get("model"), body.get("system_fingerprint")]
    return " ".join(one for one in named if isinstance(one, str) and one)


def _part(of: Any, name: str) -> Any:
    return of.get(name) if isinstance(of, dict) else None


class _Choice(NamedTuple):
    """An answer of a response without its usage, whether its log-probabilities are valid, and why it cannot be used."""

    answer: Completion
    valid: bool = True
    problem: str = ""


def _choice(choice: dict[str, Any]) -> _Choice:
    reason = choice.get("finish_reason")
    ended = end(reason)
    message: Any = choice["message"] or ({} if ended == "refused" else None)
    text = _text(message)
    refusal = message.get("refusal") or ("the server's filter stopped it" if ended == "refused" else "")
    if not isinstance(refusal, str):
        raise TypeError("invalid chat completion: expected text")
    is_known = bool(refusal) or ended is not None
    problem = _failed(choice) or ("" if is_known else f"the answer ended for an unknown reason: {str(reason)[:60]!r}")
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        text, refusal = "", refusal or "the answer holds an unpaired surrogate"
    content = _part(choice.get("logprobs"), "content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    logprobs = [_logprob(part.get("logprob")) for part in parts]
    known = tuple(one for one in logprobs if one is not None)
    valid = len(known) == len(content or ()) if isinstance(content, list | None) else False
    pieces = _pieces(parts, text) if known and valid else None
    finish: FinishReason = "refused" if refusal else ended or "stop"
    answer = Completion(
        text,
        Usage(),
        finish,
        known if known and valid else None,
        refusal=refusal,
        values=value_tokens(pieces) if pieces is not None else None,
        ends=tuple(accumulate(map(len, pieces))) if pieces is not None else None,
    )
    return _Choice(answer, valid, problem)


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
