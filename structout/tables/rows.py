"""Input rows from files, pipes and queries, read one at a time."""

import hashlib
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from structout.document import Json
from structout.errors import DataError
from structout.surfaces import is_utf8
from structout.tables.columnar import Bad, parquet_file, parquet_rows, queried_rows
from structout.tables.csv import check_columns, read_table
from structout.tables.databases import database_rows
from structout.tables.lines import json_items, json_lines, sniffed, text_lines
from structout.tables.place import KINDS, Format, Names, Place, places
from structout.tables.streams import opened_text

T = TypeVar("T")

_FIRST = 100  # rows among which each wanted column must appear, in formats without a header
_SURROGATE = re.compile("[\ud800-\udfff]")  # a byte that could not be decoded, or half of a character


@dataclass(frozen=True, slots=True)
class Row:
    """One input row: its position from 0, its key, its text (None: missing), the whole record, and its problem. A row
    with a problem (`wrong`) is not asked.
    """

    position: int
    key: Json
    text: Any
    record: Json
    wrong: str = ""

    @property
    def is_asked(self) -> bool:
        """Whether a model is asked about the row: it has a text that is not blank."""
        return not self.wrong and isinstance(self.text, str) and bool(self.text.strip())

    @property
    def digest(self) -> bytes:
        """A hash of key and text that shows whether the row has changed."""
        return hashlib.blake2b(json.dumps([self.key, self.text]).encode(), digest_size=8).digest()


def read_rows(
    source: Names,
    *,
    text: str = "text",
    key: str | None = None,
    limit: int | None = None,
    format: Format | None = None,  # noqa: A002
    delimiter: str = "",
    others: Sequence[str] = (),
) -> Generator[Row, None, None]:
    """The rows of one or more sources, in order (see `places`): files, tables or queries of DuckDB and PostgreSQL, or
    stdin (`-`).

    `text` names the column to read, `key` the column that identifies a row (default: row numbers from 1). `format`
    overrules the suffixes of files, and `delimiter` is the one of CSV. A source must also have the columns `others`. A
    bad line is yielded as a row with its problem in `wrong`, for the pipeline to report. Raises `MissingExtraError`,
    `SpecError`, and `DataError` if a source cannot be read or lacks a column.
    """
    wanted = [one for one in dict.fromkeys((text, key, *others)) if one]
    found = (one for place in places(source, format, delimiter) for one in _records(place, text, wanted))
    for position, one in enumerate(islice(found, limit)):
        record, wrong = (one.record, one.wrong) if isinstance(one, Bad) else (one, "")
        fields = record if isinstance(record, dict) else {}
        content, name = None if wrong else fields.get(text), fields.get(key) if key else position + 1
        if isinstance(content, str) and not content.isascii() and (sign := _SURROGATE.search(content)):
            is_byte = "\udc80" <= sign[0] <= "\udcff"
            what = "is not UTF-8" if is_byte else "has half of a character (an unpaired surrogate)"
            wrong = f"the text {what} at character {sign.start()}: convert the file to UTF-8"
        elif isinstance(name, str) and not is_utf8(name):
            wrong = f"the key is not UTF-8: {name!r:.60}"
        yield Row(position, name, content, record, wrong)


def count_rows(
    source: Names,
    *,
    limit: int | None = None,
    format: Format | None = None,  # noqa: A002
) -> int | None:
    """The number of rows, or None if only reading them would tell: a pipe, a query."""
    found = places(source, format)
    if not all(place.is_counted for place in found):
        return None
    count = sum(map(_count, found))
    return count if limit is None else min(count, limit)


def _count(place: Place) -> int:
    if place.format == "parquet":
        with parquet_file(place) as file:
            return int(file.metadata.num_rows)
    if place.format in ("csv", "tsv"):
        return sum(1 for _ in _csv(place, []))
    if place.format in ("jsonl", "text"):
        with opened_text(place) as stream:
            return sum(1 for line in stream if not line.isspace())
    return sum(1 for _ in _records(place, "", []))


def rows_of(texts: Iterable[Any]) -> Iterator[Row]:
    """Texts as rows with keys from 1. Anything else than text is a row without a text."""
    for place, text in enumerate(texts):
        given = text if isinstance(text, str) else None
        yield Row(place, place + 1, given, given)


def _records(place: Place, text: str, names: list[str]) -> Iterator["Json | Bad"]:
    """The records of the rows; bad rows as `Bad`. `names` are the columns that the place must have."""
    wanted = [one for one in names if one not in dict(place.partition)]
    if place.is_database:
        found: Iterator[Json | Bad] = database_rows(place, wanted)
    elif place.is_query:
        found = queried_rows(place, wanted)
    elif place.format == "parquet":
        found = parquet_rows(place, wanted)
    elif place.format in ("csv", "tsv"):
        found = _csv(place, wanted)
    elif not (place.is_known and place.is_of_rows):
        raise DataError(f"unknown input format: {place.shown}", hint=f"give {KINDS}, or name the format with --format")
    else:
        readers: dict[str | None, Callable[[], Iterator[Json | Bad]]] = {
            "jsonl": lambda: json_lines(place),
            "json": lambda: json_items(place),
            "text": lambda: text_lines(place, text),
            None: lambda: sniffed(place, text),
        }
        found = with_columns(place.shown, readers[place.format](), wanted, _fields)
    return (_in_partition(one, place) for one in found) if place.partition else found


def _in_partition(record: "Json | Bad", place: Place) -> "Json | Bad":
    return {**dict(place.partition), **record} if isinstance(record, dict) else record


def _fields(record: "Json | Bad") -> Json:
    return None if isinstance(record, Bad) else record


def _csv(place: Place, wanted: list[str]) -> Iterator["Json | Bad"]:
    with opened_text(place, newline="") as stream:
        for line in read_table(place.shown, stream, place.separator, wanted):
            cells: Json = line.cells if isinstance(line.cells, str) else {**line.cells}
            yield Bad(cells, line.wrong) if line.wrong else cells


def with_columns(source: str, records: Iterator[T], wanted: Sequence[str], row: Callable[[T], Json]) -> Iterator[T]:
    """The same records, after a check that each wanted column appears in one of the first records. `row` makes an
    object of a record. Raises `DataError`.
    """
    first, names = [], dict[str, None]()
    for record in islice(records, _FIRST):
        first.append(record)
        found = row(record)
        names.update(dict.fromkeys(found if isinstance(found, dict) else ()))
        if names.keys() >= set(wanted):
            break
    if names:
        check_columns(source, list(names), wanted)
    yield from first
    yield from records
