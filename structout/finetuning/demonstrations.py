"""What a model is shown to learn from: prompts with the answers that they should have had."""

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from structout.completion import Message
from structout.prompts import Show, compose, response
from structout.result import Example, Task
from structout.schema import Schema


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A prompt, and the answer to it."""

    prompt: tuple[Message, ...]
    response: str


def demonstrate(examples: Iterable[Example], schema: Schema[Any], show: Show = "brief") -> list[Demonstration]:
    """Labelled records as demonstrations: asked exactly as strategies will ask."""
    return [
        Demonstration(compose(Task(example.text, schema), show=show), response(schema, example.document))
        for example in examples
    ]


def fingerprint(demonstrations: Sequence[Demonstration]) -> str:
    """A short hash of all demonstrations, in order."""
    rows = [[[[m.role, m.content] for m in d.prompt], d.response] for d in demonstrations]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def hold_out(
    demonstrations: Sequence[Demonstration], share: float, seed: int
) -> tuple[list[Demonstration], list[Demonstration]]:
    """Divide demonstrations into those to learn from and those to judge the learning by, at random by `seed`."""
    places = list(range(len(demonstrations)))
    random.Random(seed).shuffle(places)
    held = sorted(places[: round(share * len(places))])
    kept = sorted(places[len(held) :])
    return [demonstrations[i] for i in kept], [demonstrations[i] for i in held]
