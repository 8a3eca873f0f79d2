"""OpenAI: chat completions, responses, files and batches; strict schemas are checked and held."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from benchmarks.emulated import chat
from benchmarks.emulated.rules import Rules
from benchmarks.emulated.server import Asked, Log, Reply, Request
from benchmarks.emulated.speakers import Speaker
from benchmarks.emulated.strict import AZURE, OPENAI

Fate = Literal["succeeded", "errored", "expired"]
_CACHED_FROM = 4096  # characters of a prefix, which are 1,024 tokens


def succeeded(custom_id: str) -> Fate:
    return "succeeded"


@dataclass
class OpenAI:
    """OpenAI's API at `/v1`, and Azure's paths `/openai/deployments/NAME/...?api-version=...` with an `api-key`.

    `reasoning` refuses the parameters that reasoning models refuse. A batch ends after `polls` looks at it; `fate`
    decides what becomes of a row, by its custom id.
    """

    speaker: Speaker
    reasoning: bool = False
    polls: int = 0
    fate: Callable[[str], Fate] = succeeded
    rules: Rules = OPENAI
    log: Log = field(default_factory=Log)
    files: dict[str, bytes] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))  # of files, which may be deleted
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, request: Request) -> Reply:
        path = request.path
        if path.startswith("/openai/deployments/"):  # Azure
            if "api-key" not in request.headers and "authorization" not in request.headers:
                return chat.error(
                    401, "Access denied due to invalid subscription key or wrong API endpoint.", code="401"
                )
            if "api-version" not in request.query:
                return chat.error(404, "Resource not found", code="404")
            path = "/v1/" + path.split("/", 4)[4]
        elif not request.headers.get("authorization", "").startswith("Bearer ") and "api-key" not in request.headers:
            return chat.error(401, "You didn't provide an API key.", code="invalid_api_key")
        path = path.removeprefix("/openai")  # Azure's newer paths
        if path == "/v1/chat/completions" and request.method == "POST":
            return self._chat(request.json)
        if path == "/v1/responses" and request.method == "POST":
            return self._responses(request.json)
        if path.startswith("/v1/files"):
            return self._files(request, path.removeprefix("/v1/files").strip("/"))
        if path.startswith("/v1/batches"):
            return self._batches(request, path.removeprefix("/v1/batches").strip("/"))
        return chat.error(404, f"Invalid URL ({request.method} {path})")

    def _said(self, stated: chat.Stated, prompt: str) -> tuple[str, Asked]:
        """The model's text, and the question to log."""
        if stated.strict and (refusal := self.rules.refusal(stated.schema, stated.name)):
            return "", Asked(prompt, stated.schema, stated.way, False, refusal)
        text = self.speaker(stated.schema, prompt)
        if stated.strict:
            text = self.rules.hold(stated.schema, text)
        elif stated.way == "tool":
            text = chat.as_arguments(text)
        return text, Asked(prompt, stated.schema, stated.way, stated.strict, answer=text)

    def _chat(self, body: dict[str, Any]) -> Reply:
        if self.reasoning and (refused := next((key for key in ("max_tokens", "temperature") if key in body), "")):
            instead = " Use 'max_completion_tokens' instead." if refused == "max_tokens" else ""
            words = f"Unsupported parameter: '{refused}' is not supported with this model.{instead}"
            return chat.error(400, words, code="unsupported_parameter", param=refused)
        if unknown := next((key for key in ("structured_outputs", "format") if key in body), ""):
            return chat.error(400, f"Unrecognized request argument supplied: {unknown}")
        stated, prompt = chat.stated_in(body), chat.prompt_of(body)
        text, asked = self._said(stated, prompt)
        bill = self.log.note(asked, prompt[:_CACHED_FROM] if len(prompt) >= _CACHED_FROM else "")
        if asked.refusal:
            return chat.error(400, asked.refusal, param="response_format" if stated.way == "format" else "tools")
        return chat.completion(body, text, bill, tool=stated.tool)

    def _responses(self, body: dict[str, Any]) -> Reply:
        given = body.get("input", "")
        turns = [given] if isinstance(given, str) else [chat.text_of(turn.get("content")) for turn in given]
        prompt = "\n".join([body.get("instructions") or "", *turns])
        stated, param = _stated_in_response(body)
        text, asked = self._said(stated, prompt)
        bill = self.log.note(asked, prompt[:_CACHED_FROM] if len(prompt) >= _CACHED_FROM else "")
        if asked.refusal:
            return chat.error(400, asked.refusal, code="invalid_json_schema", param=param)
        item: dict[str, Any] = {
            "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }  # fmt: skip
        if stated.tool:
            item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": stated.tool,
                    "arguments": text, "status": "completed"}  # fmt: skip
        usage = {
            "input_tokens": bill.read, "output_tokens": bill.written, "total_tokens": bill.read + bill.written,
            "input_tokens_details": {"cached_tokens": bill.cached}, "output_tokens_details": {"reasoning_tokens": 0},
        }  # fmt: skip
        return Reply(
            {
                "id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": "completed",
                "model": body.get("model", "m"), "output": [item], "usage": usage, "error": None,
                "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
                "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
            }
        )  # fmt: skip

    def _files(self, request: Request, rest: str) -> Reply:
        if request.method == "POST":
            name = f"file-{next(self.numbers)}"
            self.files[name] = _uploaded(request)
            return Reply(_file(name, self.files[name]))
        name, _, wanted = rest.partition("/")
        if name not in self.files:
            return chat.error(404, f"No such File object: {name}", param="id")
        if request.method == "DELETE":
            del self.files[name]
            return Reply({"id": name, "object": "file", "deleted": True})
        return Reply(self.files[name] if wanted == "content" else _file(name, self.files[name]))

    def _batches(self, request: Request, rest: str) -> Reply:
        name, _, wanted = rest.partition("/")
        if request.method == "POST" and not name:
            return self._submitted(request.json)
        if not name:
            return Reply({"object": "list", "data": list(self.batches.values()), "has_more": False})
        if name not in self.batches:
            return chat.error(404, f"No batch found with id '{name}'.")
        batch = self.batches[name]
        if wanted == "cancel":
            batch["status"] = "cancelled"
        elif batch["status"] in ("validating", "in_progress"):
            batch["looks"] += 1
            batch["status"] = "in_progress"
            if batch["looks"] > self.polls:
                self._run(batch)
        return Reply({key: value for key, value in batch.items() if key != "looks"})

    def _submitted(self, body: dict[str, Any]) -> Reply:
        if body.get("input_file_id") not in self.files:
            return chat.error(400, "Invalid 'input_file_id'.", param="input_file_id")
        with self.log.lock:
            self.log.submissions += 1
            name = f"batch_{self.log.submissions}"
        rows = self.files[body["input_file_id"]].splitlines()
        counts = {"total": len(rows), "completed": 0, "failed": 0}
        self.batches[name] = {
            "id": name, "object": "batch", "endpoint": body.get("endpoint"), "errors": None,
            "input_file_id": body["input_file_id"], "completion_window": "24h", "status": "validating",
            "output_file_id": None, "error_file_id": None, "created_at": 1_700_000_000,
            "metadata": body.get("metadata"), "request_counts": counts, "looks": 0,
        }  # fmt: skip
        return Reply({key: value for key, value in self.batches[name].items() if key != "looks"})

    def _run(self, batch: dict[str, Any]) -> None:
        done: dict[str, list[dict[str, Any]]] = {"output_file_id": [], "error_file_id": []}
        expired = False
        for line in self.files[batch["input_file_id"]].splitlines():
            row = json.loads(line)
            line_of = {"id": f"batch_req_{row['custom_id']}", "custom_id": row["custom_id"]}
            fate = self.fate(row["custom_id"])
            if fate == "expired":
                expired = True
                words = {"code": "batch_expired", "message": "This request could not be executed before it expired."}
                done["error_file_id"].append({**line_of, "response": None, "error": words})
                continue
            reply = chat.error(500, "The server had an error while processing your request.")
            if fate == "succeeded":
                reply = self._chat(row["body"]) if "chat" in row["url"] else self._responses(row["body"])
            response = {"status_code": reply.status, "request_id": "req_1", "body": reply.content}
            place = "output_file_id" if reply.status == 200 else "error_file_id"
            done[place].append({**line_of, "response": response, "error": None})
        for place, lines in done.items():
            if lines:
                batch[place] = f"file-{next(self.numbers)}"
                self.files[batch[place]] = "\n".join(map(json.dumps, lines)).encode()
        counts = batch["request_counts"]
        counts["completed"], counts["failed"] = len(done["output_file_id"]), len(done["error_file_id"])
        batch["status"] = "expired" if expired else "completed"


