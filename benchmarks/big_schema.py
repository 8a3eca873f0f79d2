"""Seconds for a schema of 400 fields, step by step: `python -m benchmarks.big_schema`.

The schema is generated, as a JSON Schema and as a Pydantic model. Results go to benchmarks/results/big_schema.md.
"""

import argparse
import datetime
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import create_model

from structout import Dataset, Scripted, audit, evaluate, load_model, preview, repair
from structout.evaluation.dataset import Record
from structout.evaluation.reporting.page import write
from structout.grammar import compile  # noqa: A004
from structout.models.local import LocalModel
from structout.schema import Schema
from structout.tables.output import writing
from structout.verifiers.finding import SearchedText

ROOT = Path(__file__).parent.parent
RECORDS = 24  # of a bench
ROWS = 200  # of a table
TOO_SLOW = 2.0  # seconds

# The kinds of fields in turn: a JSON Schema, a Python type and a value.
KINDS: tuple[tuple[dict[str, Any], Any, Any], ...] = (
    ({"type": "string", "maxLength": 40}, str, "steel, grey"),
    ({"type": "integer", "minimum": 0}, int, 12),
    ({"type": "number"}, float, 3.25),
    ({"type": "boolean"}, bool, True),
    ({"enum": ["low", "medium", "high"]}, Literal["low", "medium", "high"], "medium"),
    ({"type": "string", "format": "date"}, datetime.date, "2024-03-12"),
    ({"type": ["string", "null"]}, str | None, None),
    ({"type": "array", "items": {"type": "string"}, "maxItems": 4}, list[str], ["a", "b"]),
)


