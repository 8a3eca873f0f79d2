"""The conversation for a task."""

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from structout import defaults
from structout.completion import Message
from structout.document import Json
from structout.prompts import wording
from structout.prompts.guidance import Guidance
from structout.prompts.marks import mark
from structout.prompts.render import Show, render
from structout.result import Example, Task
from structout.schema import Schema

Format = Literal["json", "yaml"]
_PLAIN = Guidance()


def compose(
    task: Task[Any],
    examples: Sequence[Example] = (),
    *,
    show: Show = "typescript",
    answer_format: Format = "json",
    guidance: Guidance = _PLAIN,
) -> tuple[Message, ...]:
    """The conversation for a task: instructions with the schema, examples as earlier turns, the record, later turns.

    The part that records share comes first, so that a model can cache it between records. `brief` is one line of
    instructions and the bare record, which is enough for a fine-tuned model. `guidance` holds the user's own words.

    If a record contains something like the closing tag of its fence, other tags fence the record and the examples, and
    the instructions name these tags.
    """
    tag, texts = mark(task.text), [example.text for example in examples]
    ordinary = tag == mark("")
    tag = tag if ordinary else mark(task.text, *texts)
    instructions = _instructions(task.schema, task.wording, task.edition, show, answer_format, tag, guidance)
    turns = [Message("system", instructions)]
    for text, example in zip(texts, examples, strict=True):
        shown = text if show == "brief" else fence(text) if ordinary else between(text, tag)
        turns.append(Message("user", shown))
        turns.append(Message("assistant", response(task.schema, example.document, answer_format)))
    record = task.text if show == "brief" else between(task.text, tag)
    return (*turns, Message("user", record), *task.turns)


def fingerprint(schema: Schema[Any], show: Show, edition: int = defaults.EDITION, guidance: Guidance = _PLAIN) -> str:
    """A short hash of everything that a model reads except the record, including the schema's name and the wording."""
    messages = compose(Task("", schema, edition=edition), show=show, guidance=guidance)
    return hashlib.sha256(json.dumps([[m.role, m.content] for m in messages]).encode()).hexdigest()[:16]


def response(schema: Schema[Any], document: Json, answer_format: Format = "json") -> str:
    """The text that the model should answer if `document` is right."""
    if schema.language is not None and isinstance(document, str):
        return document
    return answer(document, answer_format)


@lru_cache(maxsize=64)
def _instructions(
    schema: Schema[Any], again: int, edition: int, show: Show, answer_format: Format, tag: str, guidance: Guidance
) -> str:
    """The first message, which almost all tasks of a run share."""
    parts = {"task": (wording.EXTRACT, *wording.EXTRACT_AGAIN)[again].format(name=schema.name)}
    if show == "brief":
        return guidance.arranged(parts)
    parts["record"] = wording.FENCED.format(tag=tag)
    if schema.language is not None:
        parts |= {"schema": wording.LANGUAGE.format(hint=schema.language.hint), "answer": wording.ANSWER_TEXT}
        return guidance.arranged(parts)
    if show != "none":
        parts["schema"] = wording.SHAPES[show].format(schema=render(schema, show, edition))
    return guidance.arranged(parts | {"answer": wording.ANSWERS[answer_format]})


def fence(text: str, name: str = "record") -> str:
    """Put a record or other data between tags that do not occur in it, so that it cannot end its own fence."""
    return between(text, mark(text, name=name))


def between(text: str, tag: str) -> str:
    """Put a text between tags with this name."""
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
