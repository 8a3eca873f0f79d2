"""The ways to state a prompt's constraint in a request, from the strongest way to none at all."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal, get_args

from structout.completion import Completion, Prompt
from structout.errors import SchemaError
from structout.models.openai import dialects
from structout.models.openai.dialects import Dialect
from structout.schema.strict_form import StrictForm, strictified

Rung = Literal["mask", "schema", "strict mask", "strict schema", "bare schema", "nothing"]
RUNGS: Final[tuple[Rung, ...]] = get_args(Rung)
_GIVES_UP: Final = 5  # prompts that are answered without the constraint alone
_MOST_REASONS: Final = 100  # that are remembered: a reason may quote the record
SAID: Final[dict[Rung, str]] = {
    "schema": "by the schema alone",
    "strict mask": "by the strict form of the schema",
    "strict schema": "by the strict form of the schema",
    "bare schema": "by the strict form of the schema, with objects left open",
    "nothing": "without a constraint",
}


@dataclass(frozen=True)
class Way:
    """A way to state a constraint: the fields of the request, and the strict form that its answers have, if any."""

    rung: Rung
    fields: dict[str, Any] | None
    form: StrictForm | None = None

    def read(self, answer: Completion) -> Completion:
        """An answer as an answer of the contract. Tokens of a text in strict form do not fit the text that it means."""
        text = self.form.text(answer.text) if self.form else answer.text
        return answer if text == answer.text else replace(answer, text=text, values=None, ends=None)


class Ladder:
    """Remembers for each contract the rung on which to begin, and the rungs on which the server answered.

    A server that refuses a schema in words is asked in a weaker way from then on. The constraint is given up only once
    five prompts found no other way, and none was answered with it: a prompt may be refused for what is in it.
    """

    def __init__(self) -> None:
        self._first: dict[str, Rung] = {}
        self._taken: dict[str, set[Rung]] = {}
        self._unheld: Counter[str] = Counter()
        self._unrelated: set[str] = set()  # reasons that requests without a constraint were refused for

    def first(self, contract: str, strictest: Rung) -> Rung:
        """The rung on which to begin."""
        return self._first.get(contract, strictest)

    def ends(self, contract: str, rung: Rung, reason: str, *, is_schema: bool) -> bool:
        """Whether a refusal on a rung is not about the constraint, so that no weaker way is tried: the server refuses a
        request without a constraint in the same words, or took the schema before and does not speak of it.
        """
        if rung == "nothing" and len(self._unrelated) < _MOST_REASONS:
            self._unrelated.add(reason)
        return reason in self._unrelated or (rung in self._taken.get(contract, ()) and not is_schema)

    def took(self, contract: str, rung: Rung, *, is_schema: bool, fell: bool) -> bool:
        """Note an answer on a rung, perhaps after the server refused the schema in words (`is_schema`), or refused a
        rung above for any reason (`fell`). Returns whether this prompt shows that the server refuses the schema, and
        not only the prompt.
        """
        taken = self._taken.setdefault(contract, set())
        was_held = bool(taken - {"nothing"})
        taken.add(rung)
        if rung != "nothing" and self._first.get(contract) == "nothing":
            del self._first[contract]  # another request, sent before, was answered with the constraint after all
        if rung == "nothing":
            self._unheld[contract] += fell and not was_held
        if not was_held and (self._unheld[contract] >= _GIVES_UP if rung == "nothing" else is_schema):
            self._first[contract] = rung
        return is_schema and not was_held


def ways(prompt: Prompt, dialect: Dialect, first: Rung) -> Iterator[Way]:
    """The ways to state a prompt's constraint from the rung `first` downwards, each of them once."""
    constraint = prompt.constraint
    if constraint is None:
        yield Way("nothing", None)
        return
    known: list[Any] = []
    for rung in RUNGS[RUNGS.index(first) :]:
        schema = prompt.held_to if rung in ("mask", "strict mask") else constraint.json_schema
        form = None
        if "schema" in rung.split()[1:] or rung == "strict mask":
            try:
                form = _strict(json.dumps(schema))
            except SchemaError:
                continue
            schema = _without(form.schema, "additionalProperties") if rung == "bare schema" else form.schema
        stated = None if rung == "nothing" else dialects.fields(constraint, dialect, schema)
        if stated not in known:
            known.append(stated)
            yield Way(rung, stated, form)


@lru_cache(maxsize=64)
def _strict(text: str) -> StrictForm:
    return strictified(json.loads(text))


def _without(schema: Any, keyword: str) -> Any:
    """A schema in strict form without a keyword."""
    if isinstance(schema, list):
        return [_without(one, keyword) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            made[key] = {name: _without(one, keyword) for name, one in value.items()}
        elif key in ("enum", "const"):
            made[key] = value
        elif key != keyword:
            made[key] = _without(value, keyword)
    return made