def json_schema(fields: int) -> dict[str, Any]:
    """A closed object of so many required fields."""
    properties = {
        name: {**KINDS[at % len(KINDS)][0], "description": f"entry {at} of the form"}
        for at, name in enumerate(_names(fields))
    }
    return {
        "title": "Form",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def pydantic_model(fields: int) -> Any:
    """The same fields as a Pydantic model."""
    parts: dict[str, Any] = {name: (KINDS[at % len(KINDS)][1], ...) for at, name in enumerate(_names(fields))}
    return create_model("Form", **parts)


def document(fields: int) -> dict[str, Any]:
    """A document of the schema."""
    return {name: KINDS[at % len(KINDS)][2] for at, name in enumerate(_names(fields))}


def damaged(fields: int) -> str:
    """The document as a careless model writes it: all scalars as text, single quotes, a comma too many, a fence."""
    rows = [f"  '{name}': {_loosely(value)}," for name, value in document(fields).items()]
    return "Here you are:\n```json\n{\n" + "\n".join(rows) + "\n}\n```"


def main() -> None:
    """Measure both schemas and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, default=400)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/big_schema.md")
    given = parser.parse_args()
    model = load_model("embedded")
    assert isinstance(model, LocalModel)
    _ = model.vocabulary
    for _ in measured(json_schema(8), 8, model):
        pass  # modules are imported
    columns = {
        "JSON Schema": dict(measured(json_schema(given.fields), given.fields, model)),
        "Pydantic model": dict(measured(pydantic_model(given.fields), given.fields, model)),
    }
    text = table(columns, given.fields)
    given.output.write_text(text, encoding="utf-8")
    print(text)


def measured(source: Any, fields: int, model: LocalModel) -> Iterator[tuple[str, float]]:
    """The steps with their seconds."""
    schema, seconds = _timed(lambda: Schema.of(source))
    yield "read the schema", seconds
    yield "write the prompt", _timed(lambda: preview("text", schema, "Prompted()"))[1]
    grammar, seconds = _timed(lambda: compile(schema))
    yield "compile the mask", seconds
    yield "audit", _timed(lambda: audit(schema))[1]
    tokens = model.encode_answer(json.dumps(document(fields)))
    matcher, seconds = _timed(lambda: grammar.matcher(model.vocabulary, 2 * len(tokens)))
    yield "make a matcher", seconds
    masks, seconds = _timed(lambda: _walk(matcher, tokens))
    yield f"mask a document of {len(tokens):,} tokens", seconds
    yield "of this, a mask", seconds / masks
    broken = damaged(fields)
    found, seconds = _timed(lambda: repair(broken, schema))
    assert found.ok, found.issues[:3]
    assert found.document == document(fields)
    yield "repair a damaged answer", seconds
    half = json.dumps(document(fields))[: len(broken) // 3]
    yield "judge an answer that was cut off", _timed(lambda: repair(half, schema))[1]
    yield from _bench(schema, fields)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("parquet", "csv", "jsonl"):
            place = str(Path(folder) / f"rows.{suffix}")
            yield f"write {ROWS} rows of {suffix}", _timed(partial(_rows, place, schema, fields))[1]


def table(columns: dict[str, dict[str, float]], fields: int) -> str:
    """The seconds as a page."""
    slow = sorted({f"{step} ({name})" for name, steps in columns.items() for step, s in steps.items() if s > TOO_SLOW})
    lines = [
        f"# A schema of {fields} fields",
        "",
        "Written by `python -m benchmarks.big_schema`. All figures are seconds on one core.",
        "",
        f"| step | {' | '.join(columns)} |",
        f"| --- |{' ---: |' * len(columns)}",
    ]
    for step in next(iter(columns.values())):
        lines.append(f"| {step} | {' | '.join(f'{column[step]:.3f}' for column in columns.values())} |")
    lines += ["", f"Slower than {TOO_SLOW:g} seconds: {', '.join(slow) or 'no step'}.", ""]
    return "\n".join(lines)


def _bench(schema: Schema[Any], fields: int) -> Iterator[tuple[str, float]]:
    gold = document(fields)
    text = "; ".join(f"{name}: {value}" for name, value in gold.items())
    records = tuple(Record(str(key), f"{text} {key}", gold, gold, "test") for key in range(RECORDS))
    data = Dataset("forms", schema, records)
    answers = Scripted(lambda prompt: json.dumps({**gold, "f0001": len(prompt.messages)}))
    report, seconds = _timed(lambda: evaluate(["Prompted()", "Repair(Prompted())"], answers, data))
    yield f"bench {RECORDS} records and 2 strategies", seconds
    with tempfile.TemporaryDirectory() as folder:
        yield "write the report page", _timed(lambda: write(report, Path(folder) / "report.html"))[1]
    yield "ground a document", _timed(lambda: _found(text, gold))[1]


def _found(text: str, gold: dict[str, Any]) -> list[float]:
    searched = SearchedText(text)
    return [searched.find(value, 0.9).score for value in gold.values() if isinstance(value, str | float)]


def _names(fields: int) -> list[str]:
    return [f"f{at:04}" for at in range(fields)]


def _loosely(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_loosely, value))}]"
    return "None" if value is None else f"'{value}'"


def _walk(matcher: Any, tokens: list[int]) -> int:
    """Write the document as the token loop does: forced tokens at once, and a mask for each other token."""
    masks = at = 0
    while at < len(tokens):
        step = matcher.forced()
        if not step or tokens[at : at + len(step)] != step:
            matcher.mask()
            masks, step = masks + 1, tokens[at : at + 1]
        if matcher.try_advance(step) != len(step):
            raise AssertionError("the mask refuses the document")
        at += len(step)
    return masks


def _rows(place: str, schema: Schema[Any], fields: int) -> None:
    beside = {
        "_key": 1, "_status": "valid", "_edits": [], "_strategy": "s", "_attempts": 1, "_tokens": 2, "_cost": None,
    }  # fmt: skip
    with writing(place, schema) as one:
        for _ in range(ROWS):
            one(document(fields), dict(beside))


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    done = action()
    return done, time.perf_counter() - began


if __name__ == "__main__":
    main()
