"""Anthropic: messages with native structured output, tools and cached prefixes, and message batches."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.emulated import chat
from benchmarks.emulated.compiled import ANTHROPIC
from benchmarks.emulated.openai import Fate, succeeded
from benchmarks.emulated.rules import Rules
from benchmarks.emulated.server import Asked, Bill, Log, Reply, Request
from benchmarks.emulated.speakers import Speaker

_CREATED, _EXPIRES = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


@dataclass
class Anthropic:
    """Anthropic's API. A batch ends after `polls` looks; `fate` decides what becomes of a row, by its custom id."""

    speaker: Speaker
    polls: int = 0
    fate: Callable[[str], Fate] = succeeded
    rules: Rules = ANTHROPIC
    log: Log = field(default_factory=Log)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, request: Request) -> Reply:
        path = request.path
        if "x-api-key" not in request.headers and "authorization" not in request.headers:
            return error(401, "authentication_error", "x-api-key header is required")
        if path.startswith("/v1/messages/batches"):
            return self._batches(request, path.removeprefix("/v1/messages/batches").strip("/"))
        if path == "/v1/messages" and request.method == "POST":
            reply = self.message(request.json)
            return _streamed(reply) if request.json.get("stream") and reply.status == 200 else reply
        return error(404, "not_found_error", f"Not found: {path}")

    def message(self, body: dict[str, Any]) -> Reply:
        """One message, as alone as in a batch."""
        if "max_tokens" not in body:
            return error(400, "invalid_request_error", "max_tokens: Field required")
        prompt, prefix = _prompt_of(body)
        stated = _stated_in(body)
        if stated.strict and (refusal := self.rules.refusal(stated.schema, stated.name)):
            self.log.note(Asked(prompt, stated.schema, stated.way, False, refusal))
            return error(400, "invalid_request_error", refusal)
        text = self.speaker(stated.schema, prompt)
        if stated.strict:
            text = self.rules.hold(stated.schema, text)
        elif stated.way == "tool":
            text = chat.as_arguments(text)
        bill = self.log.note(Asked(prompt, stated.schema, stated.way, stated.strict, answer=text), prefix)
        content: dict[str, Any] = {"type": "text", "text": text}
        if stated.tool:
            content = {"type": "tool_use", "id": "toolu_1", "name": stated.tool, "input": json.loads(text)}
        return Reply(
            {
                "id": "msg_1", "type": "message", "role": "assistant", "model": body.get("model", "m"),
                "content": [content], "stop_reason": "tool_use" if stated.tool else "end_turn",
                "stop_sequence": None, "usage": _usage(bill),
            }
        )  # fmt: skip

    def _batches(self, request: Request, rest: str) -> Reply:
        name, _, wanted = rest.partition("/")
        if request.method == "POST" and not name:
            return self._submitted(request.json)
        if not name:
            return Reply({"data": [_seen(batch, request) for batch in self.batches.values()], "has_more": False,
                          "first_id": None, "last_id": None})  # fmt: skip
        if name not in self.batches:
            return error(404, "not_found_error", f"Message batch {name} not found")
        batch = self.batches[name]
        if wanted == "results":
            if batch["results"] is None:
                return error(400, "invalid_request_error", f"Message batch {name} has no results yet")
            return Reply("\n".join(map(json.dumps, batch["results"])).encode())
        if batch["results"] is None:
            batch["looks"] += 1
            if wanted == "cancel":
                batch["results"] = [_row(one, {"type": "canceled"}) for one in batch["requests"]]
            elif batch["looks"] > self.polls:
                batch["results"] = [self._ran(one) for one in reversed(batch["requests"])]  # in any order
        return Reply(_seen(batch, request))

    def _submitted(self, body: dict[str, Any]) -> Reply:
        rows = body.get("requests") or []
        ids = [row.get("custom_id") for row in rows]
        if not rows or len(set(ids)) < len(ids):
            return error(400, "invalid_request_error", "requests: custom_id must be unique, and one is required")
        with self.log.lock:
            self.log.submissions += 1
            name = f"msgbatch_{self.log.submissions}"
        self.batches[name] = {"id": name, "requests": rows, "results": None, "looks": 0}
        return Reply(_seen(self.batches[name], None))

    def _ran(self, row: dict[str, Any]) -> dict[str, Any]:
        fate = self.fate(row["custom_id"])
        if fate == "expired":
            return _row(row, {"type": "expired"})
        reply = error(500, "api_error", "Internal server error") if fate == "errored" else self.message(row["params"])
        if reply.status == 200:
            return _row(row, {"type": "succeeded", "message": reply.content})
        return _row(row, {"type": "errored", "error": reply.content})


