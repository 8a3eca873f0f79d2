"""The values that are not right, one a row."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from structout.document import Json
from structout.errors import DataError, SpecError
from structout.evaluation.outcome import Outcome
from structout.evaluation.report import Report
from structout.evaluation.taxonomy import Error, judged, refused_leaves, whole_error
from structout.surfaces import json_text
from structout.tables.whole_file import replacing

COLUMNS = (
    "key", "strategy", "model", "setting", "perturbation", "repeat", "status", "accepted", "field", "error", "expected",
    "got", "text",
)  # fmt: skip
_WHOLE = "(document)"
_SUFFIXES = (".jsonl", ".csv")


def mistakes(report: Report) -> Iterator[dict[str, Any]]:
    """A row for each value of each record that is not right, with the columns `COLUMNS`.

    The values of accepted records come first: a program would take them for right. `accepted` says so. Then come the
    records that were not accepted: the values to which their issues object, or one row for the whole answer. `field` is
    the value's place as a JSON Pointer, and `error` is the kind of the error (`taxonomy.ERRORS`); `expected` and `got`
    are None for an absent value. Raises `DataError` for a report without labels.

        wrong = [row["key"] for row in mistakes(read_log("log.jsonl")) if row["field"] == "/is_refund"]
    """
    if not report.has_labels:
        raise DataError("the records have no labels: nothing says which values are wrong", hint="label the records")
    for one in sorted(report.outcomes, key=lambda one: not one.ok):
        arm = [one.strategy, one.model, dict(one.setting), one.perturbation]
        about = [one.key, *arm, one.repeat, one.status, one.ok]
        for wrong in _wrong(one):
            yield dict(zip(COLUMNS, [*about, *wrong, one.text], strict=True))


def _wrong(outcome: Outcome) -> Iterator[tuple[str, Error, Json, Json]]:
    """The place, the error, the expected value and the answer of each value that is not right."""
    if outcome.ok or (whole := whole_error(outcome)) is None:
        found = [(leaf, error) for leaf, error in judged(outcome) if error is not None]
    else:  # the other values may be right
        objected = {issue["pointer"] for issue in outcome.issues} - {""}
        found = [(leaf, whole) for leaf in refused_leaves(outcome, outcome.refused) if leaf.pointer in objected]
        if not found:
            yield _WHOLE, whole, None, None
    for leaf, error in found:
        yield leaf.pointer or _WHOLE, error, leaf.expected, leaf.answer


def check_file(path: str) -> None:
    """Raise `SpecError` for a file whose suffix is neither .jsonl nor .csv, `OutputError` if it cannot be written."""
    if Path(path).suffix not in _SUFFIXES:
        raise SpecError(f"unknown format of {path}", hint=f"name a file that ends in {' or '.join(_SUFFIXES)}")
    with replacing(path, keep=False):
        pass


def write(report: Report, path: str) -> str:
    """Write the mistakes of a report as JSONL or CSV, by the suffix, and return how many in words. In CSV, a text is
    itself, an absent value is an empty cell, and any other value is JSON. Raises as `check_file` and `mistakes`.
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
    accepted = [row for row in rows if row["accepted"]]
    records = len({json_text([row[name] for name in COLUMNS[:6]]) for row in accepted})
    first = f"first {len(accepted):,} in {records:,} accepted record{'' if records == 1 else 's'}"
    return (
        f"{len(rows):,} values that are not right: {first}, then {len(rows) - len(accepted):,} of records not accepted"
    )


def _cell(value: Any) -> str:
    return "" if value is None or value == {} else value if isinstance(value, str) else json_text(value)
