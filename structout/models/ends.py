"""How an answer ended, by the reason that a server names."""

from typing import Any, Final

from structout.completion import FinishReason

# In lower case. Any other reason may stand for an answer that was cut off.
_WHOLE: Final = (
    "stop",
    "eos",
    "eos_token",
    "end_turn",
    "stop_sequence",
    "tool_calls",
    "tool_use",
    "function_call",
    "complete",
    "completed",
)
_CUT: Final = (
    "length",
    "max_tokens",
    "max_output_tokens",
    "max_length",
    "model_length",
    "token_limit",
    "model_context_window_exceeded",
    "context_length_exceeded",
    "incomplete",
)
_FILTERED: Final = (
    "content_filter",
    "content_filtered",
    "safety",
    "image_safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "sensitive",
    "guardrail",
    "guardrail_intervened",
    "refusal",
)
_ENDS: Final[dict[str, FinishReason]] = {
    **dict.fromkeys(_WHOLE, "stop"),
    **dict.fromkeys(_CUT, "length"),
    **dict.fromkeys(_FILTERED, "refused"),
}


def end(reason: Any) -> FinishReason | None:
    """How an answer ended that a server gives this reason for; None if the reason is unknown."""
    return _ENDS.get(str(reason).lower())
