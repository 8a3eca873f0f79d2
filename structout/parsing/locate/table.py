"""Records in a table of Markdown: one a row under a heading of keys, or one key a row beside its value."""

import re
from collections.abc import Iterator
from typing import Final

from structout.document import Json
from structout.parsing.allowance import Allowance
from structout.parsing.edits import Edit, edit_text
from structout.parsing.fit.shape import Shape, plain_key
from structout.parsing.syntax.patterns import ELIDED
from structout.parsing.syntax.reader import Reading

_TABLE: Final = re.compile(
    r"^[ \t]*\|(?P<head>[^\n]*)\n[ \t]*\|(?P<rule>[ \t:|-]++)\n(?P<rows>(?:[ \t]*\|[^\n]*(?:\n|\Z))+)", re.MULTILINE
)
_BAR: Final = re.compile(r"(?<!\\)\|")
_MARKS: Final = re.compile(r"^(\*\*|`)((?:(?!\1).)+)\1$")
_SUMS: Final = frozenset({"total", "totals", "sum", "subtotal", "average", "mean"})
_ANSWERS: Final = frozenset(
    {"", "value", "values", "content", "answer", "data", "result", "extracted", "extractedvalue"}
)
_FAR: Final = 300
_MOST_TABLES: Final = 20


def read_tables(text: str, start: int, end: int, shape: Shape, allowance: Allowance) -> Iterator[Reading]:
    """The records in the tables whose heading, or whose first column, holds keys of the schema."""
    if "|" not in text or "-|" not in text.replace(" ", ""):
        return
    allowance.spend(end - start)
    for count, found in enumerate(_TABLE.finditer(text, start, end)):
        if count == _MOST_TABLES:
            return
        heading, rows = _cells(found["head"]), [_cells(line) for line in found["rows"].strip().split("\n")]
        allowance.spend(20 * len(rows))
        if "|" in text[found.end() : found.end() + _FAR].partition("\n")[0] or ELIDED.search(
            text, found.end(), found.end() + _FAR
        ):
            continue  # a row without its bars, or rows that are left out
        if "-" not in found["rule"] or any(len(row) != len(heading) for row in rows):
            continue
        document = _records(heading, rows, shape)
        if document is not None:
            place, stop = found.start(), found.start() + len(found.group().rstrip())
            yield Reading(
                document, place, stop, (Edit("table", "lossless", place, text[place:stop], edit_text(document)),)
            )


def _records(heading: list[str], rows: list[list[str]], shape: Shape) -> Json:
    """The records of a table: an object if there is only one, else a list; None if the keys are not the schema's."""
    if any(_is_no_record(row, heading) for row in rows):
        return None
    if len(set(map(plain_key, heading))) == len(heading) and _are_keys(heading, shape):
        records = [_record(heading, row) for row in rows]
        return records[0] if len(records) == 1 and "array" not in shape.types else [*records]
    names = [row[0] for row in rows]
    if (
        len(heading) == 2
        and plain_key(heading[1]) in _ANSWERS
        and len(set(map(plain_key, names))) == len(names)
        and _are_keys(names, shape)
    ):
        return _record(names, [row[1] for row in rows])
    return None


def _is_no_record(row: list[str], heading: list[str]) -> bool:
    """Whether a row is a heading, a rule, a sum, or stands for rows that are left out."""
    is_rule = all(not cell.strip("-:. …") for cell in row)
    return is_rule or row == heading or plain_key(row[0]) in _SUMS or any(map(ELIDED.search, row))


def _are_keys(names: list[str], shape: Shape) -> bool:
    return all(plain_key(name) in shape.known_keys for name in names)


def _record(names: list[str], cells: list[str]) -> dict[str, Json]:
    """An object of the cells that are not empty."""
    return {name: cell for name, cell in zip(names, cells, strict=True) if cell}


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    cells = [cell.strip().replace("\\|", "|") for cell in _BAR.split(inner)]
    if cells and not cells[-1]:
        cells.pop()
    return [_MARKS.sub(r"\2", cell) for cell in cells]
