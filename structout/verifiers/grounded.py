"""A verifier that looks for every value in the record: a check against hallucination that costs no call."""

import re
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, Protocol

from structout.document import Json, leaves, load_json, starred, steps
from structout.errors import DataError, SpecError, StructoutWarning
from structout.issue import Issue
from structout.models.base import Model
from structout.prompts import wording
from structout.result import Example, Result, Task
from structout.surfaces import json_text
from structout.verifiers.base import Verdict
from structout.verifiers.finding import SearchedText
from structout.verifiers.places import admits, enumerates

EXAMPLES: Final = "examples"  # in the place of fields
_LOOSE = 0.9
_LEAST = 0.99  # of a field's right values that must stand in their texts
_INDEX = re.compile(r"/[0-9]+(?=/|$)")


class Labelled(Protocol):
    """A data set with labelled train records, as fitting needs them."""

    @property
    def examples(self) -> tuple[Example, ...]:
        """The labelled train records."""
        ...


@dataclass(frozen=True)
class Grounded:
    """Rejects a document with a leaf that is not found in its record.

    A leaf is found literally, in another spelling, by its number or date, or as a text with a similarity of at least
    `threshold` (in [0, 1], with the same digits and a similar spelling of each word). The score is that of the worst
    leaf.

    `fields` are the leaves to look for, as JSON Pointers with `*` for the index of an item: by default, all leaves but
    booleans and enums. Derived values (a category, 1998 for `98`) are in no record: name the `fields`, or let labelled
    records show them. `fields="examples"` takes the fields whose values stand in the texts of the task's examples, in
    99 % of them; without examples it looks for the default fields, with a `StructoutWarning`. `fit` returns the names.

    `check` raises `SpecError` for a field that the schema of a task cannot have.
    """

    fields: tuple[str, ...] | Literal["examples"] | None = None
    threshold: float = _LOOSE

    def __post_init__(self) -> None:
        if isinstance(self.fields, str) and self.fields != EXAMPLES:
            hint = f"give a tuple of JSON Pointers, or {EXAMPLES!r}"
            raise SpecError(f"invalid fields of Grounded: got {self.fields!r}", hint=hint)
        for field in self._named or ():
            if field and not field.startswith("/"):
                raise SpecError(
                    f"invalid field of Grounded: got {field!r}, expected a JSON Pointer", hint=f"give '/{field}'"
                )
        if not 0 < self.threshold <= 1:
            raise SpecError(
                f"invalid threshold of Grounded: got {self.threshold}", hint="give a similarity above 0, at most 1"
            )

    @classmethod
    def fit(cls, dataset: Labelled, *, threshold: float | None = None, least: float = _LEAST) -> "Grounded":
        """Choose the fields for which at least the share `least` of right values is found in the train records.

        The threshold is 1 (exact), unless the looser threshold 0.9 adds a field; `threshold` sets it instead. Raises
        `DataError` if no train record has a value.
        """
        if not any(leaves(example.document) for example in dataset.examples):
            raise DataError(
                "cannot fit Grounded: got no train records with values",
                hint='give records with "split": "train", or name the fields',
            )
        if not 0 < least <= 1:
            raise SpecError(f"invalid least: got {least}", hint="give a share of the values above 0, at most 1")
        if threshold is not None:
            return cls(_found_fields(dataset.examples, threshold, least), threshold)
        exact, loose = (_found_fields(dataset.examples, one, least) for one in (1.0, _LOOSE))
        return cls(loose, _LOOSE) if len(loose) > len(exact) else cls(exact, 1.0)

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        for schema in {id(task.schema): task.schema for task in tasks}.values():
            for field in self._named or ():
                if not admits(schema, field):
                    raise SpecError(
                        f"unknown field {field!r} of {schema.name}",
                        hint="name the fields by JSON Pointers, with * for the index of an item: /lines/*/amount",
                    )
        shown = {id(task.examples): task.examples for task in tasks}  # most tasks share their examples
        fields = {place: self._fields(examples) for place, examples in shown.items()}
        pairs = zip(tasks, results, strict=True)
        return [self._verdict(task, result, fields[id(task.examples)]) for task, result in pairs]

    @property
    def _named(self) -> tuple[str, ...] | None:
        return None if isinstance(self.fields, str) else self.fields

    def _fields(self, examples: Sequence[Example]) -> tuple[str, ...] | None:
        """The fields to look for in a record with these examples; None for the default fields."""
        if self.fields != EXAMPLES:
            return self._named
        if not any(leaves(example.document) for example in examples):
            message = 'Grounded(fields="examples") got no examples, so it looks for all values but booleans and enums: '
            warnings.warn(message + "give labelled records (--examples, or examples=...)", StructoutWarning, 2)
            return None
        return _fields_of(tuple((one.text, json_text(one.document)) for one in examples), self.threshold)

    def _verdict(self, task: Task[Any], result: Result[Any], fields: Collection[str] | None) -> Verdict:
        text = SearchedText(task.text)
        wanted = {
            place: value
            for place, value in leaves(result.document).items()
            if _applies(fields, task, result.document, place, value)
        }
        found = {place: text.find(value, self.threshold) for place, value in wanted.items()}
        missing = [place for place, one in found.items() if one.score < self.threshold]
        return Verdict(
            "reject" if missing else "accept",
            min((one.score for one in found.values()), default=1.0),
            tuple(Issue(p, "rejected", wording.UNGROUNDED.format(value=_short(wanted[p]))) for p in missing),
            confidence={place: one.score for place, one in found.items()},
            spans={place: one.span for place, one in found.items() if one.span},
        )


def _applies(
    fields: Collection[str] | None, task: Task[Any], document: Json, place: str, value: str | float | bool
) -> bool:
    if fields is not None:
        # `/sales/2024` may be a key of digits, or the field that `fit` names `/sales/*`.
        return not {place, starred(document, place), field_of(place)}.isdisjoint(fields)
    return not isinstance(value, bool) and not enumerates(task.schema, steps(document, place), value)


@lru_cache(maxsize=16)  # a run checks chunk after chunk with the same examples
def _fields_of(examples: tuple[tuple[str, str], ...], threshold: float) -> tuple[str, ...]:
    """The fields of examples, each a text with its document as JSON."""
    return _found_fields([Example(text, load_json(document)) for text, document in examples], threshold, _LEAST)


def _found_fields(examples: Sequence[Example], threshold: float, least: float) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for example in examples:
        text = SearchedText(example.text)
        for place, value in leaves(example.document).items():
            seen[field_of(place)] += 1
            found[field_of(place)] += text.find(value, threshold).score >= threshold
    return tuple(sorted(field for field in seen if found[field] >= least * seen[field]))


def field_of(place: str) -> str:
    """A leaf's place without the indexes of lists: `/fitment/0/make` is `/fitment/*/make`."""
    return _INDEX.sub("/*", place)


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
