"""Fit a document to a schema without changing what it says: types, spellings and nesting, each change an edit.

What is valid already is never touched. For the rest every reading is tried and weighed; two that weigh the same and
differ are ambiguous, and ambiguity is an issue, not a guess.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from structout.document import Json
from structout.issue import Issue, pointer
from structout.repair.budget import Budget
from structout.repair.edits import Edit, Grade, json_text, worst
from structout.repair.read import read_encoded
from structout.repair.scalars import Decimal, means_null
from structout.repair.shape import Shape, plain, type_of
from structout.repair.spell import Place, read_scalar

Path = tuple[str | int, ...]
Siblings = tuple[object, ...]

_DEEPEST: Final = 60
_STEPS_A_MISFIT: Final = 250  # what a value costs that does not fit, in characters read
_TURNS: Final = 2
_MOST_BRANCHES: Final = 64
_WEIGHT: Final = {"unwrapped": 2, "wrapped": 4, "listed": 3, "text": 3, "boolean_number": 3}
_VALUE_KEYS: Final = frozenset({"value", "answer", "result", "text", "const"})
_SCHEMA_KEYS: Final = frozenset(
    {
        "$schema",
        "$id",
        "$defs",
        "title",
        "type",
        "description",
        "required",
        "additionalProperties",
        "name",
        "definitions",
    }
)
_ARGUMENT_KEYS: Final = frozenset({"arguments", "parameters", "args", "input"})
_CALL_KEYS: Final = frozenset({"name", "function", "tool", "tool_name", "type", "id"})
_PAIR_KEYS: Final = (("key", "value"), ("name", "value"), ("field", "value"), ("k", "v"))


@dataclass(frozen=True, slots=True)
class Fit:
    """One reading of a value: what it becomes, by which edits, and what could not be decided."""

    value: Json
    edits: tuple[Edit, ...] = ()
    issues: tuple[Issue, ...] = ()
    fits: bool = True

    @property
    def cost(self) -> tuple[int, int]:
        """How far the reading goes: the gravest grade first, then the weight of all edits."""
        return worst(self.edits), sum(_WEIGHT.get(edit.kind, 1) for edit in self.edits)


class Coercer:
    """Fits documents to shapes. `source` is the text they were read from; `drastic` tries lossy edits too."""

    def __init__(self, budget: Budget, source: str, decimal: Decimal | None, *, drastic: bool) -> None:
        self.budget = budget
        self.source = source
        self.decimal = decimal
        self.drastic = drastic
        self.respelling = False

    def read(self, value: Json, shape: Shape) -> Fit:
        """The best reading of a document.

        Where keys had to be respelled, the parts that comply as they are have their keys respelled too: an open
        schema takes `RADIUS` for another key than its optional `radius`, but who writes one in capitals writes all so.
        """
        fit = self.fit(value, shape)
        if any(edit.kind == "key" for edit in fit.edits):
            self.respelling = True
            fit = self.fit(value, shape)
        return fit

    def fit(
        self, value: Json, shape: Shape, path: Path = (), siblings: Siblings = (), depth: int = 0, turns: int = _TURNS
    ) -> Fit:
        """The best reading of a value; one that does not fit if there is none.

        `turns` is how often the nesting may still be changed on the way down: without a limit, wrapping and
        unwrapping would go on for ever.
        """
        self.budget.spend(8)
        if not shape.never and shape.valid(value) and not (self.respelling and _is_misspelt(value, shape, depth)):
            return Fit(value)
        self.budget.spend(_STEPS_A_MISFIT)
        if depth > _DEEPEST:
            return Fit(value, fits=False)
        at = _Here(path, siblings, depth, turns)
        branches = _leaves(value, shape, depth)
        best = self._choose(value, [fit for branch in branches for fit in self._direct(value, branch, at)], shape, path)
        if best.fits or best.issues or not turns:
            return best
        other = self._choose(
            value, [fit for branch in branches for fit in self._reshaped(value, branch, at)], shape, path
        )
        return other if other.fits or other.issues else best

    def _choose(self, value: Json, readings: list[Fit], shape: Shape, path: Path) -> Fit:
        fitting = [
            reading for reading in readings if reading.fits and not reading.issues and shape.valid(reading.value)
        ]
        if not fitting:
            doubtful = [reading for reading in readings if reading.issues]
            if doubtful:
                return replace(min(doubtful, key=lambda reading: reading.cost), fits=False)
            near = [reading for reading in readings if type(reading.value) is type(value)]
            return replace(near[0], fits=False) if near else Fit(value, fits=False)
        best = min(fitting, key=lambda reading: reading.cost)
        for other in fitting:
            if other.cost == best.cost and not same(other.value, best.value):
                message = f"{_short(value)} can be read as {_short(best.value)} or as {_short(other.value)}"
                return Fit(value, (), (Issue(pointer(path), "ambiguous", message),), fits=False)
        return best

    def _direct(self, value: Json, shape: Shape, at: "_Here") -> Iterator[Fit]:
        """The readings that keep the nesting as it is."""
        if isinstance(value, dict):
            if "object" in shape.types:
                yield self._members(value, shape, at)
        elif isinstance(value, list):
            if "array" in shape.types:
                yield self._items(value, shape, at)
        else:
            place = Place(str(at.path[-1]) if at.path else "", shape.about, at.siblings, pointer(at.path))
            for found in read_scalar(value, shape, place, self.decimal, self.source, drastic=self.drastic):
                yield Fit(*found)

    def _reshaped(self, value: Json, shape: Shape, at: "_Here") -> Iterator[Fit]:
        """The readings that change the nesting: of what is wrapped, or alone, or a string, and should not be."""
        types = shape.types
        if isinstance(value, dict):
            yield from self._unwrapped(value, shape, at)
        elif isinstance(value, list):
            pairs = list(self._paired(value, shape, at)) if "object" in types else []
            yield from pairs
            told = pairs and any(isinstance(value[0], dict) and value[0].keys() == set(keys) for keys in _PAIR_KEYS)
            if len(value) == 1 and not told:
                yield self._again("unlisted", value, value[0], shape, at)
        elif isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            yield from self._encoded(value, shape, at)
        if not shape.typed or value is None:
            return
        nested = shape.items is not None and shape.items.types == ("array",)
        if "array" in types and (nested or not isinstance(value, list)):
            yield from self._listed(value, shape, at)
        if "object" in types:
            yield from self._wrapped(value, shape, at)

    def _again(self, kind: str, before: Json, value: Json, shape: Shape, at: "_Here", grade: Grade = "lossless") -> Fit:
        """Fit another value in the place of one."""
        fit = self.fit(value, shape, at.path, at.siblings, at.depth + 1, at.turns - 1)
        edit = Edit(kind, grade, pointer(at.path), json_text(before), json_text(fit.value))
        return replace(fit, edits=(edit, *fit.edits))

    # Objects.

    def _members(self, value: dict[str, Json], shape: Shape, at: "_Here") -> Fit:
        """Fit each member, its key first; drop nulls that stand for an absent optional."""
        path = at.path
        properties, spellings = shape.properties, shape.spellings
        found: dict[str, Json] = {}
        edits: list[Edit] = []
        issues: list[Issue] = []
        fits = True
        siblings = tuple(item for item in value.values() if isinstance(item, str) and len(item) <= 20)
        for key, item in value.items():
            self.budget.spend(4)
            name = key
            if key not in properties:
                meant = spellings.get(plain(key))
                if meant is not None and meant not in value and not (shape.closed and shape.allows_key(key)):
                    if meant in found:
                        issues.append(Issue(pointer((*path, meant)), "ambiguous", f"two keys spell {meant!r}"))
                        continue
                    name = meant
                    edits.append(Edit("key", "lossless", pointer((*path, name)), json_text(key), json_text(name)))
            inner = properties.get(name)
            if inner is None:
                if shape.allows_key(name):
                    found[name] = item
                    other = shape.undeclared(name)
                    if other is not None:
                        fit = self.fit(item, other, (*path, name), (), at.depth + 1, at.turns)
                        found[name], fits = fit.value, fits and fit.fits
                        edits += fit.edits
                        issues += fit.issues
                elif item is None or self.drastic:
                    grade: Grade = "lossless" if item is None else "lossy"
                    edits.append(Edit("extra_key", grade, pointer((*path, name)), json_text(item), ""))
                else:
                    found[name], fits = item, False
                continue
            fit = self.fit(item, inner, (*path, name), siblings, at.depth + 1, at.turns)
            absent = item is None or (isinstance(item, str) and means_null(item))
            if not fit.fits and name not in shape.required and (absent or self.drastic):
                kind, grade = ("null", "lossless") if absent else ("dropped", "lossy")
                edits.append(Edit(kind, grade, pointer((*path, name)), json_text(item), ""))
                continue
            found[name], fits = fit.value, fits and fit.fits
            edits += fit.edits
            issues += fit.issues
        for name in sorted(shape.required - found.keys()):
            filled = self._filled(name, shape, path) if self.drastic else None
            if filled is None:
                fits = False
            else:
                found[name] = filled.value
                edits += filled.edits
        return Fit(found, tuple(edits), tuple(issues), fits)

    @staticmethod
    def _filled(name: str, shape: Shape, path: Path) -> Fit | None:
        inner = shape.properties.get(name)
        if inner is None:
            return None
        values = inner.values
        if inner.default is not None:
            value = inner.default[0]
        elif len(values) == 1:
            value = values[0]
        elif inner.valid(None):
            value = None
        else:
            return None
        return Fit(value, (Edit("default", "invented", pointer((*path, name)), "", json_text(value)),))

    def _unwrapped(self, value: dict[str, Json], shape: Shape, at: "_Here") -> Iterator[Fit]:
        """What a wrapper holds: `{"part": {...}}`, a schema that was filled in, a function call."""
        keys = value.keys()
        scalar = not {"object", "array"} & set(shape.types)
        if len(keys) == 1:
            ((key, item),) = value.items()
            name = str(at.path[-1]) if at.path else shape.root.schema.name
            named = plain(key) == plain(name) or plain(key) in _VALUE_KEYS
            fitting = named if scalar else _is_known(item, shape) and (not at.path or bool(shape.properties))
            if key not in shape.properties and fitting:
                yield self._again("unwrapped", value, item, shape, at)
        elif scalar and "value" in keys and keys <= {"value", "type", "title", "description"}:
            yield self._again("unwrapped", value, value["value"], shape, at)
        elif "properties" in keys and "properties" not in shape.properties and keys <= _SCHEMA_KEYS | {"properties"}:
            yield self._again("unwrapped", value, value["properties"], shape, at)
        else:
            calls = [key for key in keys & _ARGUMENT_KEYS - shape.properties.keys() if keys <= {key} | _CALL_KEYS]
            named = any(item == shape.root.schema.name for item in value.values())
            for key in calls:
                if named or self.drastic:
                    yield self._again("unwrapped", value, value[key], shape, at, "lossless" if named else "lossy")
            if not calls and self.drastic and not scalar:
                for key, item in value.items():
                    if key not in shape.properties and isinstance(item, dict):
                        yield self._again("unwrapped", value, item, shape, at, "lossy")

    def _wrapped(self, value: Json, shape: Shape, at: "_Here") -> Iterator[Fit]:
        """Put a value under the one key that the schema has."""
        names = list(shape.properties)
        if len(names) != 1 and isinstance(value, list):
            names = [name for name in names if "array" in shape.properties[name].types and shape.properties[name].typed]
        if len(names) != 1 or not shape.required <= set(names) or value in ({}, []):
            return
        if isinstance(value, dict) and any(plain(key) == plain(names[0]) for key in value):
            return
        fit = self.fit(value, shape.properties[names[0]], (*at.path, names[0]), (), at.depth + 1, at.turns - 1)
        found: Json = {names[0]: fit.value}
        edit = Edit("wrapped", "lossless", pointer(at.path), json_text(value), json_text(found))
        yield replace(fit, value=found, edits=(edit, *fit.edits))

    def _paired(self, value: list[Json], shape: Shape, at: "_Here") -> Iterator[Fit]:
        """An object that was written as a list of pairs."""
        pairs: list[tuple[Json, Json]] = []
        for item in value:
            if isinstance(item, list) and len(item) == 2:
                pairs.append((item[0], item[1]))
            elif isinstance(item, dict) and len(item) == 1:
                pairs += item.items()
            elif isinstance(item, dict) and len(item) == 2:
                pairs += [(item[key], item[name]) for key, name in _PAIR_KEYS if key in item and name in item][:1]
        made = {key: item for key, item in pairs if isinstance(key, str)}
        if value and len(made) == len(pairs) == len(value):
            yield self._again("pairs", value, made, shape, at)

    # Lists.

    def _items(self, value: list[Json], shape: Shape, at: "_Here") -> Fit:
        found: list[Json] = []
        edits: list[Edit] = []
        issues: list[Issue] = []
        fits = True
        for index, item in enumerate(value):
            inner = shape.first_items[index] if index < len(shape.first_items) else shape.items
            if inner is None:
                found.append(item)
                continue
            fit = self.fit(item, inner, (*at.path, len(found)), (), at.depth + 1, at.turns)
            if not fit.fits and self.drastic:
                edits.append(Edit("dropped", "lossy", pointer((*at.path, index)), json_text(item), ""))
                continue
            found.append(fit.value)
            fits = fits and fit.fits
            edits += fit.edits
            issues += fit.issues
        return Fit(found, tuple(edits), tuple(issues), fits)

    def _listed(self, value: Json, shape: Shape, at: "_Here") -> Iterator[Fit]:
        """A list of one that was written as its item, a list in one string, a list with its indexes as keys."""
        yield self._again("listed", value, [value], shape, at)
        if isinstance(value, str):
            text = value.strip()
            sign = next((sign for sign in ("\n", ";", ",") if sign in text), None)
            pieces: list[Json] = [piece.strip().lstrip("-*• ") for piece in text.split(sign) if piece.strip()]
            if len(pieces) > 1:
                yield self._again("listed", value, pieces, shape, at)  # as likely as a list of one
        elif isinstance(value, dict) and value and list(value) == [str(index) for index in range(len(value))]:
            yield self._again("listed", value, list(value.values()), shape, at)

    # Text.

    def _encoded(self, value: str, shape: Shape, at: "_Here") -> Iterator[Fit]:
        """A document inside a string."""
        reading = read_encoded(value, self.budget)
        if reading is not None and (reading[1] == "lossless" or self.drastic):
            yield self._again("encoded", value, reading[0], shape, at, reading[1])


@dataclass(frozen=True, slots=True)
class _Here:
    """Where a value stands: its path, the strings beside it, how deep it is, and what may still be reshaped."""

    path: Path
    siblings: Siblings
    depth: int
    turns: int


def _is_misspelt(value: Json, shape: Shape, depth: int) -> bool:
    """Whether an object, or one inside it, has an undeclared key that spells a declared one."""
    if depth > _DEEPEST:
        return False
    if isinstance(value, list):
        return shape.items is not None and any(_is_misspelt(item, shape.items, depth + 1) for item in value)
    if not isinstance(value, dict) or shape.branches:
        return False
    for key, item in value.items():
        inner = shape.properties.get(key)
        if inner is None:
            meant = shape.spellings.get(plain(key))
            if meant is not None and meant not in value:
                return True
            inner = shape.undeclared(key)
        if inner is not None and isinstance(item, dict | list) and _is_misspelt(item, inner, depth + 1):
            return True
    return False


def _is_known(item: Json, shape: Shape, depth: int = 1) -> bool:
    """Whether what a wrapper holds can be what is wanted: a list, or an object with a key of the schema's."""
    if isinstance(item, dict):
        if not shape.properties or any(plain(key) in shape.known_keys for key in item):
            return True
        return len(item) == 1 and depth < _TURNS and _is_known(next(iter(item.values())), shape, depth + 1)
    return isinstance(item, list) or (isinstance(item, str) and item.lstrip()[:1] in ("{", "["))


