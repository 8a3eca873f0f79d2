"""Tables as text: a header and rows of cells. A bad row does not affect other rows."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from structout.errors import DataError

_QUOTES = "a quote is not closed, or not doubled in a quoted cell"
OTHERS = ";\t|,"  # other delimiters


@dataclass(frozen=True, slots=True)
class CsvLine:
    """One row: the number of its first line, its cells by column (None for missing cells), and its problem, if it has
    one (`wrong`). If the line cannot be split into cells, `cells` is the whole line.
    """

    number: int
    cells: dict[str, str | None] | str
    wrong: str = ""


def read_table(source: str, lines: Iterable[str], delimiter: str, wanted: Sequence[str] = ()) -> Iterator[CsvLine]:
    """The rows of CSV (RFC 4180) with a header, which must name the `wanted` columns, and each column once. Blank lines
    are skipped. `lines` include their line ends. If a quote is not closed, its line becomes a wrong row, and reading
    resumes at the next line. Without a header there are no rows. Raises `DataError`, which names the `source`.
    """
    rows = (row for row in _rows(iter(lines), delimiter) if row[1])
    number, header, wrong = next(rows, (0, [], ""))
    if not number:
        return
    if wrong:
        raise DataError(f"{source}, line {number}: {wrong}", hint="fix the header")
    if twice := next((name for name in header if name and header.count(name) > 1), None):
        raise DataError(f"{source} has two columns {twice!r}", hint="rename or remove one of them")
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
    """Each row as the number of its first line (from 1), its cells, and its problem. A bad row has its line as cell."""
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
    """Raise `DataError` unless `names` contains all wanted columns."""
    for name in wanted:
        if name not in names:
            has = ", ".join(names[:12]) or "no columns"
            hint = "name one of its columns: --column for the text, --key for the key"
            if len(names) == 1 and (mark := next((one for one in OTHERS if one in names[0]), "")):
                named = "tab" if mark == "\t" else f"'{mark}'"
                hint = f"its cells seem to be delimited by {mark!r}: give --delimiter {named}, or write commas"
            raise DataError(f"{source} has no column {name!r}; it has: {has}", hint=hint)
