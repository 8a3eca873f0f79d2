"""Comparisons for the places of a document, declared in the schema or beside the records."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from difflib import SequenceMatcher
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from structout.document import Json, load_json
from structout.errors import DataError, SchemaError
from structout.evaluation.scoring.execution import Execution
from structout.issue import Steps
from structout.language import Sql
from structout.schema import Schema
from structout.schema.contract import MARK
from structout.schema.references import resolve
from structout.schema.written import is_set
from structout.tables.decimals import is_decimal, with_decimals
from structout.words import caseless, same_text

CompareBy = Literal["exact", "case_insensitive", "numeric", "set", "date", "fuzzy", "execution", "ignore"]


@dataclass(frozen=True, slots=True)
class Compare:
    """The comparison for one place; also an annotation for types: `Annotated[str, Compare("fuzzy", threshold=0.8)]`.

    - `exact`: the same text, or equal numbers. The encoding of accents (NFC or NFD) makes no difference.
    - `case_insensitive`: the same text in any case. `I` is the capital of `i` and of the Turkish `ı`.
    - `numeric`: a difference of at most `tolerance`, or of that share of the expected number if `relative`; also of two
      texts that are decimals (`57.10` and `57.1`). Pydantic's `Decimal` is compared so by default.
    - `set`: a list in any order. A list with `uniqueItems`, such as Pydantic's `set`, is compared so by default.
    - `date`: the same day.
    - `fuzzy`: a similarity of at least `threshold` (twice the matching letters divided by all letters), in any
      case and width.
    - `execution`: a query that returns the same rows on `tables` filled with `data`.
    - `ignore`: not compared.

    All comparisons except `set` compare a list or an object as a whole.
    """

    by: CompareBy = "exact"
    tolerance: float = 0.0
    relative: bool = False
    threshold: float = 0.9
    tables: str = ""
    data: str = ""

    def __post_init__(self) -> None:
        if self.by not in get_args(CompareBy):
            raise DataError(f"unknown comparison {self.by!r}", hint=f"give {', '.join(get_args(CompareBy))}")

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core), MARK: self.to_json()}

    @classmethod
    def of(cls, written: Any) -> "Compare":
        """Read a name, or an object with the name as `by` and further fields. Raises `DataError`."""
        row = {"by": written} if isinstance(written, str) else written
        known = {one.name for one in fields(cls)}
        if not isinstance(row, Mapping) or "by" not in row or not set(row) <= known:
            raise DataError(
                f"invalid comparison: got {written!r}", hint='write "date" or {"by": "numeric", "tolerance": 0.01}'
            )
        return cls(**row)

    def to_json(self) -> dict[str, Any]:
        """The comparison in the form that `of` reads; defaults are left out."""
        return {"by": self.by, **{k: v for k, v in asdict(self).items() if k != "by" and v != getattr(EXACT, k)}}

    def same(self, expected: Json, answer: Json) -> bool:
        """Whether an answer counts as the expected value."""
        if self.by == "numeric" and (pair := _amounts(expected, answer)):
            one, other = pair
            return abs(one - other) <= self.tolerance * (abs(one) if self.relative else 1) * (1 + 1e-9) + 1e-12
        if not (isinstance(expected, str) and isinstance(answer, str)):
            return _equal(expected, answer)
        if self.by == "case_insensitive":
            return caseless(expected) == caseless(answer)
        if self.by == "date":
            return same_text(expected, answer) or bool(_days(expected) & _days(answer))
        if self.by == "fuzzy":
            return _alike(*sorted([_plain(expected), _plain(answer)])) >= self.threshold
        if self.by == "execution":
            return expected == answer or _execution(self.tables, self.data).same(expected, answer)
        return same_text(expected, answer)


_DECIMAL = re.compile(r"[+-]?[0-9]{1,100}(?:\.[0-9]{1,100})?\Z")
EXACT = Compare()
_MOST_PLACES = 100_000  # in one schema
_READ = ("tables", "data")  # fields that are read from files beside the records


@dataclass(frozen=True)
class Comparison:
    """The comparisons by place. A place is a JSON Pointer, with `*` for any item of a list or any key.

    `closed` are the places with enums, constants and booleans: their values need not be found in a text.
    """

    places: Mapping[str, Compare] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, schema: Schema[Any], folder: Path | None = None) -> "Comparison":
        """The comparisons that the schema's annotations declare; `comparison.json` in the folder takes precedence.

        Raises `DataError`, and `SchemaError` for a schema that is too deep or has too many places.
        """
        nodes = _described(schema, schema.marked)
        root = with_decimals(schema)
        exact = _described(schema, root) if root is not schema.json_schema else []
        decimals = {place: Compare("numeric") for place, node in exact if is_decimal(node, root)}
        places = {place: Compare.of(node[MARK]) for place, node in nodes if MARK in node}
        sets = {place: Compare("set") for place, node in nodes if is_set(node)}
        places = decimals | sets | places
        closed = frozenset(place for place, node in nodes if _is_closed(node))
        if folder is not None and (folder / "comparison.json").is_file():
            places |= _read(folder / "comparison.json", schema)
        return cls(places, closed)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Comparison":
        """Read what `to_json` wrote. Raises `DataError` for an invalid comparison."""
        places = {place: Compare.of(written) for place, written in row["places"].items()}
        return cls(places, frozenset(row["closed"]))

    def to_json(self) -> dict[str, Any]:
        """The comparisons and the closed places as JSON."""
        return {"places": {k: v.to_json() for k, v in self.places.items()}, "closed": sorted(self.closed)}

    @cached_property
    def has_sets(self) -> bool:
        """Whether any place is compared as a set."""
        return any(one.by == "set" for one in self.places.values())

    def at(self, path: Steps) -> Compare | None:
        """The comparison declared for a place, or None."""
        if not self.places:
            return None
        return self.places.get(where(path)) or next(
            (one for place, one in self.places.items() if "*" in place and _fits(place, path)), None
        )


def where(path: Steps) -> str:
    """A path as a place with `*` for the items of lists: a field in tables."""
    return "".join("/*" if isinstance(s, int) else "/" + s.replace("~", "~0").replace("/", "~1") for s in path)


def _fits(place: str, path: Steps) -> bool:
    steps = place.split("/")[1:]
    return len(steps) == len(path) and all(
        step == "*" or step.replace("~1", "/").replace("~0", "~") == at for step, at in zip(steps, path, strict=True)
    )


def _read(file: Path, schema: Schema[Any]) -> dict[str, Compare]:
    try:
        rows = load_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {file}: {error}", hint="write an object from places to comparisons") from error
    if not isinstance(rows, dict):
        problem = f"cannot read {file}: expected an object"
        raise DataError(problem, hint="write an object from places to comparisons")
    places = {}
    for place, written in rows.items():
        row = dict(written) if isinstance(written, dict) else {"by": written}
        try:
            if row.get("data"):
                row["data"] = (file.parent / row["data"]).read_text(encoding="utf-8")
            if row["by"] == "execution" and isinstance(schema.language, Sql):
                row["tables"] = schema.language.ddl
            places[place] = Compare.of(row)
        except (OSError, KeyError, TypeError) as error:
            raise DataError(f"{file}, {place!r}: {error}", hint="see schemas/README.md for the format") from error
    return places


def _described(schema: Schema[Any], root: Any) -> list[tuple[str, Any]]:
    """The subschemas of a JSON Schema of `schema`, with their places."""
    try:
        nodes = list(islice(_nodes(root), _MOST_PLACES + 1))
    except RecursionError:
        nodes = []
    if not 0 < len(nodes) <= _MOST_PLACES and isinstance(root, dict):
        problem = f"{schema.name} describes places too deep, or more than {_MOST_PLACES:,} of them"
        raise SchemaError(problem, hint="evaluate with a schema of fewer levels")
    return nodes


def _nodes(schema: Any, node: Any = None, place: str = "", seen: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The subschemas of a schema with the places that they describe; a recursive reference is followed once."""
    node = schema if node is None else node
    if not isinstance(node, dict):
        return
    yield place, node
    ref = node.get("$ref")
    if isinstance(ref, str) and ref not in seen:
        yield from _nodes(schema, resolve(schema, ref), place, (*seen, ref))
    for key in ("anyOf", "oneOf", "allOf"):
        for branch in node.get(key, []):
            yield from _nodes(schema, branch, place, seen)
    for name, inner in node.get("properties", {}).items():
        yield from _nodes(schema, inner, place + where((name,)), seen)
    for inner in (node.get("items"), node.get("additionalProperties"), *node.get("prefixItems", [])):
        yield from _nodes(schema, inner if isinstance(inner, dict) else False, place + "/*", seen)


