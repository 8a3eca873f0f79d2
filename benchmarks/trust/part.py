"""A schema and a model for runs that are killed: the answers are known beforehand, and each question is noted."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from structout import Completion, Prompt, Usage

SCHEMA = f"{Path(__file__)}:Part"
MODEL = f"py:{Path(__file__)}:Noting"
PLAIN, REPAIRED = "Prompted()", "Repair(Prompted())"  # the first asks for valid JSON, the second repairs


class Part(BaseModel):
    """A part."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    size_mm: int


def row(number: int) -> dict[str, str]:
    """The input row of a number."""
    return {"id": f"k{number}", "text": f"{number} mm bolt"}


def record(number: int) -> dict[str, Any]:
    """The only right record of a number."""
    return {"kind": f"bolt {number}", "size_mm": number}


def is_accepted(number: int, strategy: str) -> bool:
    """Whether a strategy accepts the answer to a number."""
    return number % 7 != 0 and (number % 5 != 0 or strategy == REPAIRED)


def answer(number: int) -> str:
    """The answer: none to multiples of 7, and JSON with a comma too many to multiples of 5."""
    text = json.dumps(record(number))
    return "no" if number % 7 == 0 else f"{text[:-1]},}}" if number % 5 == 0 else text


class Noting:
    """A model that notes each number that it is asked for in the file that ASKED names."""

    name = "noting"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """Answer in order."""
        numbers = [int(prompt.messages[-1].content.split("\n")[1].split()[0]) for prompt in prompts]
        with Path(os.environ["ASKED"]).open("a", encoding="utf-8") as asked:
            asked.write("".join(f"{number}\n" for number in numbers))
        return [Completion(answer(number), Usage(calls=1, input_tokens=9, output_tokens=5)) for number in numbers]
