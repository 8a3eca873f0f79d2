"""What a model is asked about an answer, or before it: to check it, to read again, to think first."""

from dataclasses import replace
from typing import Any

from structout.completion import Message, Prompt
from structout.document import Json, leaves
from structout.prompts import wording
from structout.prompts.compose import answer, fence
from structout.prompts.render import render
from structout.result import Task


def ask_whether_right(task: Task[Any], document: Json, rubric: str = "") -> tuple[Message, ...]:
    """Whether a document is what the record says, as `rubric` (by default ours) defines it."""
    asked = wording.JUDGED.format(
        record=fence(task.text),
        name=task.schema.name,
        value=fence(answer(document), "answer"),
        rubric=rubric or wording.RUBRIC,
    )
    return _check(asked)


def ask_whether_said(task: Task[Any], field: str, value: Json) -> tuple[Message, ...]:
    """Whether the record says one value. All that the questions about a record share comes first."""
    said = fence(answer(value), "value")
    record, name = fence(task.text), task.schema.name
    return _check(wording.JUDGED_FIELD.format(record=record, name=name, field=spoken(field), value=said))


def ask_whether_alike(task: Task[Any], document: Json) -> tuple[Message, ...]:
    """Whether a document, written out as text, says the same as the record."""
    return _check(wording.COMPARED.format(record=fence(task.text), value=fence(written_out(document), "text")))


def _check(asked: str) -> tuple[Message, ...]:
    return Message("system", wording.JUDGE), Message("user", asked)


def written_out(document: Json) -> str:
    """A document as plain text: one line a leaf, with its name and value."""
    return "\n".join(f"{spoken(place)}: {value}" if place else f"{value}" for place, value in leaves(document).items())


def spoken(place: str) -> str:
    """A leaf's place in words: `/part_numbers/0` is `part numbers 1`."""
    steps = (step.replace("~1", "/").replace("~0", "~") for step in place.split("/")[1:])
    return " ".join(str(int(step) + 1) if step.isdecimal() else step.replace("_", " ") for step in steps)


def reworded(prompt: Prompt, reading: int) -> Prompt:
    """The same question in other words: with one more sentence at its end, so that what comes before can be reused."""
    last = prompt.messages[-1]
    asked = replace(last, content=f"{last.content}\n{wording.REREADS[reading % len(wording.REREADS)]}")
    return replace(prompt, messages=(*prompt.messages[:-1], asked))


def ask_for_thoughts(task: Task[Any]) -> tuple[Message, ...]:
    """A short reasoning about the record, before the answer."""
    asked = wording.THINK.format(fields=render(task.schema, "typescript") or task.schema.name)
    fenced = wording.FENCED.format(tag="record")
    return Message("system", f"{asked}\n{fenced}"), Message("user", fence(task.text)), *task.turns
