"""The wire of chat completions, which OpenAI and many servers speak: what a request asks, and how an answer looks."""

import json
from dataclasses import dataclass
from typing import Any

from benchmarks.emulated.server import Bill, Reply, Way


@dataclass(frozen=True, slots=True)
class Stated:
    """The schema of a request, and where the request states it."""

    schema: Any = None
    way: Way = "nothing"
    name: str = ""  # of the place, as errors call it
    strict: bool = False
    tool: str = ""
    field: str = ""


def prompt_of(body: dict[str, Any]) -> str:
    return "\n".join(text_of(message.get("content")) for message in body.get("messages", ()))


def text_of(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def stated_in(body: dict[str, Any]) -> Stated:
    """The schema of a request, from the fields that the servers know."""
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        inner = form.get("json_schema", {})
        name = f"response_format '{inner.get('name')}'"
        return Stated(inner.get("schema"), "format", name, inner.get("strict") is True, field="json_schema")
    if form.get("type") == "json_object" and "schema" in form:
        return Stated(form["schema"], "format", "response_format", True, field="json_object")
    if isinstance(form := (body.get("structured_outputs") or {}).get("json"), dict):
        return Stated(form, "format", "structured_outputs", True, field="structured_outputs")
    if isinstance(form := body.get("format"), dict):
        return Stated(form, "format", "format", True, field="format")
    for tool in body.get("tools", ()):
        inner = tool.get("function", {})
        name = str(inner.get("name"))
        strict = inner.get("strict") is True
        return Stated(inner.get("parameters"), "tool", f"function '{name}'", strict, tool=name, field="tools")
    return Stated()


def completion(body: dict[str, Any], text: str, bill: Bill, *, tool: str = "") -> Reply:
    """A chat completion; with a `tool`, the text is the arguments of a call of it."""
    message: dict[str, Any] = {"role": "assistant", "content": None if tool else text}
    if tool:
        call = {"id": f"call_{abs(hash(text)) % 10**8}", "type": "function"}
        message["tool_calls"] = [{**call, "function": {"name": tool, "arguments": text}}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if tool else "stop", "logprobs": None}
    return Reply(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": body.get("model", "m"),
            "choices": [choice | {"index": number} for number in range(body.get("n") or 1)],
            "usage": {
                "prompt_tokens": bill.read,
                "completion_tokens": bill.written,
                "total_tokens": bill.read + bill.written,
                "prompt_tokens_details": {"cached_tokens": bill.cached},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
        }
    )


def error(status: int, message: str, *, code: str | None = None, param: str | None = None, **others: Any) -> Reply:
    """An error in OpenAI's form."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return Reply({"error": {"message": message, "type": kind, "param": param, "code": code, **others}}, status)


def as_arguments(text: str) -> str:
    """A model's words as arguments of a tool: an object, whatever the model wanted to say."""
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    return json.dumps(found if isinstance(found, dict) else {"answer": found}, ensure_ascii=False)
