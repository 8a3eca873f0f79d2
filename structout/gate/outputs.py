"""The two outputs of the gate: the rows that pass, and the rejected rows."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from structout.document import load_json
from structout.errors import SpecError
from structout.gate.findings import SHOWN, Findings, Judgement
from structout.gate.written import MARKS, REJECTED, passed_line, rejected_line
from structout.schema import Schema
from structout.schema.hidden import hidden
from structout.tables.documents import Document
from structout.tables.kept_columns import KeptColumns
from structout.tables.layout import Layout
from structout.tables.whole_file import replacing

Write = Callable[[bytes], None]  # takes a line of JSON, without a line end
Rows = str | Path | Callable[[Any], object]  # a JSONL file, or a function that takes each row
_BEGINNING = 160  # characters of an invalid document that a page shows
Take = Callable[[Document, Judgement, str], Judgement]


@contextmanager
def taking(
    findings: Findings,
    schema: Schema[Any],
    output: str | Write | None,
    rejects: str | Write | None,
    *,
    provenance: bool = False,
) -> Iterator[Take]:
    """A function that counts a judgement on a document of an input, named by its third argument ("" for the only one),
    and writes the document to one of two outputs: JSONL files, which appear at the end, or functions that take lines.
    It returns the judgement with the input and the kept columns.
    """
    is_shown = not hidden(schema)
    with _lines(output) as accept, _lines(rejects) as reject:

        def take(document: Document, judgement: Judgement, source: str) -> Judgement:
            if source or document.kept:
                judgement = judgement._replace(source=source, kept=document.kept)
            if judgement.status == "invalid" and is_shown and len(findings.sample) < SHOWN:
                judgement = judgement._replace(beginning=document.beginning(_BEGINNING))
            findings.add(judgement)
            if judgement.status != "invalid":
                if accept is not None:
                    accept(passed_line(document, judgement, schema, provenance=provenance))
            elif reject is not None:
                reject(rejected_line(document, judgement))
            return judgement

        yield take


@contextmanager
def _lines(target: str | Write | None) -> Iterator[Write | None]:
    if not isinstance(target, str):
        yield target
        return
    with replacing(target) as stream:

        def write(line: bytes) -> None:
            stream.write(line + b"\n")

        yield write


def written_to(rows: Rows | None) -> str | Write | None:
    """The target of `taking` that a program names: a function gets each row as a parsed value. Raises `SpecError`."""
    if rows is None or isinstance(rows, str | Path):
        return None if rows is None else str(rows)
    if not callable(rows):
        raise SpecError(
            f"invalid output or rejects: got {rows!r:.80}", hint="give the path of a JSONL file, or rows.append"
        )
    give = rows

    def parsed(line: bytes) -> None:
        give(load_json(line.decode()))

    return parsed


def kept_columns(names: Iterable[str], schema: Schema[Any], *, output: str, judged: bool) -> KeptColumns | None:
    """The columns to keep; None if no name is given. `judged` says whether they also stand beside judgements. Raises
    `SpecError` for a name that a row reserves.
    """
    named = tuple(names)
    return KeptColumns.of(named, output, schema, REJECTED if judged else ()) if named else None


def check_provenance(schema: Schema[Any]) -> None:
    """Raise `SpecError` if the schema has a field with the name of a provenance column."""
    if taken := [name for name in MARKS if name in Layout.of(schema).columns]:
        raise SpecError(f"the schema has its own field {taken[0]!r}", hint="omit provenance, or rename the field")
