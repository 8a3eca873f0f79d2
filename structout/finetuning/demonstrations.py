"""Demonstrations: prompts with the right answers, for a model to learn from."""

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from structout.completion import Message
from structout.finetuning.answer_layout import AnswerLayout
from structout.prompts import Show, compose, response
from structout.prompts.guidance import Guidance
from structout.result import Example, Task
from structout.schema import Schema

_PLAIN = Guidance()


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A prompt with its right answer."""

    prompt: tuple[Message, ...]
    response: str


def demonstrate(
    examples: Iterable[Example], schema: Schema[Any], show: Show = "brief", guidance: Guidance = _PLAIN
) -> list[Demonstration]:
    """Labelled records as demonstrations: prompts as strategies compose them, answers in the layout of the schema."""
    layout = AnswerLayout(schema)
    return [
        Demonstration(
            compose(Task(example.text, schema), show=show, guidance=guidance),
            response(schema, layout.order(example.document, example.text)),
        )
        for example in examples
    ]


def fingerprint(examples: Iterable[Example]) -> str:
    """A short hash of labelled records, in order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps([example.text, example.document]).encode())
    return digest.hexdigest()[:16]


def hold_out(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Split records at random by `seed` into training records and held-out records, of which `share` are held out."""
    places = list(range(len(examples)))
    random.Random(seed).shuffle(places)
    held = sorted(places[: round(share * len(places))])
    kept = sorted(places[len(held) :])
    return [examples[i] for i in kept], [examples[i] for i in held]
