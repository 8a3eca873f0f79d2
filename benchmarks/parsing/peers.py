"""Who is compared: each reader takes a case and gives a value, or raises."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.parsing.cases import Case
from structout.document import Json
from structout.parsing import Policy, Repaired, repair

NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader made of a case. `owned_up` says that it named a loss, or something made up, itself."""

    value: Any
    owned_up: bool = False
    flagged: bool = False


Reader = Callable[[Case], Answer]


def structout(*, complete: bool, policy: Policy = "lossless") -> Reader:
    """Our own repair; `complete` passes on the finish reason."""

    def read(case: Case) -> Answer:
        found: Repaired[Any] = repair(case.text, case.schema, policy, complete=complete and case.complete)
        lossy = any(edit.grade != "lossless" for edit in found.edits)
        return Answer(found.document if found.ok else NOTHING, lossy, found.truncated)

    return read


_FENCES = re.compile(r"^\s*```\w*\n|\n?```\s*$")


def strict(case: Case) -> Answer:
    return Answer(json.loads(_FENCES.sub("", case.text)))


def json_repair_plain(case: Case) -> Answer:
    import json_repair

    return Answer(json_repair.loads(case.text))


def json_repair_schema(case: Case) -> Answer:
    import json_repair

    return Answer(json_repair.loads(case.text, schema=case.schema.json_schema))


def json_repair_salvage(case: Case) -> Answer:
    import json_repair

    return Answer(json_repair.loads(case.text, schema=case.schema.json_schema, schema_repair_mode="salvage"))


def fast_json_repair(case: Case) -> Answer:
    import fast_json_repair

    return Answer(fast_json_repair.loads(case.text))


def repairjson(case: Case) -> Answer:
    import repairjson

    return Answer(json.loads(repairjson.repair(case.text)))


def jiter_partial(case: Case) -> Answer:
    import jiter

    return Answer(jiter.from_json(case.text.encode(), partial_mode="trailing-strings"))


def without_nulls(value: Json) -> Json:
    """The document without its nulls, which BAML does not tell from what is absent."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
