"""Columns of the input that stay beside the records of an output."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from structout.document import Json
from structout.errors import SpecError
from structout.schema import Schema
from structout.surfaces import is_utf8
from structout.tables.layout import MORE, PROVENANCE, Layout, fields
from structout.tables.place import Place

ALL: Final = "all"
ColumnKind = Literal["integer", "number", "boolean", "string", "json"]
Kept = Mapping[str, ColumnKind]  # the kinds of the kept columns, in their order in the output
_TAKEN: Final = "its name is the name of a field or of a column of the output"
_NOT_UTF8: Final = "its name is not UTF-8"


def columns_named(given: Iterable[str]) -> tuple[str, ...]:
    """The columns that a user names, each once: several are separated by commas, and a name with a comma is quoted.

    Raises `SpecError` for a name with a line end that is not quoted.
    """
    found: dict[str, None] = {}
    for text in given:
        try:
            found |= dict.fromkeys(name for row in csv.reader([text], skipinitialspace=True) for name in row if name)
        except csv.Error:
            raise SpecError(f"invalid --keep: got {text!r:.80}, expected A,B or all", hint="quote the name") from None
    return tuple(found)


@dataclass
class KeptColumns:
    """The `names` of the kept columns (None: all that have a name), and what their cells hold so far.

    The names in `taken` belong to the output. In a database (`folds`), two names that differ in case are one. `is_text`
    says whether the output holds UTF-8 only.
    """

    names: tuple[str, ...] | None
    taken: frozenset[str]
    folds: bool
    is_text: bool
    _held: dict[str, set[str]] = field(default_factory=dict)
    _folded: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, names: tuple[str, ...], target: str, schema: Schema[Any], also: Iterable[str] = ()) -> "KeptColumns":
        """The columns for an output of records of a schema; `also` names columns of its own. Raises `SpecError` for a
        name that the output reserves.
        """
        if ALL in names and len(names) > 1:
            raise SpecError("--keep all cannot be combined with names of columns", hint="give one of them")
        place = Place.of(target)
        folds = place.is_table or place.is_database
        taken = {*fields(schema), *Layout.of(schema).columns, MORE, *PROVENANCE, *also}
        made = cls(
            None if names == (ALL,) else names,
            frozenset(name.casefold() for name in taken) if folds else frozenset(taken),
            folds,
            folds or place.format in ("csv", "tsv", "parquet"),
        )
        made.check(() if made.names is None else names)
        return made

    def check(self, names: Iterable[str]) -> None:
        """Raise `SpecError` if a column cannot be kept, and note the names of the others."""
        for name in names:
            if reason := self.problem(name):
                hint = "rename it in the input, or leave it out of --keep: name the columns to keep"
                raise SpecError(f"the column {name!r} cannot be kept: {reason}", hint=hint)
            self._held.setdefault(name, set())

    def problem(self, name: str) -> str:
        """Why a column cannot stand in the output; "" if it can."""
        if name in self._held:
            return ""
        if self.is_text and not is_utf8(name):
            return _NOT_UTF8
        key = name.casefold() if self.folds else name
        return _TAKEN if key in self.taken or self._folded.setdefault(key, name) != name else ""

    def cells(self, record: Json) -> dict[str, Json]:
        """The kept cells of an input row. A column without a name is not kept."""
        if not isinstance(record, dict):
            return {}
        if self.names is None:
            return {name: value for name, value in record.items() if name}
        return {name: record[name] for name in self.names if name in record}

    def note(self, cells: Mapping[str, Json]) -> None:
        """Note what the cells of a row hold, for the types of their columns."""
        for name, value in cells.items():
            if not self.problem(name):
                held = self._held.setdefault(name, set())
                if value is not None:
                    held.add(_kind(value))

    def unreadable(self, cells: Mapping[str, Json]) -> str:
        """A column whose text the output cannot hold, since it is not UTF-8; "" if it can hold all."""
        found = (name for name, value in cells.items() if isinstance(value, str) and not is_utf8(value))
        return next(found, "") if self.is_text else ""

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        """What each column holds, in the order of first appearance. A column of several kinds holds JSON."""
        return {name: _together(held) for name, held in self._held.items()}


def _kind(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            return "json"
        return "integer" if float(value) == value else "long"  # which no column of floating-point numbers holds
    return "number" if isinstance(value, float) else "string" if isinstance(value, str) else "json"


def _together(held: set[str]) -> ColumnKind:
    if held and held <= {"integer", "long"}:
        return "integer"
    if held and held <= {"integer", "number"}:
        return "number"
    return "boolean" if held == {"boolean"} else "string" if held <= {"string"} else "json"
