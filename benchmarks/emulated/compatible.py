"""Servers that speak OpenAI's chat completions and treat schemas in their own way: Groq, Mistral, vLLM and others."""

import json
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

from benchmarks.emulated import chat
from benchmarks.emulated.rules import LLAMA, MISTRAL, VLLM, Rules
from benchmarks.emulated.server import Asked, Bill, Log, Reply, Request
from benchmarks.emulated.speakers import Speaker
from benchmarks.emulated.strict import GROQ


@dataclass
class Compatible:
    """Chat completions at `.../chat/completions`, and Ollama's own `/api/chat`.

    The server heeds the `fields` that state a schema and ignores others in silence. `judges` is Groq's way: an answer
    that is not of the schema is an error 400 with what the model wrote.
    """

    speaker: Speaker
    fields: frozenset[str]
    rules: Rules = VLLM
    judges: bool = False
    log: Log = field(default_factory=Log)

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("/models"):
            return Reply({"object": "list", "data": [{"id": "m", "object": "model"}]})
        own = request.path == "/api/chat"
        if not own and not request.path.endswith("/chat/completions"):
            return chat.error(404, f"Not found: {request.path}")
        body = request.json
        stated, prompt = chat.stated_in(body), chat.prompt_of(body)
        heeded = stated.field in self.fields
        holds = heeded and not (self.judges and not stated.strict) and stated.way == "format"
        if holds and (refusal := self.rules.refusal(stated.schema, stated.name.partition(" ")[2] or stated.name)):
            self.log.note(Asked(prompt, stated.schema, stated.way, False, refusal))
            return chat.error(400, refusal)
        text = self.speaker(stated.schema if heeded else None, prompt)
        if holds:
            text = self.rules.hold(stated.schema, text)
        elif stated.way == "tool" and heeded:
            text = chat.as_arguments(text)
        way = stated.way if heeded else "nothing"
        bill = self.log.note(Asked(prompt, stated.schema if heeded else None, way, holds, answer=text))
        if self.judges and heeded and not holds and not _complies(text, stated.schema):
            return _failed_generation(text, stated.tool)
        return (
            _ollama(body, text, bill) if own else chat.completion(body, text, bill, tool=stated.tool if heeded else "")
        )


def groq(speaker: Speaker) -> Compatible:
    """Groq: strict schemas are held, others only judged."""
    return Compatible(speaker, frozenset({"json_schema", "tools"}), GROQ, judges=True)


def mistral(speaker: Speaker) -> Compatible:
    return Compatible(speaker, frozenset({"json_schema", "tools"}), MISTRAL)


def vllm(speaker: Speaker) -> Compatible:
    return Compatible(speaker, frozenset({"json_schema", "structured_outputs", "tools"}), VLLM)


def llama_cpp(speaker: Speaker) -> Compatible:
    return Compatible(speaker, frozenset({"json_schema", "json_object", "tools"}), LLAMA)


def ollama(speaker: Speaker) -> Compatible:
    """Ollama: `response_format` at `/v1`, and `format` at `/api/chat`."""
    return Compatible(speaker, frozenset({"json_schema", "format", "tools"}), LLAMA)


def silent(speaker: Speaker) -> Compatible:
    """A server that takes every field and holds no answer; its model reads the tools."""
    return Compatible(speaker, frozenset({"tools"}))


def _complies(text: str, schema: Any) -> bool:
    try:
        return bool(Draft202012Validator(schema).is_valid(json.loads(text)))
    except ValueError:
        return False


def _failed_generation(text: str, tool: str) -> Reply:
    words = "Please adjust your prompt. See 'failed_generation' for more details."
    if tool:
        call = json.dumps({"name": tool, "arguments": json.loads(text)})
        return chat.error(400, f"Failed to call a function. {words}", code="tool_use_failed", failed_generation=call)
    return chat.error(400, f"Failed to validate JSON. {words}", code="json_validate_failed", failed_generation=text)


def _ollama(body: dict[str, Any], text: str, bill: Bill) -> Reply:
    return Reply(
        {
            "model": body.get("model", "m"), "created_at": "2026-01-01T00:00:00Z", "done": True,
            "message": {"role": "assistant", "content": text}, "done_reason": "stop",
            "prompt_eval_count": bill.read, "eval_count": bill.written,
        }
    )  # fmt: skip
