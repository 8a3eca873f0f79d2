"""Answers in the files that providers' batch APIs give back, each as a document."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from structout.document import Json, parse_json
from structout.issue import IssueKind
from structout.tables.place import Place
from structout.tables.streams import opened_text

_CUT: Final = ("the token limit cut the answer off", "truncated")
_ENDS: Final = {"", "stop", "STOP", "tool_calls", "function_call", "end_turn", "stop_sequence", "tool_use"}
_LIMITS: Final = {"length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_context_window_exceeded"}
_SAID: Final = 200  # characters of a provider's words


class BatchAnswer(NamedTuple):
    """An answer and its line: `text`, or else the input of a tool as JSON (`tool`). An answer with a problem (`wrong`,
    with its kind) has its whole `entry` instead.
    """

    line: int
    text: str | None = None
    tool: Json = None
    entry: Json = None
    wrong: str = ""
    kind: IssueKind = "unanswered"


class _NoAnswerError(ValueError):
    """Why a request has no answer."""

    def __init__(self, message: str, kind: IssueKind = "unanswered") -> None:
        super().__init__(message)
        self.kind: IssueKind = kind


_Found = tuple[str | None, Json]  # text, or the input of a tool


def batch_answers(place: Place) -> Iterator[BatchAnswer]:
    """The answers in a batch output of the provider that the place's format names: one per request, or one per choice
    of a request that asked for several. A request that failed, expired or was refused, and an answer that was cut off,
    are answers with a problem. If the model called a tool, the answer is the tool's input. Raises `DataError`.
    """
    read = _READERS[place.format or ""]
    with opened_text(place) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            entry, issue = parse_json(line)
            if issue is not None:
                text = line.rstrip("\r\n")
                yield BatchAnswer(number, entry=text, wrong=f"the line is not JSON: {issue.message}", kind=issue.kind)
                continue
            for answer in _each(read, entry):
                if isinstance(answer, _NoAnswerError):
                    wrong = f"{_name(entry)}{answer}"
                    yield BatchAnswer(number, entry=entry, wrong=wrong, kind=answer.kind)
                else:
                    yield BatchAnswer(number, *answer)


def batch_format(entry: Any) -> str:
    """The format of a batch output that has the entry, as far as its shape tells; "" if it has none."""
    match entry:
        case {"custom_id": str(), "response": {"body": dict()} | None}:
            return "openai-batch"
        case {"custom_id": str(), "result": {"type": "succeeded" | "errored" | "canceled" | "expired"}}:
            return "anthropic-batch"
        case {"response": {"candidates": list()}} if entry.keys() & {"key", "request"}:
            return "google-batch"
    return ""


def _each(read: Callable[[Any], Iterator[_Found | _NoAnswerError]], entry: Any) -> Iterator[_Found | _NoAnswerError]:
    """The answers of an entry, at least one."""
    try:
        if not isinstance(entry, dict):
            raise _NoAnswerError("the line is not an object")
        yield from read(entry)
    except _NoAnswerError as error:
        yield error


def _openai(entry: dict[str, Any]) -> Iterator[_Found | _NoAnswerError]:
    if entry.get("error"):
        raise _NoAnswerError(_said(entry["error"]))
    response = entry.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    if not isinstance(response, dict) or not isinstance(body, dict):
        raise _NoAnswerError("the line holds no response")
    if response.get("status_code", 200) != 200 or body.get("error"):
        raise _NoAnswerError(f"status {response.get('status_code')!r:.20}: {_said(body.get('error') or body)}")
    if isinstance(choices := body.get("choices"), list) and choices:
        yield from (_caught(_choice, one) for one in choices)
    else:
        yield _caught(_response, body)


def _choice(choice: Any) -> _Found:
    """A choice of the chat API."""
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise _NoAnswerError("the choice holds no message")
    if message.get("refusal"):
        raise _NoAnswerError(f"the model refused: {_said(message['refusal'])}")
    _check_end(choice.get("finish_reason"))
    calls = message.get("tool_calls") or ([message["function_call"]] if message.get("function_call") else [])
    content = message.get("content")
    texts = [content] if isinstance(content, str) else [one.get("text") for one in _objects(content, "text")]
    return _one(texts, [_input(one.get("function") or one.get("custom") or one) for one in _objects(calls)])


def _response(body: dict[str, Any]) -> _Found:
    """A response of the responses API."""
    if not isinstance(body.get("output"), list):
        raise _NoAnswerError("the body holds no choices and no output")
    parts = [part for item in _objects(body["output"], "message") for part in _objects(item.get("content"))]
    if refused := next((part for part in parts if part.get("type") == "refusal"), None):
        raise _NoAnswerError(f"the model refused: {_said(refused.get('refusal'))}")
    if body.get("status", "completed") != "completed":
        details = body.get("incomplete_details")
        _check_end((details.get("reason") if isinstance(details, dict) else None) or body["status"])
    if len(_objects(body["output"], "message")) > 1:
        raise _NoAnswerError("the answer has several messages")
    calls = [*_objects(body["output"], "function_call"), *_objects(body["output"], "custom_tool_call")]
    return _one([part.get("text") for part in parts if part.get("type") == "output_text"], list(map(_input, calls)))


def _anthropic(entry: dict[str, Any]) -> Iterator[_Found | _NoAnswerError]:
    result = entry.get("result")
    kind = result.get("type") if isinstance(result, dict) else None
    if not isinstance(result, dict) or kind != "succeeded":
        error = result.get("error") if isinstance(result, dict) else None
        what = f"the request was {kind}" if kind in ("errored", "canceled", "expired") else "the line holds no result"
        raise _NoAnswerError(f"{what}: {_said(error)}" if error else what)
    message = result.get("message")
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        raise _NoAnswerError("the result holds no message")
    if message.get("stop_reason") == "refusal":
        raise _NoAnswerError("the model refused")
    _check_end(message.get("stop_reason"))
    texts = [one.get("text") for one in _objects(message["content"], "text")]
    yield _one(texts, [one.get("input") for one in _objects(message["content"], "tool_use")])


def _google(entry: dict[str, Any]) -> Iterator[_Found | _NoAnswerError]:
    if error := entry.get("error") or entry.get("status"):
        raise _NoAnswerError(_said(error))
    response = entry.get("response")
    if not isinstance(response, dict):
        raise _NoAnswerError("the line holds no response")
    feedback = response.get("promptFeedback")
    if isinstance(feedback, dict) and feedback.get("blockReason"):
        raise _NoAnswerError(f"the prompt was blocked: {_said(feedback['blockReason'])}")
    candidates = response.get("candidates")
    if not isinstance(candidates, list) or not candidates:
        raise _NoAnswerError("the response holds no candidates")
    yield from (_caught(_candidate, one) for one in candidates)


def _candidate(candidate: Any) -> _Found:
    content = candidate.get("content") if isinstance(candidate, dict) else None
    _check_end(candidate.get("finishReason") if isinstance(candidate, dict) else None)
    if not isinstance(content, dict):
        raise _NoAnswerError("the candidate holds no content")
    parts = [one for one in _objects(content.get("parts")) if not one.get("thought")]
    calls = [one["functionCall"].get("args") for one in parts if isinstance(one.get("functionCall"), dict)]
    return _one([one["text"] for one in parts if "text" in one], calls)


def _one(texts: Sequence[Any], inputs: Sequence[Json]) -> _Found:
    """The one answer among texts and the inputs of tools. Text before a call is not the answer."""
    if len(inputs) > 1:
        raise _NoAnswerError(f"the answer calls {len(inputs)} tools")
    if inputs:
        return (inputs[0], None) if isinstance(inputs[0], str) else (None, inputs[0])
    if not all(isinstance(text, str) for text in texts) or not "".join(texts):
        raise _NoAnswerError("the answer holds no text")
    return "".join(texts), None


def _input(call: Mapping[str, Any]) -> Json:
    """What a call of OpenAI's APIs gives to its tool."""
    return call.get("arguments", call.get("input"))  # type: ignore[no-any-return]


