"""Schemas and models after public bug reports, with valid and invalid documents.

The data is JSON lines of {"id", "schema_or_code", "valid", "invalid"}: a JSON Schema as text, or Python code that
defines `S`; documents are JSON texts. The code is run.
"""

import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import json
import random
import re
import sys
import typing
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import annotated_types as at
import numpy as np
import pydantic
import typing_extensions
from pydantic import alias_generators

from benchmarks.engines import dumped, spelled
from structout.errors import StructoutError
from structout.grammar import Vocabulary, audit, compile  # noqa: A004
from structout.grammar.audit import Audit
from structout.grammar.matcher import EngineMatcher
from structout.schema import Schema

DATA = Path("../shared/data/field/schemas.jsonl")
_WALKS = 12  # random answers of each schema
_LONGEST = 160  # tokens of a random answer


@dataclass(frozen=True)
class FieldSchema:
    """One schema with its documents, as JSON texts. `source` is the error if the code raises one."""

    name: str
    source: Any
    valid: tuple[str, ...]
    invalid: tuple[str, ...]


@cache
def field_schemas() -> tuple[FieldSchema, ...]:
    """All schemas of the data."""
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    return tuple(
        FieldSchema(row["id"], _source(row["schema_or_code"]), tuple(row["valid"]), tuple(row["invalid"]))
        for row in rows
    )


def _source(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    module = ModuleType("field_schema")  # Pydantic looks for names in the module of a class
    sys.modules[module.__name__] = module
    names = vars(module)
    for one in (typing, dt, ipaddress, alias_generators, at):
        names |= {name: value for name, value in vars(one).items() if name[0] != "_"}
    names |= {name: getattr(pydantic, name) for name in pydantic.__all__}
    names |= {one.__name__: one for one in (enum, uuid, decimal, ipaddress, pydantic, dataclasses, typing, re)}
    names |= {"dt": dt, "at": at, "Decimal": decimal.Decimal, "UUID": uuid.UUID, "dataclass": dataclasses.dataclass}
    names |= {"TypedDict": typing_extensions.TypedDict, "annotated_types": at, "networks": pydantic.networks}
    try:
        exec(text, names)
    except Exception as error:
        return error
    return names.get("S")


@dataclass
class Found:
    """What structout makes of the schemas: counts, and the names of what is wrong."""

    schemas: int = 0
    refused: int = 0
    valid: int = 0
    accepted: int = 0
    invalid: int = 0
    taken: int = 0
    written_again: int = 0
    writable: int = 0
    writable_closed: int = 0
    named: int = 0
    dishonest: int = 0


def measure(vocabulary: Vocabulary) -> tuple[Found, list[str]]:
    """Judge, audit, write and walk through every schema; returns the counts, and a line for each fault."""
    found, faults = Found(), list[str]()
    for case in field_schemas():
        found.schemas += 1
        try:
            schema = Schema.of(case.source)
            grammars = compile(schema, open_objects=True), compile(schema)
        except StructoutError as error:
            found.refused += 1
            found.valid += len(case.valid)
            found.invalid += len(case.invalid)
            faults += [f"{case.name}: refused: {error}"] if case.valid else []
            continue
        told = audit(schema)
        for text in case.valid:
            found.valid += 1
            checked = schema.check_text(text)
            found.accepted += checked.ok
            found.written_again += checked.ok and schema.check(schema.written(checked)).ok
            if not checked.ok:
                faults.append(f"{case.name}: refuses {text[:80]}: {checked.issues[0]}")
            opened, closed = (_is_writable(one.matcher(vocabulary), text, vocabulary) for one in grammars)  # type: ignore[arg-type]
            found.writable += opened
            found.writable_closed += closed
            found.named += closed or _is_named(told)
            if not closed and not _is_named(told):
                faults.append(f"{case.name}: cannot be written, which the audit does not say: {text[:80]}")
        for text in case.invalid:
            found.invalid += 1
            found.taken += schema.check_text(text).ok
            if schema.check_text(text).ok:
                faults.append(f"{case.name}: accepts {text[:80]}")
        wrong = next((text for text in _walks(grammars[1].matcher, vocabulary) if not schema.check_text(text).ok), None)
        if wrong is not None and told.level == "exact":
            found.dishonest += 1
            faults.append(f"{case.name}: exact, but the mask writes {wrong[:80]}")
    return found, faults


def _is_named(told: Audit) -> bool:
    """Whether the audit says that the mask is narrower than the schema."""
    return any(line.enforced == "narrower" for line in told.lines)


def _is_writable(matcher: EngineMatcher, text: str, vocabulary: Vocabulary) -> bool:
    """Whether a document can be written, in some order of its keys, with numbers as they are or written out."""
    document = json.loads(text)
    return any(
        spelled(matcher.position, document, vocabulary.encode, put) is not None for put in (dumped, _written_out)
    )


def _written_out(value: Any) -> str:
    """A scalar as JSON, a number without an exponent and without a fraction of zero."""
    if isinstance(value, float):
        whole = value.is_integer()
        return str(int(value)) if whole else format(decimal.Decimal(repr(value)), "f")
    return dumped(value)


def _walks(start: Any, vocabulary: Vocabulary) -> list[str]:
    """The complete documents among random answers without a token limit, so that only the mask decides."""
    texts = []
    for seed in range(_WALKS):
        rng, matcher, tokens = random.Random(seed), start(vocabulary), list[int]()
        while not matcher.must_stop and len(tokens) < _LONGEST:
            forced = matcher.forced()
            token = forced[0] if forced else int(rng.choice(np.flatnonzero(matcher.mask())))
            if vocabulary.is_end(token) or not matcher.try_advance([token]):
                break
            tokens.append(token)
        if matcher.may_stop:
            texts.append(vocabulary.decode(tokens))
    return texts


def section(found: Found, faults: Sequence[str], peers: Sequence[str]) -> list[str]:
    """The figures as Markdown."""
    return [
        "# Schemas and models after public bug reports",
        "",
        f"{found.schemas} schemas with {found.valid} valid and {found.invalid} invalid documents; {found.refused} are "
        "refused as schemas.",
        "",
        f"- valid documents accepted: {found.accepted} of {found.valid}; written and read again: {found.written_again}",
        f"- invalid documents accepted: {found.taken} of {found.invalid}",
        f"- valid documents that the mask can write: {found.writable} with open objects, {found.writable_closed} with "
        f"closed objects; or the audit says that the mask is narrower: {found.named}",
        f"- audits that say `exact` though a random answer ({_WALKS} each) does not comply: {found.dishonest}",
        "",
        *[f"  - {fault}" for fault in faults],
        "",
        *peers,
    ]
