"""The body of a server's response as one JSON object: whole, after comments, or as a stream of events."""

import json
import re
from typing import Any, Final

from structout.document import read_json

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class AnsweredError(ValueError):
    """A body of status 200 that holds an error instead of an answer, with the status that it names (0: none)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def failed_generation(body: str) -> str | None:
    """The chat completion in the body of an error: what the model wrote, though the server found it invalid. None if
    the error holds no such text.

    The server does not say whether the text was cut off: it counts as cut off if a bracket or a quote is open.
    """
    try:
        found = read_json(body)
    except ValueError:
        return None
    error = found.get("error", found) if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(error, dict) or "failed_generation" not in error:
        return None
    text = error["failed_generation"]
    text = text if isinstance(text, str) else "" if text is None else json.dumps(text)
    plain = _STRING.sub("", text)
    is_whole = '"' not in plain and sum(map(plain.count, "{[")) == sum(map(plain.count, "}]"))
    choice = {"message": {"content": text}, "finish_reason": "stop" if is_whole else "length"}
    return json.dumps({"choices": [choice], "usage": found.get("usage")})


def read_body(text: str) -> dict[str, Any]:
    """The object in a body. Raises `AnsweredError` for an error with no text beside it, and `ValueError` for anything
    else.
    """
    found = _parsed(text.removeprefix("\ufeff").strip())
    choices = found.get("choices")
    listed = [one for one in choices if isinstance(one, dict)] if isinstance(choices, list) else []
    error = next((one["error"] for one in (found, *listed) if one.get("error")), None)
    if error and not any(map(_wrote, listed)):
        inner = error if isinstance(error, dict) else {"message": error}
        code = str(inner.get("code", inner.get("status")))
        status = int(code) if len(code) == 3 and code.isdecimal() and code.isascii() else 0
        raise AnsweredError(status, (words(error) or str(error))[:2_000])
    return found


def words(error: Any) -> str:
    """What an error says: its message with its code and its type, "" if it has no message."""
    if not isinstance(error, dict):
        return error if isinstance(error, str) else ""
    message = error.get("message", error.get("detail"))
    if not isinstance(message, str) or not message.strip():
        return ""
    names = dict.fromkeys(one for one in (error.get("code"), error.get("type")) if isinstance(one, str) and one)
    further = ", ".join(name for name in names if name not in message)
    return f"{message} ({further})" if further else message


def _wrote(choice: dict[str, Any]) -> bool:
    message = choice.get("message")
    return isinstance(message, dict) and any(message.get(name) for name in ("content", "tool_calls"))


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    except ValueError:
        lines = [line.strip() for line in text.split("\n")]
        lines = [line for line in lines if line and not line.startswith(":")]  # comments keep a connection open
        if not any(line.startswith("data:") for line in lines):
            found = json.loads("\n".join(lines))
        else:
            pieces = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
            found = _joined([json.loads(piece) for piece in pieces if piece != "[DONE]"])
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _joined(events: list[Any]) -> dict[str, Any]:
    """The events of a stream as one chat completion. A stream that breaks off has no reason why it ended."""
    whole: dict[str, Any] = {}
    texts: dict[int, list[str]] = {}
    reasons: dict[int, Any] = {}
    errors: dict[int, Any] = {}
    for event in events:
        if not isinstance(event, dict):
            raise ValueError("an event is not an object")
        if not whole and "message" in (event.get("choices") or [{}])[0]:
            return event
        whole |= {key: value for key, value in event.items() if key != "choices" and value is not None}
        for choice in event.get("choices") or ():
            place = int(choice.get("index") or 0)
            texts.setdefault(place, []).append(str((choice.get("delta") or {}).get("content") or ""))
            reasons[place] = choice.get("finish_reason") or reasons.get(place)
            errors[place] = choice.get("error") or errors.get(place)
    choices = [
        {"message": {"content": "".join(texts[one])}, "finish_reason": reasons[one], "error": errors[one]}
        for one in sorted(texts)
    ]
    return {**whole, "choices": choices}
