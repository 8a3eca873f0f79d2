"""A strategy that reads a long text window by window, and merges the records of the windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from structout.errors import SpecError
from structout.issue import pointer
from structout.models.base import Model
from structout.models.wrappers.base import innermost
from structout.result import Result, Task
from structout.schema import Schema
from structout.schema.part import part_of
from structout.schema.walk import kinds_of
from structout.strategies.base import Strategy, check_fields
from structout.strategies.cascade import first_asked
from structout.strategies.merging import EVERY, Keys, merged
from structout.strategies.windows import Window, counter, cut
from structout.verifiers.places import admits

T = TypeVar("T")

Fields = str | tuple[str, ...]
# Not in `prompts.wording`, whose sentences every journal names: this one only stands in prompts of windows.
_PART: Final = "The record is a part of a longer one. Take from it what it says itself; null for what it does not say."


@dataclass(frozen=True)
class Windowed:
    """Cuts each text into windows of at most `window` tokens, runs `inner` on all windows as one batch, and merges the
    records of the windows into one record, which is checked against the schema.

    Neighbouring windows share up to `overlap` tokens. Windows end between paragraphs, lines, sentences or table rows,
    and the head of a table stands again above each window that continues the table. Tokens are counted by the model
    if it counts them, else as four characters each. A text that fits into one window goes to `inner` unchanged.

    Windows are asked with a schema whose scalars outside lists may be null. Lists are joined: an item that two windows
    found in the same place counts once. With a `key`, items with the same key are one item, wherever they stand. A key
    is a field or several; with several lists, a mapping gives the key for each list, by its JSON Pointer. Windows that
    contradict one another make the result `rejected`, with an issue for each contradiction, unless one value has a
    confidence of at least 0.9 and all other values have less than 0.5. A window whose result is not `ok` makes the
    whole result not `ok`.

    `run` raises `SpecError` for a schema whose documents are neither objects nor lists.
    """

    inner: Strategy
    window: int = 2000
    overlap: int = 200
    key: Fields | Mapping[str, Fields] | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.window < 1:
            raise SpecError(f"invalid window of Windowed: got {self.window}", hint="give 1 or more")
        if not 0 <= self.overlap <= self.window / 2:
            hint = f"give a number from 0 to half the window, {self.window // 2}"
            raise SpecError(f"invalid overlap of Windowed: got {self.overlap}", hint=hint)
        for place, fields in self._keys().items():
            if not fields or "" in fields:
                raise SpecError(f"invalid key of Windowed: got {fields!r}", hint="name one field or more")
            if place not in (EVERY, "") and not place.startswith("/"):
                problem = f"invalid key of Windowed: got {place!r}, expected a JSON Pointer of a list"
                raise SpecError(problem, hint=f"give '/{place}'")

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        schemas = {id(task.schema): task.schema for task in tasks}
        for schema in schemas.values():
            _check_schema(schema, self._keys())
        parts = {known: part_of(schema, _PART) for known, schema in schemas.items()}
        cuts = self._cuts(tasks, model)
        asked: list[Task[Any]] = []
        for task, windows in zip(tasks, cuts, strict=True):
            schema = parts[id(task.schema)]
            # Earlier turns speak of the whole text.
            whole = len(windows) < 2
            asked += [task] if whole else [replace(task, text=one.text, schema=schema, turns=()) for one in windows]
        found = iter(self.inner.run(asked, model) if asked else [])
        results = []
        for task, windows in zip(tasks, cuts, strict=True):
            own = [next(found) for _ in windows]
            results.append(own[0] if len(own) == 1 else merged(task, windows, own, self._keys()))
        return results

    def _keys(self) -> Keys:
        if self.key is None:
            return {}
        given = self.key if isinstance(self.key, Mapping) else {EVERY: self.key}
        return {place: (fields,) if isinstance(fields, str) else tuple(fields) for place, fields in given.items()}

    def _cuts(self, tasks: Sequence[Task[Any]], model: Model) -> list[list[Window]]:
        """The windows of each task; a single one for a text that needs no cut."""
        count = None
        cuts = []
        for task in tasks:
            windows = [Window(number=1, start=0, end=len(task.text), text=task.text, pieces=(task.text,))]
            # No tokenizer makes more tokens than bytes.
            if len(task.text.encode(errors="replace")) > self.window:
                count = count or counter(getattr(innermost(first_asked(self.inner, model)), "encode", None))
                if count(task.text) > self.window:
                    windows = cut(task.text, self.window, self.overlap, count)
            cuts.append(windows)
        return cuts


def _check_schema(schema: Schema[Any], keys: Keys) -> None:
    kinds = kinds_of(schema.json_schema, schema.json_schema)
    if schema.language is not None or not kinds & {"array", "object"}:
        problem = f"Windowed cannot merge documents of {schema.name}, which are neither objects nor lists"
        raise SpecError(problem, hint="give a schema with fields, or leave Windowed out")
    names = _names(schema.json_schema)
    for place, fields in keys.items():
        for name in fields:
            step = pointer((name,))
            is_known = name in names or not names if place == EVERY else admits(schema, f"{place}/*{step}")
            if not is_known:
                where = "any list" if place == EVERY else repr(place)
                hint = 'name a field of the items: key="number", or key={"/lines": "number"}'
                raise SpecError(f"unknown key {name!r} of {where} in {schema.name}", hint=hint)


def _names(schema: Any) -> set[str]:
    """The names of all members that a schema declares."""
    found: set[str] = set()
    stack = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            found |= set(node["properties"]) if isinstance(node.get("properties"), dict) else set()
            stack += node.values()
        elif isinstance(node, list | tuple):
            stack += node
    return found
