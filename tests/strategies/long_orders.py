"""Long orders, and a scripted reader of their windows."""

import json
import re
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from benchmarks.long.documents import SCHEMA
from structout import (
    Completion,
    Prompt,
    Prompted,
    Result,
    Schema,
    Scripted,
    Task,
    Usage,
    Windowed,
)

LONG = Schema.of(SCHEMA)
TITLES = "Article   Name        Amount\n----------------------------\n"
Reader = Callable[[str], Any]


class Line(BaseModel):
    code: str
    amount: float
    note: str | None = None


class Order(BaseModel):
    number: str
    buyer: str | None = None
    lines: list[Line]


def record(prompt: Prompt) -> str:
    """The record in a prompt."""
    fenced = [m.content for m in prompt.messages if m.role == "user" and m.content.startswith("<record>")]
    return fenced[-1].removeprefix("<record>\n").removesuffix("\n</record>")


def rows(text: str) -> list[dict[str, Any]]:
    return [{"code": code, "amount": float(n)} for code, n in re.findall(r"^(\w\d+) .* ([\d.]+)$", text, re.MULTILINE)]


def plain(text: str) -> dict[str, Any]:
    """What a window says of an order."""
    number = re.search(r"^Order (\w+)$", text, re.MULTILINE)
    return {"number": number and number[1], "lines": rows(text)}


def reader(read: Reader = plain, told: Any = None) -> Scripted:
    def answer(prompt: Prompt) -> Completion:
        found = read(record(prompt))
        text = found if isinstance(found, str) else json.dumps(found)
        return Completion(text, Usage(1, 10, 5), logprobs=told)

    return Scripted(answer)


def order(count: int, code: str = "A{}") -> str:
    body = "".join(f"{code.format(n):<10}bolt   {n}.50\n" for n in range(count))
    return f"Order X7\n\n{TITLES}{body}"


def run(strategy: Any, text: str, model: Scripted, schema: Any = Order, **fields: Any) -> Result[Any]:
    (result,) = strategy.run([Task(text, Schema.of(schema), **fields)], model)
    return result  # type: ignore[no-any-return]


def windowed(window: int = 60, overlap: int = 20, inner: Any = None, **fields: Any) -> Windowed:
    return Windowed(inner or Prompted(), window, overlap, **fields)


def document_of(result: Result[Any]) -> Any:
    return result.document


def bounds(result: Result[Any]) -> list[str]:
    return [record(attempt.prompt) for attempt in result.attempts]
