"""Google: generateContent with a schema, files, and batches."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from benchmarks.emulated import chat
from benchmarks.emulated.openai import Fate, succeeded
from benchmarks.emulated.rules import GOOGLE, GOOGLE_JSON
from benchmarks.emulated.server import Asked, Bill, Log, Reply, Request
from benchmarks.emulated.speakers import Speaker

_CREATED = "2026-01-01T00:00:00Z"


@dataclass
class Google:
    """The Gemini API. A batch ends after `polls` looks at it; `fate` decides what becomes of a row, by its key."""

    speaker: Speaker
    polls: int = 0
    fate: Callable[[str], Fate] = succeeded
    log: Log = field(default_factory=Log)
    files: dict[str, bytes] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))  # of files, which may be deleted
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, request: Request) -> Reply:
        path = request.path
        if path.startswith("/upload/v1beta/files/"):  # the address of a started upload is its permission
            return self._uploaded(request)
        if "x-goog-api-key" not in request.headers and "key" not in request.query:
            return error(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers.")
        if path == "/upload/v1beta/files":
            return self._uploaded(request)
        place = path.removeprefix("/v1beta/").removeprefix("/")
        if place.endswith(":generateContent"):
            return self.generated(request.json, place.removeprefix("models/").partition(":")[0])
        if place.endswith(":batchGenerateContent"):
            return self._submitted(request.json)
        if place.startswith("files/"):
            return self._file(request, place.partition(":")[0])
        if place.startswith("batches/"):
            return self._batch(place)
        return error(404, "NOT_FOUND", f"Requested entity was not found: {path}")

    def generated(self, body: dict[str, Any], model: str = "m") -> Reply:
        """One answer, as alone as in a batch."""
        parts = [
            *((body.get("systemInstruction") or {}).get("parts") or ()),
            *(part for turn in body.get("contents", ()) for part in turn.get("parts", ())),
        ]
        prompt = "\n".join(str(part.get("text", "")) for part in parts)
        stated = _stated_in(body)
        rules = GOOGLE if stated.field == "responseSchema" else GOOGLE_JSON
        if stated.strict and (refusal := rules.refusal(stated.schema, stated.name)):
            self.log.note(Asked(prompt, stated.schema, stated.way, False, refusal))
            return error(400, "INVALID_ARGUMENT", refusal)
        schema = _lowered(stated.schema)
        text = self.speaker(schema, prompt)
        if stated.strict:
            text = rules.hold(schema, text)
        elif stated.way == "tool":
            text = chat.as_arguments(text)
        bill = self.log.note(Asked(prompt, stated.schema, stated.way, stated.strict, answer=text))
        part: dict[str, Any] = {"text": text}
        if stated.tool:
            part = {"functionCall": {"name": stated.tool, "args": json.loads(text)}}
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        return Reply(
            {"candidates": [candidate], "usageMetadata": _usage(bill), "modelVersion": model, "responseId": "r1"}
        )

    def _uploaded(self, request: Request) -> Reply:
        if "start" in request.headers.get("x-goog-upload-command", ""):
            with self.log.lock:
                name = f"files/f{next(self.numbers)}"
                self.files[name] = b""
            place = f"http://{request.headers.get('host')}/upload/v1beta/{name}"
            return Reply({}, headers={"x-goog-upload-url": place, "x-goog-upload-status": "active"})
        name = request.path.removeprefix("/upload/v1beta/")
        self.files[name] += request.body
        final = "finalize" in request.headers.get("x-goog-upload-command", "")
        return Reply({"file": _described(name)}, headers={"x-goog-upload-status": "final" if final else "active"})

    def _file(self, request: Request, name: str) -> Reply:
        if name not in self.files:
            return error(403, "PERMISSION_DENIED", f"You do not have permission to access the File {name}.")
        if request.method == "DELETE":
            del self.files[name]
            return Reply({})
        return Reply(self.files[name] if request.path.endswith(":download") else _described(name))

    def _submitted(self, body: dict[str, Any]) -> Reply:
        source = (body.get("batch") or {}).get("inputConfig") or {}
        name = source.get("fileName")
        if name is not None and name not in self.files:
            return error(400, "INVALID_ARGUMENT", f"File {name} not found.")
        if name is not None:
            rows = [json.loads(line) for line in self.files[name].splitlines()]
        else:
            inline = (source.get("requests") or {}).get("requests") or []
            rows = [{"key": (row.get("metadata") or {}).get("key", ""), "request": row["request"]} for row in inline]
        with self.log.lock:
            self.log.submissions += 1
            place = f"batches/b{self.log.submissions}"
        self.batches[place] = {"rows": rows, "file": name is not None, "looks": 0, "state": "PENDING", "output": None}
        return Reply(self._shown(place))

    def _batch(self, place: str) -> Reply:
        name, _, wanted = place.partition(":")
        batch = self.batches.get(name)
        if batch is None:
            return error(404, "NOT_FOUND", f"Requested entity was not found: {name}")
        if batch["output"] is None and batch["state"] != "CANCELLED":
            batch["looks"] += 1
            if wanted == "cancel":
                batch["state"] = "CANCELLED"
                return Reply({})
            batch["state"] = "RUNNING"
            if batch["looks"] > self.polls:
                self._run(batch)
        return Reply(self._shown(name))

    def _run(self, batch: dict[str, Any]) -> None:
        done = []
        for row in batch["rows"]:
            fate = self.fate(str(row.get("key")))
            reply = error(500, "INTERNAL", "Internal error encountered.")
            if fate == "succeeded":
                reply = self.generated(row["request"])
            line = {"response": reply.content} if reply.status == 200 else {"error": _status(reply, fate)}
            done.append({"key": row["key"], **line} if batch["file"] else {**line, "metadata": {"key": row["key"]}})
        batch["state"] = "SUCCEEDED"
        if batch["file"]:
            name = f"files/f{next(self.numbers)}"
            self.files[name] = "\n".join(map(json.dumps, done)).encode()
            batch["output"] = {"responsesFile": name}
        else:
            batch["output"] = {"inlinedResponses": {"inlinedResponses": done}}

    def _shown(self, name: str) -> dict[str, Any]:
        """A batch as the API shows it: a long-running operation."""
        batch = self.batches[name]
        known = {"name": name, "state": f"BATCH_STATE_{batch['state']}", "createTime": _CREATED, "model": "models/m"}
        if batch["output"]:
            known["output"] = batch["output"]
        return {"name": name, "metadata": known, **({"done": True} if batch["output"] else {})}


def _described(name: str) -> dict[str, Any]:
    return {"name": name, "mimeType": "application/jsonl", "state": "ACTIVE", "source": "UPLOADED"}


def _status(reply: Reply, fate: Fate) -> dict[str, Any]:
    """An error of a row as a google.rpc.Status."""
    words = reply.content["error"]
    code = 4 if fate == "expired" else {400: 3, 403: 7}.get(reply.status, 13)
    return {"code": code, "message": "Deadline expired." if fate == "expired" else words["message"]}


def _stated_in(body: dict[str, Any]) -> chat.Stated:
    config = body.get("generationConfig") or {}
    for key in ("responseJsonSchema", "responseSchema"):
        if key in config:
            place = "generation_config.response_schema"
            return chat.Stated(config[key], "format", place, strict=True, field=key)
    for tool in body.get("tools") or ():
        for one in tool.get("functionDeclarations") or ():
            mode = ((body.get("toolConfig") or {}).get("functionCallingConfig") or {}).get("mode")
            names = ("parametersJsonSchema", "parameters_json_schema", "parameters")  # protobuf takes both spellings
            schema = next((one[key] for key in names if key in one), None)
            return chat.Stated(schema, "tool", "tools[0]", mode == "VALIDATED", tool=one["name"])
    return chat.Stated()


def _lowered(schema: Any) -> Any:
    """The schema with the types of OpenAPI (`STRING`, nullable) in the words of JSON Schema."""
    if isinstance(schema, list):
        return [_lowered(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    written = {key: _lowered(value) for key, value in schema.items()}
    if isinstance(kind := written.get("type"), str):
        written["type"] = [kind.lower(), "null"] if schema.get("nullable") is True else kind.lower()
    return written


def _usage(bill: Bill) -> dict[str, Any]:
    return {"promptTokenCount": bill.read, "candidatesTokenCount": bill.written,
            "totalTokenCount": bill.read + bill.written, "cachedContentTokenCount": bill.cached}  # fmt: skip


def error(status: int, name: str, message: str) -> Reply:
    return Reply({"error": {"code": status, "message": message, "status": name}}, status)
