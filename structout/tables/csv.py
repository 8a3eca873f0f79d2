"""A table as text: rows of cells below a header, what is wrong with one costing no other."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from structout.errors import DataError

_QUOTES = "a quote is not closed, or stands undoubled in a quoted cell"
_OTHERS = ";\t|,"  # what may stand between cells besides


@dataclass(frozen=True, slots=True)
class CsvLine:
    """One row: the number of its first line, its cells by column (None where there are too few), and what is wrong
    with it. Of one that cannot be told into cells `cells` is the bare line.
    """

    number: int
    cells: dict[str, str | None] | str
    wrong: str = ""


def read_table(source: str, lines: Iterable[str], delimiter: str, wanted: Sequence[str] = ()) -> Iterator[CsvLine]:
    """The rows of CSV (RFC 4180) with a header, which must name the `wanted` columns, each column once; blank lines are
    none. `lines` keep their ends. Where a quote has no end, the line where it stands is a wrong row, and the next is
    read for itself. Without a header there are no rows. Raises `DataError`, naming the `source`.
    """
    rows = (row for row in _rows(iter(lines), delimiter) if row[1])
    number, header, wrong = next(rows, (0, [], ""))
    if not number:
        return
    if wrong:
        raise DataError(f"{source}, line {number}: {wrong}", hint="mend the header")
    if twice := next((name for name in header if name and header.count(name) > 1), None):
        raise DataError(f"{source} has two columns {twice!r}", hint="rename one of them, or leave it out")
    check_columns(source, header, wanted)
    width = len(header)
    for number, cells, wrong in rows:
        if wrong:
            yield CsvLine(number, cells[0], f"line {number}: {wrong}")
            continue
        found = dict(zip(header, [*cells, *[None] * (width - len(cells))], strict=False))
        if any(cells[width:]):
            wrong = f"line {number} has {len(cells)} cells, the header {width}: quote the cell that holds {delimiter!r}"
            yield CsvLine(number, {**found, "(more)": delimiter.join(cells[width:])}, wrong)
        else:
            yield CsvLine(number, found)


def _rows(lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Each row's first line by its number from 1, its cells, and what is wrong: then the bare line is its only cell."""
    csv.field_size_limit(1 << 30)
    taken: list[str] = []  # the lines of the row that is being read
    given_back: deque[str] = deque()

    def take() -> Iterator[str]:
        while line := given_back.popleft() if given_back else next(lines, ""):
            taken.append(line)
            yield line

    number, reader = 1, csv.reader(take(), delimiter=delimiter, strict=True)
    while True:
        taken.clear()
        try:
            cells = next(reader, None)
            if cells is None:
                return
            yield number, cells, ""
        except csv.Error as error:
            first, *others = taken
            given_back.extendleft(reversed(others))
            taken[1:] = []
            reader = csv.reader(take(), delimiter=delimiter, strict=True)
            yield number, [first.rstrip("\r\n")], _QUOTES if '"' in first else str(error)
        number += len(taken)


def check_columns(source: str, names: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise `DataError` unless all wanted columns are among these."""
    for name in wanted:
        if name not in names:
            has, hint = ", ".join(names[:12]) or "none", "name one that it has"
            if len(names) == 1 and (mark := next((one for one in _OTHERS if one in names[0]), "")):
                hint = f"its cells seem to stand between {mark!r}: a .csv has commas, a .tsv tabs"
            raise DataError(f"{source} has no column {name!r}; it has: {has}", hint=hint)