def _is_closed(node: Mapping[str, Any]) -> bool:
    return "enum" in node or "const" in node or node.get("type") == "boolean"


def _equal(one: Json, other: Json) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_equal(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, str) and isinstance(other, str):
        return same_text(one, other)
    return one == other


def _amounts(expected: Json, answer: Json) -> tuple[float, float] | None:
    """Two numbers, or two texts that are decimals, as numbers; None for anything else."""
    if isinstance(expected, str) and isinstance(answer, str) and _DECIMAL.match(expected) and _DECIMAL.match(answer):
        one, other = Decimal(expected), Decimal(answer)
        return (float(one), float(one)) if one == other else (float(one), float(other))
    if isinstance(expected, bool | str) or isinstance(answer, bool | str):
        return None
    numbers = isinstance(expected, int | float) and isinstance(answer, int | float)
    return (float(expected), float(answer)) if numbers else None  # type: ignore[arg-type]


def _days(text: str) -> set[str]:
    from structout.parsing.fit.dates import read_date

    day, _, _ = text.partition("T")
    return set(read_date(day))


def _plain(text: str) -> str:
    """A text without its case, in half-width letters."""
    return unicodedata.normalize("NFKC", caseless(text))


@lru_cache(4096)
def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


@lru_cache(8)
def _execution(tables: str, data: str) -> Execution:
    return Execution(Sql(tables), data)
