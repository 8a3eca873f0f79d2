"""Cases that people wrote after public bug reports: what a careful reader makes of a text, and what a program does."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

from benchmarks.parsing.cases import Case
from benchmarks.parsing.peers import NOTHING, Answer, Reader
from structout.errors import StructoutError
from structout.parsing import Policy, repair
from structout.parsing.fit.coercer import same
from structout.schema import Schema

# right: the value is right, or a text without one right value was refused, or refusing is right as well.
# refused: nothing came of a text that has one right value. silent: a valid value that is wrong, without a word.
# noted: such a value with a notice, or an edit that names a loss.
Verdict = Literal["right", "refused", "noted", "silent"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
# The names that the code of a Pydantic case may use without importing them.
_PRELUDE = "".join(f"from {name} import *\n" for name in ("datetime", "decimal", "enum", "typing", "pydantic"))


@dataclass(frozen=True, slots=True)
class Written:
    """A case with all values that are right; none if only a refusal is right."""

    name: str
    kind: str
    case: Case
    right: tuple[Any, ...]
    may_refuse: bool
    debatable: bool
    policy: Policy = "lossless"


@dataclass(slots=True)
class Tally:
    """The verdicts over all cases that are not debatable, over the debatable ones, and by kind."""

    plain: Counter[Verdict] = field(default_factory=Counter)
    debatable: Counter[Verdict] = field(default_factory=Counter)
    kinds: dict[str, Counter[Verdict]] = field(default_factory=dict)


def read(path: Path) -> Iterator[Written]:
    """The cases of a JSONL file; a case whose schema structout does not take is left out."""
    for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n"):
        row = json.loads(line)
        right = [row["expected"]] if "expected" in row else []
        right += row.get("also", []) + ([row["also_value"]] if "also_value" in row else [])
        options = row.get("kw", {})
        case = Case(
            row["id"],
            "extraction",
            (row["kind"],),
            Schema.of(_type(row["schema"])),
            row["raw"],
            right[0] if right else None,
            complete=row.get("complete", options.get("complete", False)),
        )
        yield Written(
            row["id"],
            row["kind"],
            case,
            tuple(right),
            may_refuse=not right or bool(row.get("refuse_ok")),
            debatable=bool(row.get("debatable")),
            policy=options.get("policy", "lossless"),
        )


def _type(schema: Any) -> Any:
    if not isinstance(schema, dict) or "pydantic" not in schema:
        return schema
    module = ModuleType("structout_written_case")
    sys.modules[module.__name__] = module  # where Pydantic looks names up
    exec(_PRELUDE + schema["pydantic"], module.__dict__)
    return module.M


def tally(cases: Iterable[Written], read: Callable[[Written], Answer]) -> Tally:
    """Count the verdicts on a reader."""
    counts = Tally()
    for case in cases:
        found = verdict(case, read)
        (counts.debatable if case.debatable else counts.plain)[found] += 1
        counts.kinds.setdefault(case.kind, Counter())[found] += 1
    return counts


def through(reader: Reader) -> Callable[[Written], Answer]:
    """A reader of the cases that the other groups have, as a reader of these."""
    return lambda written: reader(written.case)


def repaired(written: Written) -> Answer:
    """Our own repair, with the policy that the case asks for. A notice is a word, as a loss is."""
    case = written.case
    found = repair(case.text, case.schema, written.policy, complete=case.complete)
    owned_up = bool(found.notices) or any(edit.grade != "lossless" for edit in found.edits)
    return Answer(found.document if found.ok else NOTHING, owned_up)


def verdict(written: Written, read: Callable[[Written], Answer]) -> Verdict:
    """What a reader made of a case."""
    try:
        answer = read(written)
    except Exception:
        answer = Answer(NOTHING)
    value = answer.value
    if value is NOTHING or not _fits(written.case.schema, value):
        return "right" if written.may_refuse else "refused"
    if any(same(value, right) for right in written.right):
        return "right"
    return "noted" if answer.owned_up else "silent"


def _fits(schema: Schema[Any], value: Any) -> bool:
    try:
        return schema.check(value).ok
    except (ValueError, TypeError, RecursionError, StructoutError):
        return False
