"""The measure: what became of every type and row of one client at one kind of server."""

import json
import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from benchmarks.emulated import Asked, marked, serving
from benchmarks.emulated.server import Way
from benchmarks.emulated.speakers import row
from benchmarks.providers.clients import ClientName, Outcome, ask
from benchmarks.providers.kinds import Kind
from benchmarks.pydantic_models import CASES, Case

Held = Literal["held", "rewritten", "validated", "refused"]
_NAME = re.compile(r"\[row (\S+) ")
_SAYS_NOTHING = ("title", "description", "$schema", "default", "examples")


@dataclass(frozen=True)
class Row:
    """One text: the document that the model has in mind, and how carefully it writes."""

    name: str
    temper: str
    document: Any

    @property
    def text(self) -> str:
        return row(self.name, self.temper, self.document)


@dataclass(frozen=True)
class TypeReport:
    """One type at one kind of server."""

    held: Held
    way: Way  # where the last answered request states its schema
    rows: int
    accepted: int
    invalid: int  # of the accepted
    meant: int  # rows of a careful model
    right: int  # of the meant: the accepted value is the document in mind
    requests: int
    refused: int  # of the requests
    reason: str = ""  # of the first row that was not accepted


def rows_of(case: Case, number: int) -> list[Row]:
    """Rows for a type: a careful model for up to two documents, a hasty one, and one that never heeds the question."""
    first = case.valid[0]
    tempers = [*(("careful", document) for document in case.valid[:2]), ("hasty", first), ("careless", first)]
    return [Row(f"{number}.{place}", temper, document) for place, (temper, document) in enumerate(tempers)]


def measured(client: ClientName, kind: Kind, cases: Iterable[Case] = CASES) -> dict[str, TypeReport]:
    """The reports by type; the questions of a probe count for the first. Raises `ImportError` without the client."""
    logging.disable(logging.CRITICAL)
    chosen = [(case, rows_of(case, number)) for number, case in enumerate(cases)]
    work = [(case.type, [one.text for one in rows]) for case, rows in chosen]
    with serving(kind.provider(marked())) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = list(ask(client, kind, server.url, work))
        asked: dict[str, list[Asked]] = {}
        for one in server.log.asked:
            found = _NAME.search(one.prompt)
            asked.setdefault(found[1] if found else "0.0", []).append(one)
    return {case.name: _report(case, rows, done, asked) for (case, rows), done in zip(chosen, outcomes, strict=True)}


def _report(case: Case, rows: list[Row], outcomes: list[Outcome], asked: dict[str, list[Asked]]) -> TypeReport:
    count: Counter[str] = Counter()
    adapter: TypeAdapter[Any] = TypeAdapter(case.type)
    for one, outcome in zip(rows, outcomes, strict=True):
        meant = one.temper == "careful"
        count["meant"] += meant
        if outcome.is_accepted:
            count["accepted"] += 1
            count["invalid"] += not _is_valid(adapter, outcome)
            count["right"] += meant and _same(outcome.value, adapter.validate_json(json.dumps(one.document)))
    questions = [question for one in rows for question in asked.get(one.name, ())]
    careful = [one for one in asked.get(rows[0].name, ()) if _NAME.search(one.prompt) and not one.refusal]
    return TypeReport(
        _held(case, careful),
        careful[-1].way if careful else "nothing",
        len(rows),
        count["accepted"],
        count["invalid"],
        count["meant"],
        count["right"],
        len(questions),
        sum(bool(question.refusal) for question in questions),
        next((outcome.reason for outcome in outcomes if not outcome.is_accepted), ""),
    )


def _held(case: Case, questions: list[Asked]) -> Held:
    """How the last answered question about a careful row was held to the type."""
    if not questions:
        return "refused"
    if not questions[-1].held:
        return "validated"
    contract = TypeAdapter(case.type).json_schema()
    return "held" if _plain(questions[-1].schema) == _plain(contract) else "rewritten"


def _plain(schema: Any) -> Any:
    """A schema without words for readers, its objects closed or not."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _plain(one) for name, one in value.items()} if key in ("properties", "$defs") else _plain(value)
        for key, value in schema.items()
        if key not in _SAYS_NOTHING and (key, value) != ("additionalProperties", False)
    }


def _is_valid(adapter: TypeAdapter[Any], outcome: Outcome) -> bool:
    try:
        written = outcome.document or adapter.dump_json(outcome.value, by_alias=True, round_trip=True)
        adapter.validate_json(written)
    except (ValueError, TypeError):
        return False
    return True


def _same(value: Any, meant: Any) -> bool:
    if isinstance(meant, BaseModel):  # a peer may give an instance of a class of its own
        return isinstance(value, type(meant)) and bool(value.model_dump() == meant.model_dump())
    return type(value) is type(meant) and bool(value == meant)