def _streamed(reply: Reply) -> Reply:
    """A message as a stream of events."""
    message: Any = reply.content
    (block,) = message["content"]
    usage = message["usage"]
    blank: Any = {"text": ""} if block["type"] == "text" else {"input": {}}
    empty = {**block, **blank}
    delta = {"type": "text_delta", "text": block.get("text")}
    if block["type"] == "tool_use":
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    start = {**message, "content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    events: list[Any] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": usage["output_tokens"]}},
        {"type": "message_stop"},
    ]
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Reply(text.encode(), headers={"Content-Type": "text/event-stream"})


def _row(row: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    return {"custom_id": row["custom_id"], "result": result}


def _seen(batch: dict[str, Any], request: Request | None) -> dict[str, Any]:
    """A batch as the API shows it."""
    results = batch["results"]
    found = [one["result"]["type"] for one in results or ()]
    counts = {kind: found.count(kind) for kind in ("succeeded", "errored", "canceled", "expired")}
    host = request.headers.get("host", "") if request else ""
    place = f"http://{host}/v1/messages/batches/{batch['id']}/results"
    return {
        "id": batch["id"], "type": "message_batch", "created_at": _CREATED, "expires_at": _EXPIRES,
        "ended_at": None if results is None else _EXPIRES, "archived_at": None, "cancel_initiated_at": None,
        "processing_status": "in_progress" if results is None else "ended",
        "request_counts": {"processing": len(batch["requests"]) if results is None else 0, **counts},
        "results_url": None if results is None else place,
    }  # fmt: skip


def _stated_in(body: dict[str, Any]) -> chat.Stated:
    """The schema of a request: the output format, or a tool, which is held only if it is strict."""
    for place, form in (
        ("output_config.format.schema", (body.get("output_config") or {}).get("format")),
        ("output_format.schema", body.get("output_format")),
    ):
        if isinstance(form, dict) and form.get("type") == "json_schema":
            return chat.Stated(form.get("schema"), "format", place, strict=True)
    for number, tool in enumerate(body.get("tools") or ()):
        if "input_schema" in tool and (body.get("tool_choice") or {}).get("type") != "none":
            place, strict = f"tools.{number}.custom.input_schema", tool.get("strict") is True
            return chat.Stated(tool["input_schema"], "tool", place, strict, tool=tool["name"])
    return chat.Stated()


def _prompt_of(body: dict[str, Any]) -> tuple[str, str]:
    """The prompt, and its part up to the last mark of the cache."""
    text, prefix = json.dumps(body["tools"]) if body.get("tools") else "", ""
    if any("cache_control" in tool for tool in body.get("tools") or ()):
        prefix = text
    for given in (body.get("system"), *(message.get("content") for message in body.get("messages", ()))):
        for block in [{"text": given}] if isinstance(given, str) else given or ():
            text += f"{block.get('text') or block.get('content') or json.dumps(block.get('input', ''))}\n"
            prefix = text if "cache_control" in block else prefix
    return text, text if body.get("cache_control") else prefix


def _usage(bill: Bill) -> dict[str, Any]:
    """Tokens as Anthropic counts them: the three kinds of input add up."""
    return {
        "input_tokens": bill.read - bill.cached - bill.stored, "output_tokens": bill.written,
        "cache_read_input_tokens": bill.cached, "cache_creation_input_tokens": bill.stored,
        "service_tier": "standard",
    }  # fmt: skip


def error(status: int, kind: str, message: str) -> Reply:
    return Reply({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}, status)