def _check_end(reason: Any) -> None:
    if isinstance(reason, str) and reason in _LIMITS:
        raise _NoAnswerError(*_CUT)
    if reason is not None and not (isinstance(reason, str) and reason in _ENDS):
        raise _NoAnswerError(f"the answer ended with {_said(reason)}")


def _caught(read: Callable[[Any], _Found], part: Any) -> _Found | _NoAnswerError:
    try:
        return read(part)
    except _NoAnswerError as error:
        return error


def _objects(parts: Any, kind: str = "") -> list[dict[str, Any]]:
    """The objects in a list, of one type if a `kind` is given."""
    found = [one for one in parts if isinstance(one, dict)] if isinstance(parts, list) else []
    return [one for one in found if not kind or one.get("type") == kind]


def _said(error: Any) -> str:
    """A provider's words on an error, shortened."""
    while isinstance(error, dict):
        inner = next((error[name] for name in ("message", "error", "code", "type") if error.get(name)), None)
        if inner is None:
            break
        error = inner
    return str(error)[:_SAID]


def _name(entry: Any) -> str:
    name = (entry.get("custom_id") or entry.get("key")) if isinstance(entry, dict) else None
    return f"{name!r:.80}: " if name else ""


_READERS: Final = {"openai-batch": _openai, "anthropic-batch": _anthropic, "google-batch": _google}
