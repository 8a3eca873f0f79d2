"""A response of pydantic-ai as a completion."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from structout.completion import Completion, FinishReason, Prompt, Usage
from structout.models.ends import end
from structout.models.providers.faults import masked
from structout.models.providers.request import Request
from structout.models.retries import FaultError
from structout.models.tokens import filled

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.usage import RequestUsage

_MOST_TOKENS: Final = 10**9
# Why an answer ended, in pydantic-ai's words. Any other reason may stand for an answer that was cut off.
_ENDS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "tool_call": "stop",
    "length": "length",
    "content_filter": "refused",
}
_WITHOUT_REASON: Final = ("xai", "test", None)  # providers whose own reason pydantic-ai does not report


def read_response(response: "ModelResponse", request: Request, prompt: Prompt, seconds: float) -> Completion:
    """The completion of a response that took `seconds`. Raises `FaultError` for an answer that nobody can rely on: one
    whose end is unknown, or whose text is not Unicode.
    """
    text = _text(response)
    usage = _usage(response.usage, prompt, text, seconds)
    finish = _finish(response)
    paid = paid_for(response, prompt, seconds)
    if finish is None:
        raw = (response.provider_details or {}).get("finish_reason") or response.finish_reason
        raise FaultError(f"the answer ended for an unknown reason: {str(raw)[:60]!r}", answer=paid)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FaultError("the answer holds an unpaired surrogate", answer=paid) from None
    for stop in prompt.sampling.stop:  # some providers take no stop texts
        text = text.partition(stop)[0]
    if request.form is not None and finish == "stop":
        text = request.form.text(text)
    version = " ".join(filter(None, (masked(str(response.model_name or ""))[:160], request.way)))
    answer = Completion(text, usage, finish, version=version)
    if finish != "refused":
        return answer
    said = (response.provider_details or {}).get("refusal")
    return replace(answer, refusal=str(said)[:200] if said else "the provider's filter stopped it")


def paid_for(response: "ModelResponse", prompt: Prompt, seconds: float) -> Usage:
    """The cost of a response that cannot be used; nothing where the provider counted no tokens."""
    return _usage(response.usage, prompt, "", seconds) if is_counted(response.usage) else Usage()


def failed_answer(text: str, model: str) -> "ModelResponse":
    """A response with what a model wrote, though the provider found it invalid and gave an error instead."""
    from pydantic_ai.messages import ModelResponse, TextPart

    details = {"finish_reason": "failed_generation"}
    return ModelResponse(parts=[TextPart(text)], model_name=model, finish_reason=_end(text), provider_details=details)


def _end(text: str) -> Literal["stop", "length"]:
    """How a text ended that came without a reason: cut off if it is the beginning of JSON."""
    try:
        json.loads(text)
    except ValueError:
        return "length" if "{" in text or "[" in text else "stop"
    return "stop"


def is_counted(usage: "RequestUsage") -> bool:
    """Whether a provider counted tokens."""
    return not usage.unmeasured_requests and (usage.input_tokens > 0 or usage.output_tokens > 0)


def _text(response: "ModelResponse") -> str:
    """The arguments of the first tool call as the model wrote them, or else the text. Thoughts are left out."""
    from pydantic_ai.messages import TextPart, ToolCallPart

    for part in response.parts:
        if isinstance(part, ToolCallPart):
            return part.args if isinstance(part.args, str) and part.args else part.args_as_json_str()
    return "".join(part.content or "" for part in response.parts if isinstance(part, TextPart))


def _finish(response: "ModelResponse") -> FinishReason | None:
    if response.state != "complete":
        return None
    if response.provider_name == "test" and response.finish_reason is None:
        return "stop"  # pydantic-ai's own test model
    if response.provider_name == "groq" and response.finish_reason == "error" and response.parts:
        return _end(_text(response))  # a tool call that Groq found invalid; the schema judges it
    named = (response.provider_details or {}).get("finish_reason")
    found = _ENDS.get(str(response.finish_reason)) if response.finish_reason else end(named)
    # pydantic-ai takes a missing reason of a chat completion for `stop`.
    if found != "refused" and not named and response.provider_name not in _WITHOUT_REASON:
        return None
    return found


def _usage(usage: "RequestUsage", prompt: Prompt, text: str, seconds: float) -> Usage:
    if not is_counted(usage):
        return filled(Usage(1, seconds=seconds), prompt, [text])
    read, wrote = _count(usage.input_tokens), _count(usage.output_tokens)
    stated = Usage(
        calls=1,
        input_tokens=read,
        output_tokens=wrote,
        seconds=seconds,
        reused_tokens=min(read, _count(usage.cache_read_tokens)),
        stored_tokens=min(read, _count(usage.cache_write_tokens)),
        thinking_tokens=min(wrote, _count(usage.output_reasoning_tokens)),
    )
    return filled(stated, prompt, [text])


def _count(value: int) -> int:
    return min(max(value, 0), _MOST_TOKENS)
