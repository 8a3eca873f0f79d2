"""A sample of rows taken apart into texts and labels."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from structout.document import Json, parse_json
from structout.errors import DataError
from structout.surfaces import is_utf8
from structout.tables.csv import OTHERS
from structout.tables.place import Place
from structout.tables.rows import read_rows
from structout.tables.streams import opened_text

EXPECTED, KEY, SPLIT = "expected", "key", "split"
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")  # a leading zero or a longer number is a name, such as a code
_ID: Final = re.compile(r"(?i)^(?:id|key|uuid|guid|index|no|nr|number|row)$|(?:[_ -]id|[_ -]key|[a-z]I[dD])$")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}")


@dataclass(frozen=True)
class Sample:
    """Rows with their columns. `is_text` says that all cells are texts, as in CSV. `skipped` says which rows could not
    be read and why, and `is_part` that the input has more rows.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Json], ...]
    is_text: bool = False
    is_part: bool = False
    skipped: tuple[str, ...] = ()

    def likely_text(self) -> str:
        """The column that seems to hold the texts: `text`, else the column with the longest texts."""

        def length(column: str) -> int:
            return sum(len(cell) for row in self.rows if isinstance(cell := row.get(column), str))

        return "text" if "text" in self.columns else max(self.columns, key=length)

    def likely_key(self, text: str) -> str:
        """The column that seems to identify rows: `key`, else the first named like an identifier whose values are all
        there and differ; "" if no column is.
        """
        named = [one for one in self.columns if one != text and _ID.search(one)]
        cells = {one: [row.get(one) for row in self.rows] for one in named}
        known = [one for one in named if all(isinstance(cell, str | int) and cell != "" for cell in cells[one])]
        differ = (one for one in known if len(set(cells[one])) == len(self.rows))
        return KEY if KEY in self.columns else next(differ, "")

    def likely_labels(self, text: str) -> tuple[str, ...]:
        """The columns that seem to hold labels: `expected`, else every column but the text, the key and `split`."""
        others = [one for one in self.columns if one not in (text, KEY, SPLIT, self.likely_key(text))]
        return (EXPECTED,) if EXPECTED in others else tuple(others)

    def check(self, columns: Sequence[str]) -> None:
        """Raise `DataError` unless the sample has all these columns."""
        for one in columns:
            if one not in self.columns:
                hint = f"name one of its columns: {', '.join(self.columns[:12])}"
                raise DataError(f"{self.name} has no column {one!r}", hint=hint)


def read_sample(name: str, most: int, delimiter: str = "") -> Sample:
    """The first rows of an input, at most `most`. CSV without a `delimiter` is read with the one of its header. Raises
    `DataError` for an input without rows.
    """
    place = Place.of(name)
    rows, skipped = list[Mapping[str, Json]](), list[str]()
    delimiter = delimiter or (_delimiter(place) if place.format == "csv" else "")
    text = "text" if place.format == "text" else ""
    found = list(read_rows(name, text=text, limit=most + 1, delimiter=delimiter))
    for row in found[:most]:
        wrong = row.wrong or ("" if isinstance(row.record, dict) else "not an object")
        if not wrong and not _is_unicode(row.record):
            wrong = "not UTF-8: convert the file to UTF-8"
        if wrong:
            skipped.append(f"row {row.position + 1}: {wrong}")
        elif isinstance(row.record, dict):
            rows.append({key: value for key, value in row.record.items() if key})  # pandas names its index ""
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    if not columns:
        reason = f": {skipped[0]}" if skipped else ""
        raise DataError(f"{name} holds no rows{reason}", hint="give a sample with a few rows")
    return Sample(name, columns, tuple(rows), place.format in ("csv", "tsv"), len(found) > most, tuple(skipped))


def _delimiter(place: Place) -> str:
    """The delimiter of a header that holds no comma; "" if it holds one, or no delimiter."""
    with opened_text(place) as lines:
        header = next(iter(lines), "")
    return "" if "," in header else max(OTHERS, key=header.count) if any(one in header for one in OTHERS) else ""


def _is_unicode(node: Json) -> bool:
    stack: list[Any] = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, str) and not is_utf8(one):
            return False
        stack += [*one, *one.values()] if isinstance(one, dict) else one if isinstance(one, list) else ()
    return True


def read_cells(rows: Sequence[Mapping[str, Json]], columns: Sequence[str]) -> list[dict[str, Json]]:
    """The columns of rows of text cells as JSON, each column as the narrowest type that reads all its cells: booleans
    (`true`, `false`), whole numbers, numbers, JSON objects and arrays, else texts. An empty cell is null. A number with
    a leading zero, an exponent or over 15 digits before the point stays a text: it may be a code.
    """
    read = {column: _reader([row.get(column) for row in rows]) for column in columns}
    return [{column: _read(read[column], row.get(column)) for column in columns} for row in rows]


def _read(read: Callable[[str], Json], cell: Json) -> Json:
    return None if _is_empty(cell) else read(cell) if isinstance(cell, str) else cell


def _is_empty(cell: Json) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _reader(cells: Sequence[Json]) -> Callable[[str], Json]:
    texts = [cell for cell in cells if isinstance(cell, str) and not _is_empty(cell)]
    if texts:
        for reads, read in _READERS:
            if all(map(reads, texts)):
                return read
    return str


def _is_container(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") and isinstance(_json(text), dict | list)


def _json(text: str) -> Json:
    return parse_json(text)[0]


_READERS: tuple[tuple[Callable[[str], bool], Callable[[str], Json]], ...] = (
    (lambda text: text.lower() in ("true", "false"), lambda text: text.lower() == "true"),
    (lambda text: bool(_WHOLE.fullmatch(text)), int),
    (lambda text: bool(_WHOLE.fullmatch(text) or _NUMBER.fullmatch(text)), float),
    (_is_container, _json),
)
