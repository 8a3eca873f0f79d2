"""Repair: find the document in a model's answer, read it tolerantly, fit it to the schema, and say what was changed."""

import re
from dataclasses import dataclass
from typing import Generic, TypeVar

from structout.document import Json
from structout.issue import Issue
from structout.repair.edits import Edit, Policy
from structout.schema import Schema

T = TypeVar("T")
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Repaired(Generic[T]):
    """The value, if there are no issues, with the edits that led to it."""

    value: T | None
    document: Json
    issues: tuple[Issue, ...] = ()
    edits: tuple[Edit, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.issues


def repair(text: str, schema: Schema[T], policy: Policy = "lossless") -> Repaired[T]:
    """Read `text` as a document of `schema`; under the default policy only lossless edits are accepted."""
    checked = schema.check_text(text)
    if checked.ok:
        return Repaired(checked.value, checked.document)
    inner = _FENCE.search(text)
    start, end = inner.span(1) if inner else (text.find("{"), text.rfind("}") + 1)
    if 0 <= start < end:
        found = schema.check_text(text[start:end])
        if found.ok:
            edit = Edit("prose", "lossless", 0, text, text[start:end])
            return Repaired(found.value, found.document, (), (edit,))
    return Repaired(None, checked.document, checked.issues)
