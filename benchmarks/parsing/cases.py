"""Cases: a valid document, corrupted by seeded kinds, and what should come of it."""

import copy
import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from benchmarks.parsing import blind, coercion, extraction, held, syntax, third, traps, yaml_style
from structout.document import Json
from structout.errors import SchemaError
from structout.schema import Schema

Group = Literal["syntax", "extraction", "coercion", "yaml", "truncation", "traps"]
# Kinds that the repair was developed with, kinds that were mended for after one blind run, kinds run blind.
Stock = Literal["seen", "later", "blind", "third"]
GROUPS: tuple[Group, ...] = ("syntax", "extraction", "coercion", "yaml", "truncation", "traps")
_COMBINED: tuple[Group, ...] = ("syntax", "extraction", "coercion", "truncation")  # with another group in one text


@dataclass(frozen=True, slots=True)
class Instance:
    """A valid document with its schema."""

    name: str
    schema: Schema[Any]
    document: Json


@dataclass(frozen=True, slots=True)
class Case:
    """A corrupted text. `expected` counts if there is one right answer; a trap has none but to refuse.

    `group` is that of its hardest kind; `complete` says that the model stopped by itself.
    """

    name: str
    group: Group
    kinds: tuple[str, ...]
    schema: Schema[Any]
    text: str
    expected: Json
    complete: bool = True

    @property
    def combined(self) -> bool:
        return len(self.kinds) > 1


def read_instances(path: Path, fallback: Path) -> tuple[str, list[Instance]]:
    """The valid instances of JSONSchemaBench at `path`; without it, the records of the schemas in `fallback`."""
    if path.is_file():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        found = []
        for row in rows:
            try:
                schema = Schema.of(row["schema"])
            except SchemaError:
                continue
            for index, test in enumerate(row["tests"]):
                if test["valid"] and schema.check(test["data"]).ok and len(json.dumps(test["data"])) > 8:
                    found.append(Instance(f"{row['id']}.{index}", schema, test["data"]))
        return "JSONSchemaBench", found
    found = []
    for folder in sorted(fallback.iterdir()):
        records = folder / "records.jsonl"
        if records.is_file():
            schema = Schema.of(folder)
            rows = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
            found += [Instance(f"{folder.name}.{i}", schema, row["expected"]) for i, row in enumerate(rows)]
    return "schemas/*/records.jsonl", found


def write(rng: Random, document: Any) -> str:
    """A document as JSON, in one of the usual styles."""
    style = rng.randrange(4)
    if style == 0:
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return json.dumps(document, indent=[None, 2, 4][style - 1], ensure_ascii=style == 1)


def generate(instances: list[Instance], count: int, seed: int, *, stock: Stock = "seen") -> Iterator[Case]:
    """Yield `count` cases, a third of them of several kinds, out of one `stock` of kinds."""
    rng = Random(seed)
    kinds = _kinds(stock)
    names = [(group, kind) for group in kinds for kind in kinds[group]]
    made = tries = 0
    deadline = time.monotonic() + 600
    while made < count and tries < 400 * count and time.monotonic() < deadline:
        tries += 1
        group, kind = names[tries % len(names)]
        chosen: dict[Group, str] = {group: kind}
        if rng.random() < 1 / 3 and group != "traps":
            others = [name for name in _COMBINED if name != group and kinds.get(name)]
            for other in rng.sample(others, min(len(others), rng.choice([1, 1, 2]))):
                if not {group, other} & {"yaml"} or other == "coercion":
                    chosen[other] = rng.choice(list(kinds[other]))
        case = _corrupt(rng, rng.choice(instances), instances, chosen, kinds)
        if case is not None:
            made += 1
            yield case


def _kinds(stock: Stock) -> dict[Group, dict[str, Any]]:
    if stock == "later":
        return held.KINDS
    if stock == "blind":
        return blind.KINDS
    if stock == "third":
        return third.KINDS
    return {
        "syntax": syntax.KINDS,
        "extraction": extraction.KINDS,
        "coercion": coercion.KINDS,
        "yaml": yaml_style.KINDS,
        "truncation": {
            "cut": extraction.cut,
            "cut ": extraction.cut,
            "cut  ": extraction.cut,
            "cut   ": extraction.cut,
        },
        "traps": traps.KINDS,
    }


def _corrupt(
    rng: Random,
    instance: Instance,
    instances: list[Instance],
    chosen: dict[Group, str],
    kinds: dict[Group, dict[str, Any]],
) -> Case | None:
    schema, expected = instance.schema, instance.document
    if "traps" in chosen:
        made = kinds["traps"][chosen["traps"]](rng, copy.deepcopy(expected), schema)
        if made is None or schema.check_text(made).ok:
            return None
        return Case(instance.name, "traps", (chosen["traps"],), schema, made, None)
    if "syntax" in chosen:
        expected = syntax.seed_content(rng, expected, chosen["syntax"])
        if expected is not instance.document and not schema.check(expected).ok:
            return None
    document = copy.deepcopy(expected)
    if "coercion" in chosen:
        document = kinds["coercion"][chosen["coercion"]](rng, document, schema)
        if document is None or schema.check(document).ok:
            return None
    if "yaml" in chosen:
        text = kinds["yaml"][chosen["yaml"]](rng, document)
        if text is None:
            return None
    else:
        text = write(rng, document)
    if "syntax" in chosen:
        text = kinds["syntax"][chosen["syntax"]](rng, text)
        if text is None or schema.check_text(text).ok:
            return None
    body = text
    if "extraction" in chosen:
        draft = _draft(rng, expected, schema)
        if draft is None:
            return None
        text = kinds["extraction"][chosen["extraction"]](rng, text, draft)
        if text is None:
            return None
    if "truncation" in chosen:
        place = text.rfind(body)
        if place < 0:
            return None
        text = kinds["truncation"][chosen["truncation"]](rng, text[:place], body)
        if text is None or schema.check_text(text).ok:
            return None
    group = max(chosen, key=("syntax", "extraction", "yaml", "coercion", "truncation").index)
    names = tuple(name.strip() for name in chosen.values())
    return Case(instance.name, group, names, schema, text, expected, complete="truncation" not in chosen)


def _draft(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    """Another valid document of the schema: an example, or what the model thought of first."""
    draft = copy.deepcopy(document)
    strings = [path for path, value in coercion.leaves(draft) if isinstance(value, str) and path]
    numbers = [path for path, value in coercion.leaves(draft) if type(value) in (int, float) and path]
    for path in rng.sample(strings, min(3, len(strings))):
        draft = coercion.put(draft, path, "example")
    for path in rng.sample(numbers, min(3, len(numbers))):
        draft = coercion.put(draft, path, 1)
    return draft if draft != document and schema.check(draft).ok else {"example": "..."}
