"""Is every value in the record? Asking a claim for its source counters hallucination, and costs no call."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from structout.document import Json, leaves
from structout.errors import DataError, SpecError
from structout.issue import Issue
from structout.models.base import Model
from structout.prompts import resolve, wording
from structout.result import Example, Result, Task
from structout.verifiers.base import Verdict
from structout.verifiers.finding import Text

_LOOSE = 0.9
_INDEX = re.compile(r"/[0-9]+(?=/|$)")


class Labelled(Protocol):
    """A data set as far as fitting needs it: its labelled train records."""

    @property
    def examples(self) -> tuple[Example, ...]: ...


@dataclass(frozen=True)
class Grounded:
    """Refuses a document with a leaf that its record does not hold.

    A leaf is found to the letter, in another spelling, by its number or date, or if a text is as similar as `threshold`
    (in [0, 1], of words with the same digits). `fields` are the leaves to look for, as JSON Pointers with `*` for the
    index of an item: by default all but booleans and what the schema enumerates. What a schema derives (a category, a
    year of `98`) is in no record: name the `fields`, or have them found by `fit`. The score is that of the worst leaf.
    """

    fields: tuple[str, ...] | None = None
    threshold: float = _LOOSE

    def __post_init__(self) -> None:
        if isinstance(self.fields, str):
            raise SpecError(f"fields is {self.fields!r}", hint="give a tuple of JSON Pointers")
        if not 0 < self.threshold <= 1:
            raise SpecError(f"threshold is {self.threshold}", hint="give a similarity above 0, at most 1")

    @classmethod
    def fit(cls, dataset: Labelled, *, threshold: float | None = None, least: float = 0.99) -> "Grounded":
        """Look for those fields of which at least the share `least` of right values is found in the train records.

        Nothing but what is found exactly will do, unless a looser `threshold` (of 0.9) adds a field. Raises `DataError`
        if there are no train records with a value in them.
        """
        if not any(leaves(example.document) for example in dataset.examples):
            raise DataError(
                "there are no labelled train records to find out from which fields stand in the text",
                hint='give records with "split": "train", or name the fields',
            )
        if threshold is not None:
            return cls(_found_fields(dataset, threshold, least), threshold)
        exact, loose = (_found_fields(dataset, one, least) for one in (1.0, _LOOSE))
        return cls(loose, _LOOSE) if len(loose) > len(exact) else cls(exact, 1.0)

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        return [self._verdict(task, result) for task, result in zip(tasks, results, strict=True)]

    def _verdict(self, task: Task[Any], result: Result[Any]) -> Verdict:
        text = Text(task.text)
        wanted = {place: value for place, value in leaves(result.document).items() if self._applies(task, place, value)}
        found = {place: text.find(value, self.threshold) for place, value in wanted.items()}
        missing = [place for place, one in found.items() if one.score < self.threshold]
        return Verdict(
            "reject" if missing else "accept",
            min((one.score for one in found.values()), default=1.0),
            tuple(Issue(p, "rejected", wording.UNGROUNDED.format(value=_short(wanted[p]))) for p in missing),
            confidence={place: one.score for place, one in found.items()},
            spans={place: one.span for place, one in found.items() if one.span},
        )

    def _applies(self, task: Task[Any], place: str, value: str | float | bool) -> bool:
        if self.fields is not None:
            return field_of(place) in self.fields
        return not isinstance(value, bool) and not _enumerated(task.schema.json_schema, place, value)


def _found_fields(dataset: Labelled, threshold: float, least: float) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for example in dataset.examples:
        text = Text(example.text)
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


def _enumerated(root: dict[str, Any] | bool, place: str, value: Json) -> bool:
    """Whether the schema itself names the value that stands at `place`."""
    nodes = list(_alternatives(root, root, 0))
    for step in place.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        nodes = [one for node in nodes for inner in _children(node, key) for one in _alternatives(inner, root, 0)]
    return any(value in node.get("enum", ()) or node.get("const", ...) == value for node in nodes)


def _alternatives(node: Any, root: Any, depth: int) -> Iterator[dict[str, Any]]:
    """A schema and all that it may stand for; a reference that leads back to itself ends somewhere."""
    if not isinstance(node, dict) or depth > 16:
        return
    yield node
    if "$ref" in node:
        yield from _alternatives(resolve(root, node["$ref"]), root, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        for branch in node.get(key, ()):
            yield from _alternatives(branch, root, depth + 1)


def _children(node: dict[str, Any], key: str) -> Iterator[Any]:
    if key in node.get("properties", {}):
        yield node["properties"][key]
    elif key.isdigit() and ("items" in node or "prefixItems" in node):
        yield from node.get("prefixItems", ())
        yield node.get("items")
    elif isinstance(node.get("additionalProperties"), dict):
        yield node["additionalProperties"]
