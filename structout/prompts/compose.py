"""From a task to the conversation that a model is sent."""

import hashlib
import json
from collections.abc import Sequence
from itertools import count
from typing import Any, Literal

from structout.completion import Message
from structout.document import Json
from structout.issue import Issue
from structout.prompts import wording
from structout.prompts.render import Show, render
from structout.result import Example, Task
from structout.schema import Schema

Format = Literal["json", "yaml"]
_MOST_ISSUES = 8


def compose(
    task: Task[Any], examples: Sequence[Example] = (), *, show: Show = "typescript", answer_format: Format = "json"
) -> tuple[Message, ...]:
    """The conversation for a task: instructions with the schema, examples as earlier turns, the record, later turns.

    All that records share comes first, so that a model can keep it between records. `brief` is one line of
    instruction and the bare record: all that a fine-tuned model needs.
    """
    turns = [Message("system", _instructions(task.schema, show, answer_format, task.wording))]
    written = (lambda text: text) if show == "brief" else fence
    for example in examples:
        turns.append(Message("user", written(example.text)))
        turns.append(Message("assistant", response(task.schema, example.document, answer_format)))
    return (*turns, Message("user", written(task.text)), *task.turns)


def fingerprint(schema: Schema[Any], show: Show) -> str:
    """A short hash of all that a model reads beside the record: it changes with the schema's name and our wording."""
    messages = compose(Task("", schema), show=show)
    return hashlib.sha256(json.dumps([[m.role, m.content] for m in messages]).encode()).hexdigest()[:16]


def response(schema: Schema[Any], document: Json, answer_format: Format = "json") -> str:
    """What the model should answer where `document` is right."""
    if schema.language is not None and isinstance(document, str):
        return document
    return answer(document, answer_format)


def _instructions(schema: Schema[Any], show: Show, answer_format: Format, put: int = 0) -> str:
    lines = [(wording.EXTRACT, *wording.EXTRACT_AGAIN)[put].format(name=schema.name)]
    if show == "brief":
        return lines[0]
    if schema.language is not None:
        lines.append(wording.LANGUAGE.format(hint=schema.language.hint))
        return "\n".join([*lines, wording.FENCED.format(tag="record"), wording.ANSWER_TEXT])
    if show != "none":
        lines.append(wording.SHAPES[show].format(schema=render(schema, show)))
    lines.append(wording.FENCED.format(tag="record"))
    lines.append(wording.ANSWERS[answer_format])
    return "\n".join(lines)


def fence(text: str, name: str = "record") -> str:
    """Put a record, or other data, between tags that do not occur in it, so that its text cannot end its own fence."""
    lowered = text.lower()
    tags = (name if n == 1 else f"{name}-{n}" for n in count(1))
    tag = next(tag for tag in tags if f"<{tag}>" not in lowered and f"</{tag}" not in lowered)
    return wording.RECORD.format(tag=tag, text=text)


def answer(document: Json, answer_format: Format = "json") -> str:
    """A document as the model should write it: compact JSON on one line, or block YAML."""
    if answer_format == "json":
        return json.dumps(document, ensure_ascii=False)
    return "\n".join(_yaml(document))


def _yaml(node: Json) -> list[str]:
    if isinstance(node, dict) and node:
        lines = []
        for key, value in node.items():
            inner = _yaml(value)
            nested = isinstance(value, dict | list) and value
            lines += (
                [f"{_scalar(key)}:", *("  " + line for line in inner)] if nested else [f"{_scalar(key)}: {inner[0]}"]
            )
        return lines
    if isinstance(node, list) and node:
        return [("- " if i == 0 else "  ") + line for item in node for i, line in enumerate(_yaml(item))]
    return [_scalar(node)]


def _scalar(node: Json) -> str:
    if (
        isinstance(node, str)
        and node.isidentifier()
        and node.lower() not in ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
    ):
        return node
    return json.dumps(node, ensure_ascii=False)


def objection(issues: Sequence[Issue]) -> str:
    """What a re-ask says about the last answer: at most eight issues, so that its size stays bounded."""
    lines = [f"- {issue}" for issue in issues[:_MOST_ISSUES]]
    if len(issues) > _MOST_ISSUES:
        lines.append(wording.MORE_ISSUES.format(count=len(issues) - _MOST_ISSUES))
    return wording.REASK.format(issues="\n".join(lines))
