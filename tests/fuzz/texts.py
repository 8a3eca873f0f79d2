"""Repair: whatever the text, it does not raise, and what it accepts is what the schema admits."""

import json
from pathlib import Path
from random import Random
from typing import Any, get_args

from structout import Schema
from structout.parsing import Edit, Policy, repair
from tests.fuzz import noise, schemas
from tests.fuzz.target import Case, whole

_SCHEMAS: list[Any] = [
    True, {}, {"type": "object"}, {"type": "array"}, {"type": "string"}, {"type": "number"}, {"enum": ["yes", "no", 1]},
    {
        "type": "object",
        "properties": {
            "name": {"type": "string"}, "a": {"type": "integer"}, "kind": {"enum": ["hex", "flange"]},
            "size_mm": {"type": ["number", "null"]}, "note": {"type": "string", "format": "date"},
            "items": {"type": "array", "items": {"type": "object", "properties": {"x y": {"type": "boolean"}}}},
        },
        "required": ["name", "a"], "additionalProperties": False,
    },
    {"anyOf": [{"type": "object", "required": ["a"]}, {"type": "array", "items": {"type": "number"}},
    {"type": "null"}]},
    {"type": "object", "additionalProperties": {"$ref": "#"}},
]  # fmt: skip


def make(rng: Random) -> Case:
    schema = rng.choice(_SCHEMAS) if rng.random() < 0.85 else schemas.schema(rng, 2)
    return {
        "text": _text(rng),
        "schema": schema,
        "policy": rng.choice(["lossless", "lossless", "lossy", "any"]),
        "format": rng.choice([None, None, "json", "yaml"]),
        "decimal": rng.choice([None, None, ".", ","]),
        "complete": rng.random() < 0.3,
    }


def _text(rng: Random) -> str | list[tuple[str, int]]:
    kind = rng.random()
    if kind < 0.03:
        return noise.nested(rng)
    if kind < 0.13:
        return "".join(rng.choice(noise.PIECES + noise.WORDS) for _ in range(rng.choice([3, 10, 40, 400])))
    value = noise.document(rng)
    if rng.random() < 0.6:
        value = {"name": "x", "a": 1, "kind": "hex", "items": [{"x y": True}], "b": value}
    text = _yaml(value) if rng.random() < 0.25 else noise.written(rng, value)
    if rng.random() < 0.4:
        old, new = rng.choice(
            [('"', "'"), ('"', ""), ("true", "True"), (",", ",,"), ("\\n", "\n"), ('"', "“"), (",", "")]
        )
        text = text.replace(old, new)
    text = noise.spoiled(rng, text)
    if rng.random() < 0.3:
        before, after = rng.choice(
            [("```json\n", "\n```"), ("```\n", ""), ("<think>{</think>", ""), ("Here it is: ", " Done."),
             ("<a>", "</a>"),
             ('"', '"'), ("~~~yaml\n", "~~~"), ("data: ", "\n\n"), ("| a |\n|---|\n| ", " |"), ("(", ");")]
        )  # fmt: skip
        text = before + text + after
    return noise.spoiled(rng, text, rng.choice([0, 0, 1]))


def _yaml(node: Any, indent: str = "") -> str:
    if isinstance(node, dict) and node:
        return "".join(f"{indent}{key}: {_below(value, indent)}\n" for key, value in node.items())
    if isinstance(node, list) and node:
        return "".join(f"{indent}- {_below(value, indent)}\n" for value in node)
    return json.dumps(node)


def _below(value: Any, indent: str) -> str:
    return "\n" + _yaml(value, indent + "  ") if isinstance(value, dict | list) and value else _yaml(value)


def check(case: Case, folder: Path) -> str:
    schema = Schema.of(case["schema"])
    options = {name: case.get(name) for name in ("format", "decimal")}
    policy, complete = case.get("policy", "lossless"), case.get("complete", False)
    if policy not in get_args(Policy) or any(value == "" for value in options.values()):
        return ""  # nobody's data says how to repair
    found = repair(whole(case["text"]), schema, policy, complete=complete, **options)
    if not all(isinstance(edit, Edit) and edit.grade in ("lossless", "lossy", "invented") for edit in found.edits):
        return "an edit that is none"
    [str(part) for part in (*found.edits, *found.issues)]
    if not found.ok:
        return "" if found.value is None else "a value beside issues"
    again = schema.check(found.document)
    if not again.ok:
        return "a document accepted that the schema refuses"
    try:
        json.dumps(found.document, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return "a document that JSON cannot hold"
    return ""