def azure(speaker: Speaker) -> OpenAI:
    """OpenAI's models on Azure, where strict schemas know fewer keywords."""
    return OpenAI(speaker, rules=AZURE)


def _stated_in_response(body: dict[str, Any]) -> tuple[chat.Stated, str]:
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        name = f"response_format '{form.get('name')}'"
        return chat.Stated(form.get("schema"), "format", name, form.get("strict") is True), "text.format.schema"
    for tool in body.get("tools", ()):
        if tool.get("type") == "function":
            name, strict = str(tool.get("name")), tool.get("strict") is True
            return chat.Stated(
                tool.get("parameters"), "tool", f"function '{name}'", strict, tool=name
            ), "tools[0].parameters"
    return chat.Stated(), ""


def _file(name: str, content: bytes) -> dict[str, Any]:
    return {"id": name, "object": "file", "bytes": len(content), "created_at": 1_700_000_000,
            "filename": "batch.jsonl", "purpose": "batch", "status": "processed"}  # fmt: skip


def _uploaded(request: Request) -> bytes:
    """The content of the field `file` of a form."""
    boundary = request.headers.get("content-type", "").partition("boundary=")[2].strip('"').encode()
    for part in request.body.split(b"--" + boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if b'name="file"' in head:
            return content.removesuffix(b"\r\n")
    return b""
