"""Answers in the batch outputs of providers: each is judged, and none is left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from structout import DataError, Schema, validate
from structout.tables.batch_answers import batch_format
from structout.tables.documents import read_documents
from structout.tables.place import DocumentFormat

SCHEMA = Schema.of({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
GOOD = '{"a": 1}'
REFUSED = {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}


def chat(*choices: Any, **body: Any) -> dict[str, Any]:
    made = {"object": "chat.completion", "choices": list(choices), **body}
    return {"id": "b", "custom_id": "k", "response": {"status_code": 200, "body": made}, "error": None}


def said(content: Any, reason: str | None = "stop", **message: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": content, **message}, "finish_reason": reason}


def called(*arguments: str) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "f", "arguments": one}} for one in arguments]


def response(*output: Any, status: str = "completed", **body: Any) -> dict[str, Any]:
    made = {"object": "response", "status": status, "output": list(output), "error": None, **body}
    return {"custom_id": "k", "response": {"status_code": 200, "body": made}, "error": None}


def text(*parts: str) -> dict[str, Any]:
    return {"type": "message", "content": [{"type": "output_text", "text": one} for one in parts]}


def message(*content: Any, reason: str = "end_turn") -> dict[str, Any]:
    return {"custom_id": "k", "result": {"type": "succeeded", "message": {"content": content, "stop_reason": reason}}}


def candidate(*parts: Any, reason: str | None = "STOP") -> dict[str, Any]:
    return {"content": {"parts": parts, "role": "model"}, "finishReason": reason}


def gemini(*candidates: Any, **more: Any) -> dict[str, Any]:
    return {"key": "k", "response": {"candidates": list(candidates), **more}}


def read(folder: Path, kind: DocumentFormat, *entries: Any) -> list[Any]:
    path = folder / "batch.jsonl"
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in entries))
    return list(read_documents(str(path), SCHEMA, format=kind))


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("openai-batch", chat(said(GOOD))),
        ("openai-batch", chat(said([{"type": "text", "text": GOOD}], None))),
        ("openai-batch", chat(said("I call it.", "tool_calls", tool_calls=called(GOOD)))),
        ("openai-batch", chat(said(None, "function_call", function_call={"name": "f", "arguments": GOOD}))),
        ("openai-batch", response({"type": "reasoning", "summary": []}, text('{"a"', ": 1}"))),
        ("openai-batch", response({"type": "function_call", "arguments": GOOD})),
        ("anthropic-batch", message({"type": "thinking", "thinking": "hm"}, {"type": "text", "text": GOOD})),
        (
            "anthropic-batch",
            message({"type": "text", "text": "I call it."}, {"type": "tool_use", "input": {"a": 1}}, reason="tool_use"),
        ),
        ("google-batch", gemini(candidate({"text": "hm", "thought": True}, {"text": '{"a": '}, {"text": "1}"}))),
        ("google-batch", gemini(candidate({"functionCall": {"name": "f", "args": {"a": 1}}}))),
        ("google-batch", {"request": {}, "status": "", "response": {"candidates": [candidate({"text": GOOD})]}}),
    ],
)
def test_the_document_is_the_text_of_the_answer_or_the_input_of_its_tool(
    kind: DocumentFormat, entry: Any, tmp_path: Path
) -> None:
    assert batch_format(entry) == kind
    (found,) = read(tmp_path, kind, entry)
    assert (json.loads(found.text), found.wrong) == ({"a": 1}, "")


@pytest.mark.parametrize(
    ("kind", "entry", "issue", "words"),
    [
        ("openai-batch", chat(said('{"a":', "length")), "truncated", "'k': the token limit cut the answer off"),
        ("openai-batch", chat(said(GOOD, "length")), "truncated", "cut the answer off"),
        ("openai-batch", chat(said(None, refusal="I cannot")), "unanswered", "'k': the model refused: I cannot"),
        ("openai-batch", chat(said(GOOD, "content_filter")), "unanswered", "ended with content_filter"),
        ("openai-batch", chat({**said(GOOD), "finish_reason": ["stop"]}), "unanswered", "ended with ['stop']"),
        ("openai-batch", chat(said("")), "unanswered", "holds no text"),
        ("openai-batch", chat(said(None, tool_calls=called(GOOD, GOOD))), "unanswered", "calls 2 tools"),
        ("openai-batch", chat(), "unanswered", "no choices and no output"),
        ("openai-batch", chat({"finish_reason": "stop"}), "unanswered", "the choice holds no message"),
        (
            "openai-batch",
            {"custom_id": "k", "response": {"status_code": 429, "body": {"error": {"message": "slow down"}}}},
            "unanswered",
            "status 429: slow down",
        ),
        (
            "openai-batch",
            {"custom_id": "k", "response": None, "error": {"code": "batch_expired", "message": "it expired"}},
            "unanswered",
            "'k': it expired",
        ),
        (
            "openai-batch",
            response(REFUSED),
            "unanswered",
            "the model refused: no",
        ),
        (
            "openai-batch",
            response(text(GOOD), status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            "truncated",
            "cut the answer off",
        ),
        ("openai-batch", response(text(GOOD), text(GOOD)), "unanswered", "several messages"),
        ("openai-batch", response(status="failed", error={"message": "oh"}), "unanswered", "oh"),
        ("anthropic-batch", message({"type": "text", "text": GOOD}, reason="max_tokens"), "truncated", "cut"),
        ("anthropic-batch", message(reason="refusal"), "unanswered", "the model refused"),
        (
            "anthropic-batch",
            {
                "custom_id": "k",
                "result": {"type": "errored", "error": {"type": "error", "error": {"message": "too long"}}},
            },
            "unanswered",
            "'k': the request was errored: too long",
        ),
        ("anthropic-batch", {"custom_id": "k", "result": {"type": "expired"}}, "unanswered", "was expired"),
        ("anthropic-batch", {"custom_id": "k", "result": {"type": "canceled"}}, "unanswered", "was canceled"),
        ("google-batch", gemini(candidate({"text": GOOD}, reason="MAX_TOKENS")), "truncated", "cut"),
        ("google-batch", gemini(candidate(reason="SAFETY")), "unanswered", "ended with SAFETY"),
        ("google-batch", gemini(promptFeedback={"blockReason": "OTHER"}), "unanswered", "blocked: OTHER"),
        ("google-batch", {"key": "k", "error": {"code": 3, "message": "bad"}}, "unanswered", "'k': bad"),
        ("google-batch", {"a": 1}, "unanswered", "the line holds no response"),
        ("openai-batch", "[1]", "unanswered", "the line is not an object"),
        ("anthropic-batch", "no", "not_json", "the line is not JSON"),
    ],
)
def test_a_request_without_a_whole_answer_is_an_invalid_document(
    kind: DocumentFormat, entry: Any, issue: str, words: str, tmp_path: Path
) -> None:
    good = {
        "openai-batch": chat(said(GOOD)),
        "anthropic-batch": message({"type": "text", "text": GOOD}),
        "google-batch": gemini(candidate({"text": GOOD})),
    }[kind]
    found = read(tmp_path, kind, entry, good)
    assert [bool(one.wrong) for one in found] == [True, False]
    assert words in found[0].wrong
    findings = validate(tmp_path / "batch.jsonl", SCHEMA, format=kind)
    assert (findings.total, findings.valid) == (2, 1)
    assert [one.kind for one in findings.sample[0].issues] == [issue]


def test_each_choice_of_a_request_is_a_document(tmp_path: Path) -> None:
    found = read(tmp_path, "openai-batch", chat(said(GOOD), said(None), said(GOOD)), chat(said(GOOD)))
    assert [(one.line, bool(one.wrong)) for one in found] == [(1, False), (1, True), (1, False), (2, False)]
    assert len(read(tmp_path, "google-batch", gemini(candidate({"text": GOOD}), candidate()))) == 2


@pytest.mark.parametrize("entry", [chat(said(GOOD)), message({"type": "text", "text": GOOD}), gemini(candidate())])
def test_a_batch_output_is_never_taken_for_documents_unasked(entry: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(json.dumps(entry) + "\n")
    any_object = {"properties": {"b": {"type": "string"}}}
    with pytest.raises(DataError, match="looks like a batch output") as raised:
        validate(path, any_object)
    assert f"--format {batch_format(entry)}" in (raised.value.hint or "")
    assert validate(path, any_object, format="jsonl").valid == 1
    own = {"properties": {"custom_id": {"type": "string"}, "key": {"type": "string"}}}
    assert validate(path, own).valid == 1
