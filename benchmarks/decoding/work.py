"""What is decoded: descriptions of parts, and schemas of any size for them.

`flat` is the workload that the targets are about: six fields, one example, the shorter descriptions; some 405 prompt
tokens of which 348 are the same for all records. `parts` is the nested schema of `schemas/parts` with two examples in
the prompt. `fields-N` is a flat schema of N fields, `items-N` a list of N of the objects of `flat`: they tell how cost
grows with the schema and with the answer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structout.completion import Prompt
from structout.evaluation.dataset import Dataset
from structout.models.local import LocalModel
from structout.prompts import compose
from structout.result import Example, Task
from structout.schema import Schema

_PARTS = Path(__file__).parents[2] / "schemas" / "parts"
_SHELVES = ["brakes", "suspension", "engine", "cooling", "exhaust", "ignition", "electrical", "lighting", "filters"]


def _text(hint: str, most: int = 60) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most, "description": hint}


_FIELDS: dict[str, dict[str, Any]] = {
    "description": _text("the part in plain words, abbreviations spelled out", 160),
    "category": {"enum": _SHELVES},
    "brand": _text("maker of the part"),
    "part_number": _text("as printed"),
    "vehicle": _text("make and model that it fits"),
    "position": {"enum": ["front", "rear", "left", "right", "unknown"]},
    "year_from": {"type": "integer", "minimum": 1900, "maximum": 2100},
    "year_to": {"type": "integer", "minimum": 1900, "maximum": 2100},
    "quantity": {"type": "integer", "minimum": 1, "maximum": 99},
    "material": _text("what it is made of"),
    "original": {"type": "boolean"},
    "engine": _text("engine that it fits"),
}
_EXAMPLE = Example(
    "BOSCH 0 986 424 797 BRK PAD SET FRT, VW GOLF IV 97-05",
    {
        "description": "front brake pad set",
        "category": "brakes",
        "brand": "Bosch",
        "part_number": "0 986 424 797",
        "vehicle": "Volkswagen Golf IV",
        "position": "front",
    },
)
_SHORT = 120  # characters: at most so long are the descriptions of `flat`


@dataclass(frozen=True, slots=True)
class Work:
    """Prompts to continue, the schema that the answers must fit, and the token limit of one."""

    schema: dict[str, Any]
    prompts: list[dict[str, Any]]  # each with its text and its tokens
    max_tokens: int


def work(name: str, model: LocalModel, count: int) -> Work:
    """A workload by its name, with `count` prompts. Raises `ValueError` where there are not so many records."""
    data = Dataset.load(_PARTS)
    kind, _, number = name.partition("-")
    examples: tuple[Example, ...] = ()
    schema: dict[str, Any]
    if kind == "parts":
        assert isinstance(data.schema.json_schema, dict)
        schema, limit, examples = data.schema.json_schema, 160, data.split("train").examples[:2]
        texts = [record.text for record in data if record.split != "train"]
    else:
        size = int(number or 1)
        schema, limit = _flat(size if kind == "fields" else 6), 128
        if kind == "fields":
            limit = 24 * size
        elif kind == "items":
            schema, limit = _list(schema, size), 128 * size
        texts = [record.text for record in data if len(record.text) <= _SHORT]
        examples = (_EXAMPLE,) if kind == "flat" else ()
    if len(texts) < count:
        raise ValueError(f"{name} has {len(texts)} records, and {count} are wanted")
    contract = Schema.of(schema)
    prompts = []
    for text in texts[:count]:
        prompt = Prompt(compose(Task(text, contract), examples))
        prompts.append({"text": model.render(prompt), "tokens": model.encode(prompt)})
    return Work(schema, prompts, limit)


def _flat(size: int) -> dict[str, Any]:
    names = list(_FIELDS)
    fields = {names[i] if i < len(names) else f"{names[i % len(names)]}_{i // len(names) + 1}": i for i in range(size)}
    properties = {name: _FIELDS[names[i % len(names)]] for name, i in fields.items()}
    return _object(properties)


def _list(item: dict[str, Any], size: int) -> dict[str, Any]:
    return _object({"parts": {"type": "array", "items": item, "minItems": size, "maxItems": size}})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "Part",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
