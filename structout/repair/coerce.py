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

_DEEPEST: Final = 60
_WEIGHT: Final = {"unwrapped": 2, "wrapped": 2, "text": 3, "boolean_number": 3, "split": 2, "pairs": 2, "extra_key": 5}
_VALUE_KEYS: Final = frozenset({"value", "answer", "result", "text", "const"})
_SCHEMA_KEYS: Final = frozenset(
    {"$schema", "$id", "$defs", "title", "type", "description", "required", "additionalProperties", "name", "definitions"}
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

    def fit(self, value: Json, shape: Shape, path: Path = (), siblings: tuple[object, ...] = (), depth: int = 0) -> Fit:
        """The best reading of a value; one that does not fit if there is none."""
        self.budget.spend(8)
        if not shape.never and shape.valid(value):
            return Fit(value)
        if depth > _DEEPEST:
            return Fit(value, fits=False)
        return self._choose(value, list(self._readings(value, shape, path, siblings, depth)), shape, path)

    def _choose(self, value: Json, readings: list[Fit], shape: Shape, path: Path) -> Fit:
        fitting = [reading for reading in readings if reading.fits and not reading.issues and shape.valid(reading.value)]
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

    def _readings(
        self, value: Json, shape: Shape, path: Path, siblings: tuple[object, ...], depth: int
    ) -> Iterator[Fit]:
        branches = shape.branches
        if branches:
            for branch in _tagged(value, branches):
                yield from self._readings(value, branch, path, siblings, depth + 1) if depth <= _DEEPEST else ()
            return
        types = shape.types
        if isinstance(value, dict):
            if "object" in types:
                yield self._members(value, shape, path, depth)
            yield from self._unwrapped(value, shape, path, siblings, depth)
        elif isinstance(value, list):
            if "array" in types:
                yield self._items(value, shape, path, depth)
            if "object" in types:
                yield from self._paired(value, shape, path, depth)
            if len(value) == 1:
                yield self._with("unlisted", value, self.fit(value[0], shape, path, siblings, depth + 1), path)
        else:
            place = Place(str(path[-1]) if path else "", shape.about, siblings, pointer(path))
            yield from (
                Fit(reading, edits, issues)
                for reading, edits, issues in read_scalar(
                    value, shape, place, self.decimal, self.source, drastic=self.drastic
                )
            )
            if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
                yield from self._encoded(value, shape, path, siblings, depth)
        if "array" in types and not isinstance(value, list) and value is not None and shape.typed:
            yield from self._listed(value, shape, path, depth)
        if "object" in types and shape.typed:
            yield from self._wrapped(value, shape, path, depth)

    # Objects.

    def _members(self, value: dict[str, Json], shape: Shape, path: Path, depth: int) -> Fit:
        """Fit each member, its key first; drop nulls that stand for an absent optional."""
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
                    if shape.others is not None and not shape.patterns:
                        fit = self.fit(item, shape.others, (*path, name), (), depth + 1)
                        found[name], fits = fit.value, fits and fit.fits
                        edits += fit.edits
                        issues += fit.issues
                elif item is None or self.drastic:
                    grade: Grade = "lossless" if item is None else "lossy"
                    edits.append(Edit("extra_key", grade, pointer((*path, name)), json_text(item), ""))
                else:
                    found[name], fits = item, False
                continue
            fit = self.fit(item, inner, (*path, name), siblings, depth + 1)
            absent = item is None or (isinstance(item, str) and means_null(item))
            if not fit.fits and name not in shape.required and (absent or self.drastic):
                kind, grade = ("null", "lossless") if absent else ("dropped", "lossy")
                edits.append(Edit(kind, grade, pointer((*path, name)), json_text(item), ""))  # type: ignore[arg-type]
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

    def _unwrapped(
        self, value: dict[str, Json], shape: Shape, path: Path, siblings: tuple[object, ...], depth: int
    ) -> Iterator[Fit]:
        """What a wrapper holds: `{"part": {...}}`, a schema that was filled in, a function call."""
        keys = value.keys()
        scalar = not {"object", "array"} & set(shape.types)
        inner: list[tuple[Json, bool]] = []
        if len(keys) == 1:
            ((key, item),) = value.items()
            named = plain(key) in (plain(str(path[-1])) if path else plain(shape.root.schema.name), *_VALUE_KEYS)
            if key not in shape.properties and (named or (not scalar and isinstance(item, dict | list | str))):
                inner.append((item, True))
        elif scalar and "value" in keys and keys <= {"value", "type", "title", "description"}:
            inner.append((value["value"], True))
        elif "properties" in keys and "properties" not in shape.properties and keys <= _SCHEMA_KEYS | {"properties"}:
            inner.append((value["properties"], True))
        else:
            for key in keys & _ARGUMENT_KEYS - shape.properties.keys():
                if keys <= {key} | _CALL_KEYS:
                    named = any(item == shape.root.schema.name for item in value.values())
                    inner.append((value[key], named))
            if not inner and self.drastic and not scalar:
                inner += [(item, False) for key, item in value.items() if key not in shape.properties and isinstance(item, dict)]
        for item, whole in inner:
            fit = self.fit(item, shape, path, siblings, depth + 1)
            if whole or self.drastic:
                yield self._with("unwrapped", value, fit, path, "lossless" if whole else "lossy")

    def _wrapped(self, value: Json, shape: Shape, path: Path, depth: int) -> Iterator[Fit]:
        """Put a value under the one key that the schema has."""
        names = list(shape.properties)
        if len(names) != 1 and isinstance(value, list):
            names = [name for name in names if "array" in shape.properties[name].types and shape.properties[name].typed]
        if len(names) != 1 or not shape.required <= set(names) or (isinstance(value, dict) and names[0] in value):
            return
        if value is None or (isinstance(value, dict) and not value):
            return
        fit = self.fit(value, shape.properties[names[0]], (*path, names[0]), (), depth + 1)
        yield self._with("wrapped", value, replace(fit, value={names[0]: fit.value}), path)

    def _paired(self, value: list[Json], shape: Shape, path: Path, depth: int) -> Iterator[Fit]:
        """An object that was written as a list of pairs."""
        pairs: list[tuple[Json, Json]] = []
        for item in value:
            if isinstance(item, list) and len(item) == 2:
                pairs.append((item[0], item[1]))
            elif isinstance(item, dict) and len(item) == 1:
                pairs += item.items()
            elif isinstance(item, dict) and len(item) == 2:
                pairs += [(item[key], item[name]) for key, name in _PAIR_KEYS if key in item and name in item][:1]
        if len(pairs) != len(value) or not value:
            return
        made = {key: item for key, item in pairs if isinstance(key, str)}
        if len(made) == len(pairs):
            yield self._with("pairs", value, self.fit(made, shape, path, (), depth + 1), path)

    # Lists.

    def _items(self, value: list[Json], shape: Shape, path: Path, depth: int) -> Fit:
        found: list[Json] = []
        edits: list[Edit] = []
        issues: list[Issue] = []
        fits = True
        for index, item in enumerate(value):
            inner = shape.first_items[index] if index < len(shape.first_items) else shape.items
            if inner is None:
                found.append(item)
                continue
            place = (*path, len(found))
            fit = self.fit(item, inner, place, (), depth + 1)
            if not fit.fits and self.drastic:
                edits.append(Edit("dropped", "lossy", pointer((*path, index)), json_text(item), ""))
                continue
            found.append(fit.value)
            fits = fits and fit.fits
            edits += fit.edits
            issues += fit.issues
        return Fit(found, tuple(edits), tuple(issues), fits)

    def _listed(self, value: Json, shape: Shape, path: Path, depth: int) -> Iterator[Fit]:
        """A list of one that was written as its item, a list in one string, a list with its indexes as keys."""
        yield self._with("listed", value, self.fit([value], shape, path, (), depth + 1), path)
        if isinstance(value, str):
            for sign in ("\n", ";", ","):
                if sign in value.strip():
                    pieces: list[Json] = [piece.strip().lstrip("-*• ") for piece in value.strip().split(sign) if piece.strip()]
                    if len(pieces) > 1:
                        fit = self.fit(pieces, shape, path, (), depth + 1)
                        yield self._with("listed", value, fit, path)  # as likely as a list of one
                    return
        elif isinstance(value, dict) and value and list(value) == [str(index) for index in range(len(value))]:
            yield self._with("listed", value, self.fit(list(value.values()), shape, path, (), depth + 1), path)

    # Text.

    def _encoded(self, value: str, shape: Shape, path: Path, siblings: tuple[object, ...], depth: int) -> Iterator[Fit]:
        """A document inside a string."""
        reading = read_encoded(value, self.budget)
        if reading is not None:
            document, grade = reading
            if grade == "lossless" or self.drastic:
                yield self._with("encoded", value, self.fit(document, shape, path, siblings, depth + 1), path, grade)

    @staticmethod
    def _with(kind: str, before: Json, fit: Fit, path: Path, grade: Grade = "lossless") -> Fit:
        edit = Edit(kind, grade, pointer(path), json_text(before), json_text(fit.value))
        return replace(fit, edits=(edit, *fit.edits))


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
    return type_of(one)[:3] in ("num", "int") and type_of(other)[:3] in ("num", "int") and one == other or (
        type_of(one) == type_of(other) and one == other
    )


def _short(value: Any) -> str:
    text = json_text(value)
    return text if len(text) <= 60 else text[:59] + "…"
