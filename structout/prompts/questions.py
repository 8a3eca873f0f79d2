"""Questions to a model beside the task: checks of an answer, further readings, and thoughts before the answer."""

from dataclasses import replace
from typing import Any

from structout.completion import Message, Prompt
from structout.document import Json, leaves, steps
from structout.prompts import wording
from structout.prompts.compose import answer, between, fence
from structout.prompts.marks import mark
from structout.prompts.render import render
from structout.result import Task


def ask_whether_right(task: Task[Any], document: Json, rubric: str = "", instructions: str = "") -> tuple[Message, ...]:
    """Ask whether a document says what the record says, by `rubric` or the default rubric.

    `instructions` are the user's own words before the record.
    """
    asked = wording.JUDGED.format(
        record=fence(task.text),
        name=task.schema.name,
        value=fence(answer(document), "answer"),
        rubric=rubric or wording.RUBRIC,
    )
    return _check(asked, instructions)


def ask_whether_said(
    task: Task[Any], document: Json, place: str, value: Json, instructions: str = ""
) -> tuple[Message, ...]:
    """Ask whether the record says one value. The part that the questions about a record share comes first.

    An open schema admits keys that are data, so the name of the field is written as a JSON string.
    """
    record, name, said = fence(task.text), task.schema.name, fence(answer(value), "value")
    field = answer(spoken(document, place) or name)
    return _check(wording.JUDGED_FIELD.format(record=record, name=name, field=field, value=said), instructions)


def ask_whether_alike(task: Task[Any], document: Json) -> tuple[Message, ...]:
    """Ask whether a document, written out as text, says the same as the record."""
    return _check(wording.COMPARED.format(record=fence(task.text), value=fence(written_out(document), "text")))


def _check(asked: str, instructions: str = "") -> tuple[Message, ...]:
    told = f"{wording.JUDGE}\n{instructions.strip()}" if instructions.strip() else wording.JUDGE
    return Message("system", told), Message("user", asked)


def written_out(document: Json) -> str:
    """A document as plain text, with one line of name and value for each leaf."""
    named = ((spoken(document, place), value) for place, value in leaves(document).items())
    return "\n".join(f"{name}: {value}" if name else f"{value}" for name, value in named)


def spoken(document: Json, place: str) -> str:
    """A leaf's place in words: `/part_numbers/0` is `part numbers 1`; the key 2024 of `/sales/2024` stays as it is."""
    way = steps(document, place)
    return " ".join(str(step + 1) if isinstance(step, int) else step.replace("_", " ") for step in way)


def reworded(prompt: Prompt, reading: int) -> Prompt:
    """The same question with one more sentence at its end, so that the model can reuse everything before it.

    A bare record (`brief`) is data to its end, so there the sentence goes to the end of the instructions.
    """
    first, last = prompt.messages[0], prompt.messages[-1]
    sentence = wording.REREADS[reading % len(wording.REREADS)]
    if first.role != "system":
        return replace(prompt, messages=(Message("system", sentence), *prompt.messages))
    if wording.FENCED.partition("{tag}")[0] not in first.content:
        return replace(prompt, messages=(_longer(first, sentence), *prompt.messages[1:]))
    return replace(prompt, messages=(*prompt.messages[:-1], _longer(last, sentence)))


def _longer(message: Message, sentence: str) -> Message:
    return replace(message, content=f"{message.content}\n{sentence}")


def ask_for_thoughts(task: Task[Any]) -> tuple[Message, ...]:
    """Ask for short thoughts about the record before the answer."""
    asked = wording.THINK.format(fields=render(task.schema, "typescript", task.edition) or task.schema.name)
    tag = mark(task.text)
    fenced = wording.FENCED.format(tag=tag)
    return Message("system", f"{asked}\n{fenced}"), Message("user", between(task.text, tag)), *task.turns
