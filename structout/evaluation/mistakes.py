"""The values that are not right, one a row."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from structout.errors import DataError, SpecError
from structout.evaluation.report import Report
from structout.evaluation.taxonomy import judged
from structout.surfaces import json_text
from structout.tables.whole_file import replacing

COLUMNS = (
    "key", "strategy", "model", "setting", "perturbation", "repeat", "status", "field", "error", "expected", "got",
    "text",
)  # fmt: skip
_SUFFIXES = (".jsonl", ".csv")


def mistakes(report: Report) -> Iterator[dict[str, Any]]:
    """A row for each value of each record that is not right, with the columns `COLUMNS`.

    `field` is the value's place as a JSON Pointer, and `error` is the kind of the error; `expected` and `got` are None
    for an absent value. Raises `DataError` for a report without labels.

        wrong = [row["key"] for row in mistakes(read_log("log.jsonl")) if row["field"] == "/is_refund"]
    """
    if not report.has_labels:
        raise DataError("the records have no labels: nothing says which values are wrong", hint="label the records")
    for one in report.outcomes:
        about = [one.key, one.strategy, one.model, dict(one.setting), one.perturbation, one.repeat, one.status]
        for leaf, error in judged(one):
            if error is not None:
                cells = [*about, leaf.pointer or "(document)", error, leaf.expected, leaf.answer, one.text]
                yield dict(zip(COLUMNS, cells, strict=True))


def check_file(path: str) -> None:
    """Raise `SpecError` for a file whose suffix is neither .jsonl nor .csv, `OutputError` if it cannot be written."""
    if Path(path).suffix not in _SUFFIXES:
        raise SpecError(f"unknown format of {path}", hint=f"name a file that ends in {' or '.join(_SUFFIXES)}")
    with replacing(path, keep=False):
        pass


def write(report: Report, path: str) -> int:
    """Write the mistakes of a report as JSONL or CSV, by the suffix, and return their number. Raises as `check_file`
    and `mistakes`. In CSV, a text is itself, an absent value is an empty cell, and any other value is JSON.
    """
    check_file(path)
    rows = list(mistakes(report))
    with replacing(path) as stream:
        if Path(path).suffix == ".jsonl":
            stream.writelines(f"{json_text(row)}\n".encode() for row in rows)
        else:
            text = io.StringIO(newline="")
            table = csv.writer(text, lineterminator="\n")
            table.writerow(COLUMNS)
            table.writerows([_cell(value) for value in row.values()] for row in rows)
            stream.write(text.getvalue().encode("utf-8", "backslashreplace"))
    return len(rows)


def _cell(value: Any) -> str:
    return "" if value is None or value == {} else value if isinstance(value, str) else json_text(value)
