"""The coercer: fits the types, spellings and nesting of a document to a schema, with an edit for each change.

Valid values are never touched. For every other value, all readings are tried and weighed. If the two best readings
differ and weigh the same, the value is ambiguous: the coercer gives an issue and does not guess.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from structout.document import Json
from structout.issue import Issue, Steps, pointer
from structout.parsing.allowance import Allowance
from structout.parsing.edits import Decimal, Edit, EditKind, Grade, edit_text, worst
from structout.parsing.fit.key_names import all_shouted, is_misspelt, shouted
from structout.parsing.fit.literals import means_null
from structout.parsing.fit.nesting import proposals
from structout.parsing.fit.scalars import ScalarPlace, read_scalar
from structout.parsing.fit.shape import Shape, plain_key, type_of
from structout.parsing.fit.unions import alternatives

Siblings = tuple[object, ...]

_DEEPEST: Final = 60
_STEPS_A_MISFIT: Final = 250  # the cost of a value that does not fit, in characters read
_TURNS: Final = 2
_WEIGHT: Final = {
    "unwrapped": 2,
    "flattened": 2,
    "unlisted": 2,
    "wrapped": 4,
    "listed": 3,
    "text": 3,
    "boolean_number": 3,
}


class Fit(NamedTuple):
    """One reading of a value: the new value, the edits that lead to it, and the issues that stay open."""

    value: Json
    edits: tuple[Edit, ...] = ()
    issues: tuple[Issue, ...] = ()
    fits: bool = True

    @property
    def cost(self) -> tuple[int, int]:
        """The cost of the reading: first the worst grade, then the weight of all edits."""
        return worst(self.edits), sum(_WEIGHT.get(edit.kind, 1) for edit in self.edits)


class Coercer:
    """Fits a document to shapes. `source` is its text, and `edits` lead from the text to the document.

    `drastic` also tries lossy edits.
    """

    def __init__(
        self,
        allowance: Allowance,
        source: str,
        decimal: Decimal | None,
        edits: tuple[Edit, ...] = (),
        *,
        drastic: bool,
    ) -> None:
        self.allowance = allowance
        self.literals: dict[str, list[str]] = {}
        for edit in edits:
            if edit.kind == "literal" and edit.before not in self.literals.setdefault(edit.after, []):
                self.literals[edit.after].append(edit.before)
        self.source = source
        self.decimal = decimal
        self.drastic = drastic
        self.respelling = False

    def read(self, value: Json, shape: Shape) -> Fit:
        """The best reading of a document.

        If any key has to be respelled, a second pass also respells keys in parts that already comply. An open schema
        accepts `RADIUS` as an extra key beside its optional `radius`, but a model that writes one key in capitals
        writes all keys so.
        """
        fit = self.fit(value, shape)
        if any(edit.kind == "key" for edit in fit.edits):
            self.respelling = True
            fit = self.fit(value, shape)
            key = shouted(fit.value, shape) if fit.fits and all_shouted(value) else ""
            if key:
                message = f"all keys are in capitals, and the schema has no {key!r}: write the keys as they should be"
                return Fit(value, (), (Issue("", "ambiguous", message),), fits=False)
        return fit

    def fit(
        self, value: Json, shape: Shape, path: Steps = (), siblings: Siblings = (), depth: int = 0, turns: int = _TURNS
    ) -> Fit:
        """The best reading of a value; its `fits` is False if no reading fits.

        `turns` is how many more changes of nesting are allowed on the way down: without a limit, wrapping and
        unwrapping would never end.
        """
        self.allowance.spend(8)
        if not shape.never and shape.valid(value) and not (self.respelling and is_misspelt(value, shape, depth)):
            return Fit(value)
        self.allowance.spend(_STEPS_A_MISFIT)
        if depth > _DEEPEST:
            return Fit(value, fits=False)
        at = _Here(path, siblings, depth, turns)
        branches = alternatives(value, shape)
        direct = [fit for branch in branches for fit in self._direct(value, branch, at)]
        if any(_takes_number(value, branch) for branch in branches):  # a number stays one, also out of bounds
            direct = [fit for fit in direct if not any(edit.kind == "text" for edit in fit.edits)]
        best = self._choose(value, direct, shape, path)
        if best.fits or best.issues or not turns:
            return best
        other = self._choose(
            value, [fit for branch in branches for fit in self._reshaped(value, branch, at)], shape, path
        )
        return other if other.fits or other.issues else best

    def _choose(self, value: Json, readings: list[Fit], shape: Shape, path: Steps) -> Fit:
        fitting = [
            reading for reading in readings if reading.fits and not reading.issues and shape.valid(reading.value)
        ]
        if not fitting:
            doubtful = [reading for reading in readings if reading.issues]
            if doubtful:
                return min(doubtful, key=lambda reading: reading.cost)._replace(fits=False)
            near = [reading for reading in readings if type(reading.value) is type(value)]
            return near[0]._replace(fits=False) if near else Fit(value, fits=False)
        best = min(fitting, key=lambda reading: reading.cost)
        for other in fitting:
            if other.cost == best.cost and not same(other.value, best.value):
                both = f"{_short(best.value)} or as {_short(other.value)}"
                message = f"{_short(value)} can be read as {both}: write one of them"
                return Fit(value, (), (Issue(pointer(path), "ambiguous", message),), fits=False)
        return best

    def _direct(self, value: Json, shape: Shape, at: "_Here") -> Iterator[Fit]:
        """The readings that keep the nesting."""
        if isinstance(value, dict):
            if "object" in shape.types:
                yield self._members(value, shape, at)
        elif isinstance(value, list):
            if "array" in shape.types:
                yield self._items(value, shape, at)
        else:
            place = ScalarPlace(str(at.path[-1]) if at.path else "", shape.about, at.siblings, pointer(at.path))
            for found in read_scalar(
                value, shape, place, self.decimal, self.source, self.literals, drastic=self.drastic
            ):
                yield Fit(*found)

    def _reshaped(self, value: Json, shape: Shape, at: "_Here") -> Iterator[Fit]:
        """The readings that change the nesting, such as unwrapping, listing, or parsing a string."""
        for kind, other, grade, under in proposals(value, shape, at.path, self.allowance, drastic=self.drastic):
            if under:
                inner, path = shape.properties[under], (*at.path, under)
                fit = self.fit(other, inner, path, (), at.depth + 1, at.turns - 1)
                fit = fit._replace(value={under: fit.value})
            else:
                fit = self.fit(other, shape, at.path, at.siblings, at.depth + 1, at.turns - 1)
            edit = Edit(kind, grade, pointer(at.path), edit_text(value), edit_text(fit.value))
            yield fit._replace(edits=(edit, *fit.edits))

    # Objects.

    def _members(self, value: dict[str, Json], shape: Shape, at: "_Here") -> Fit:
        """Fit each member, first its key and then its value. Nulls for absent optional members are dropped."""
        path = at.path
        properties, spellings = shape.properties, shape.spellings
        found: dict[str, Json] = {}
        edits: list[Edit] = []
        issues: list[Issue] = []
        fits = True
        siblings = tuple(item for item in value.values() if isinstance(item, str) and len(item) <= 20)
        for key, item in value.items():
            self.allowance.spend(4)
            name = key
            if key not in properties:
                meant = spellings.get(plain_key(key))
                if meant is not None and meant not in value and not (shape.closed and shape.allows_key(key)):
                    if meant in found:
                        issues.append(Issue(pointer((*path, meant)), "ambiguous", f"two keys spell {meant!r}"))
                        continue
                    name = meant
                    edits.append(Edit("key", "lossless", pointer((*path, name)), edit_text(key), edit_text(name)))
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
                elif item is None or (doubled := _is_doubled(key, item, value, spellings)) or self.drastic:
                    grade: Grade = "lossless" if item is None or doubled else "lossy"
                    edits.append(Edit("extra_key", grade, pointer((*path, name)), edit_text(item), ""))
                else:
                    found[name], fits = item, False
                continue
            fit = self.fit(item, inner, (*path, name), siblings, at.depth + 1, at.turns)
            absent = item is None or (isinstance(item, str) and means_null(item))
            if not fit.fits and name not in shape.required and (absent or self.drastic):
                why: EditKind = "null" if absent else "dropped"
                blank = "string" in inner.types and not inner.values and isinstance(item, str) and not item.strip()
                grade = "lossless" if absent and not blank else "lossy"
                edits.append(Edit(why, grade, pointer((*path, name)), edit_text(item), ""))
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
    def _filled(name: str, shape: Shape, path: Steps) -> Fit | None:
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
        return Fit(value, (Edit("default", "invented", pointer((*path, name)), "", edit_text(value)),))

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
                edits.append(Edit("dropped", "lossy", pointer((*at.path, index)), edit_text(item), ""))
                continue
            found.append(fit.value)
            fits = fits and fit.fits
            edits += fit.edits
            issues += fit.issues
        return Fit(found, tuple(edits), tuple(issues), fits)


def _takes_number(value: Json, shape: Shape) -> bool:
    """Whether a value is a number of a type that a shape takes: then only bounds can make it unfit."""
    if isinstance(value, bool) or shape.values:
        return False
    return (isinstance(value, int | float) and "number" in shape.types) or (
        isinstance(value, int) and "integer" in shape.types
    )


def _is_doubled(key: str, item: Json, value: dict[str, Json], spellings: dict[str, str]) -> bool:
    """Whether another spelling of a key holds the same value."""
    meant = spellings.get(plain_key(key), "")
    return meant in value and same(value[meant], item)


class _Here(NamedTuple):
    """The place of a value: its path, its sibling strings, its depth, and how many changes of nesting are left."""

    path: Steps
    siblings: Siblings
    depth: int
    turns: int


def same(one: Json, other: Json) -> bool:
    """Whether two documents are equal as JSON: True differs from 1, and the order of keys does not matter."""
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
    text = edit_text(value)
    return text if len(text) <= 60 else text[:59] + "…"