def _leaves(value: Json, shape: Shape, depth: int) -> tuple[Shape, ...]:
    """The alternatives that a shape comes down to: itself, if it is no union."""
    if not shape.branches or depth > _DEEPEST:
        return (shape,)
    found: list[Shape] = []
    stack = list(reversed(_tagged(value, shape.branches)))
    while stack and len(found) < _MOST_BRANCHES:
        branch = stack.pop()
        if branch.branches:
            stack += reversed(_tagged(value, branch.branches))
        else:
            found.append(branch)
    return tuple(found)


def _tagged(value: Json, branches: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """The alternatives whose fixed members (a discriminator) the value has; all of them if that tells nothing."""
    if not isinstance(value, dict):
        return branches
    written = {plain(key): item for key, item in value.items()}
    chosen = []
    for branch in branches:
        tags = {key: inner.values for key, inner in branch.properties.items() if len(inner.values) == 1}
        told = [(written[plain(key)], values[0]) for key, values in tags.items() if plain(key) in written]
        if told and all(plain(str(item)) == plain(str(tag)) for item, tag in told):
            chosen.append(branch)
    return tuple(chosen) or branches


def same(one: Json, other: Json) -> bool:
    """Whether two documents are equal as JSON: True is not 1, and keys have no order."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(item, other[key]) for key, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return (type_of(one)[:3] in ("num", "int") and type_of(other)[:3] in ("num", "int") and one == other) or (
        type_of(one) == type_of(other) and one == other
    )


def _short(value: Any) -> str:
    text = json_text(value)
    return text if len(text) <= 60 else text[:59] + "…"
