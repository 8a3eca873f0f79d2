"""`structout validate`: a gate for documents from any producer."""

import sys
from collections import deque
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from structout.cli.codes import FAILED, INCOMPLETE, NOTHING, PASSED
from structout.cli.console import counted, put, put_json, say, silence
from structout.cli.options import (
    CodeOption,
    DelimiterOption,
    DocumentFormatOption,
    JsonOption,
    SchemaOption,
    WriteSecretsOption,
    policy_named,
)
from structout.errors import DataError, SpecError
from structout.surfaces import json_shown, json_text, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from structout.gate.gate import Judgement
    from structout.schema import Schema
    from structout.tables.documents import Document


def validate(
    schema: SchemaOption,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="A .json document or array of documents; JSONL, YAML, CSV (.gz), Parquet; a provider's batch output "
            "with --format; a folder or a pattern of such files; NAME.duckdb#TABLE, sql:QUERY, postgresql://...#TABLE; "
            "or - for JSONL on stdin, the default.",
        ),
    ] = None,
    column: Annotated[str | None, typer.Option("--column", help="The column that holds a document as JSON.")] = None,
    format: DocumentFormatOption = None,  # noqa: A002
    delimiter: DelimiterOption = "",
    min_valid: Annotated[
        float, typer.Option("--min-valid", min=0, max=1, help="The lowest share that must pass.")
    ] = 1.0,
    max_invalid: Annotated[
        int | None, typer.Option("--max-invalid", min=0, help="The highest number of documents that may fail.")
    ] = None,
    min_field: Annotated[
        list[str] | None,
        typer.Option("--min-field", help="FIELD=SHARE: the lowest share with a valid field. Repeatable."),
    ] = None,
    warn_valid: Annotated[
        float | None, typer.Option("--warn-valid", min=0, max=1, help="As --min-valid, but a miss only warns.")
    ] = None,
    warn_invalid: Annotated[
        int | None, typer.Option("--warn-invalid", min=0, help="As --max-invalid, but a miss only warns.")
    ] = None,
    warn_field: Annotated[
        list[str] | None, typer.Option("--warn-field", help="As --min-field, but a miss only warns. Repeatable.")
    ] = None,
    repair: Annotated[
        str | None, typer.Option("--repair", help="Repair invalid documents first: lossless, lossy or any.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="The JSONL file (or -) for documents that pass, as they are or repaired."),
    ] = None,
    rejects: Annotated[
        str | None, typer.Option("--rejects", help="The JSONL file (or -) for documents that fail, with reasons.")
    ] = None,
    report: Annotated[
        list[str] | None,
        typer.Option("--report", help="FORMAT=PATH (or -): json, junit, sarif, github, html, md. Repeatable."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="The number of processes; the order is kept.")] = 1,
    write_secrets: WriteSecretsOption = False,
    as_json: JsonOption = False,
    no_code: CodeOption = False,
) -> None:
    """Check documents strictly against a schema.

    Exit 0: the thresholds hold, except those that only warn; 1: a threshold is missed; 3: the input broke off; 4: the
    input holds no documents.
    """
    from structout.gate.conclusion import summary
    from structout.gate.gate import Findings, Gate, Thresholds
    from structout.gate.reports import FORMATS, judgement_json, write_report
    from structout.gate.workers import in_processes, judgements
    from structout.schema import Schema
    from structout.schema.hidden import check_hidden
    from structout.tables.documents import read_documents
    from structout.tables.output import check_distinct, check_writable
    from structout.tables.partial import warn_of_partial
    from structout.tables.place import places

    if [output, rejects, *(one.partition("=")[2] for one in report or [])].count("-") > 1:
        raise SpecError(
            "stdout can take only one of --output, --rejects and --report", hint="name files for the others"
        )
    reports = {target: target.partition("=")[2] for target in report or []}
    for target, path in reports.items():
        if target.partition("=")[0] not in FORMATS or not path:
            raise SpecError(
                f"invalid --report: got {target!r}, expected FORMAT=PATH", hint=f"use one of {', '.join(FORMATS)}"
            )
    beside = {f"--report {one}": path for one, path in reports.items()}
    inputs = places(sources or "-", format, delimiter, documents=True)
    named = {f"INPUT {one.shown}": one.name for one in inputs}
    check_distinct({**named, "--output": output, "--rejects": rejects, **beside})
    warn_of_partial(inputs)
    for path in reports.values():
        if path != "-":
            check_writable(path)
    contract, policy = Schema.of(schema), policy_named(repair) if repair is not None else None
    if not write_secrets and any(place not in (None, "-") for place in (output, rejects)):
        check_hidden(contract, "add --write-secrets, or omit --output and --rejects")
    first = inputs[0].shown
    source = first if len(inputs) == 1 else f"{first} and {counted(len(inputs) - 1, 'other input')}"
    thresholds = Thresholds(
        min_valid, max_invalid, _shares("--min-field", min_field, contract),
        warn_valid, warn_invalid, _shares("--warn-field", warn_field, contract),
    )  # fmt: skip
    findings = Findings(source, contract.name, thresholds)
    gate = Gate(contract, policy, thresholds.fields)
    judged = judgements if jobs == 1 else partial(in_processes, source=schema, jobs=jobs)
    several, unread = len(inputs) > 1, None
    owners: deque[str] = deque()  # the inputs of the documents that are being judged

    def documents() -> "Iterator[Document]":
        for one in inputs:
            for document in read_documents(one, contract, column=column, format=format):
                owners.append(one.shown)
                yield document

    alone = "-" in (output, rejects, *reports.values())  # a machine reads stdout then, so it holds nothing else
    lines = sys.stderr if alone else sys.stdout
    with _passing(output, contract) as keep, _rejecting(rejects) as reject:
        try:
            for document, judgement in judged(gate, documents()):
                place = owners.popleft()
                findings.add(judgement, place)
                if judgement.status == "invalid":
                    reject(document, judgement)
                else:
                    keep(document, judgement)
                if as_json:
                    with _goes_on(lines):
                        put_json(judgement_json(judgement._replace(source=place if several else "")), lines)
                elif judgement.status == "invalid":
                    with _goes_on(lines):
                        put(line(f"{place}:{judgement.line}: {'; '.join(map(str, judgement.issues))}"), lines)
        except DataError as error:
            if findings.total == 0:
                raise
            unread, findings.unread = error, str(error)
    for target in reports:
        with _goes_on(sys.stdout):
            write_report(target, findings)
    if unread is not None:
        say(f"error: {unread}; {summary(findings)} until then")
        raise typer.Exit(INCOMPLETE)
    if findings.total == 0:
        say("nothing to check: the input holds no documents")
        raise typer.Exit(NOTHING)
    missed, warned = findings.missed("error"), findings.missed("warning")
    notes = [("missed", missed), ("warning", warned)]
    found = [
        f"; {word}: {', '.join(f'{c.name} (found {c.found})' for c in checks)}" for word, checks in notes if checks
    ]
    say(summary(findings) + "".join(found))
    raise typer.Exit(FAILED if missed else PASSED)


@contextmanager
def _goes_on(stream: TextIO) -> "Iterator[None]":
    """Ignore a closed pipe: the gate still judges every document for its exit code."""
    try:
        yield
    except BrokenPipeError:
        silence(stream)


def _shares(option: str, written: list[str] | None, schema: "Schema[Any]") -> dict[str, float]:
    """The shares of `FIELD=SHARE` by field."""
    from structout.gate.gate import fields_of

    least = {}
    for text in written or []:
        name, _, number = text.rpartition("=")
        try:
            least[name] = float(number)
        except ValueError:
            raise SpecError(f"invalid {option}: got {text!r}, expected FIELD=SHARE", hint="write FIELD=0.98") from None
        if not 0 <= least[name] <= 1:
            raise SpecError(f"invalid {option}: got {text!r}, expected a share from 0 to 1", hint="write FIELD=0.98")
        if name not in fields_of(schema):
            raise SpecError(
                f"unknown field {name!r} in {option}", hint=f"use one of {', '.join(fields_of(schema)[:12])}"
            )
    return least


@contextmanager
def _lines(path: str) -> "Iterator[Callable[[bytes], None]]":
    """A function that writes a line to stdout (`-`) or to a file, which replaces `path` at the end."""
    from structout.tables.output import replacing

    if path == "-":
        yield _emit
        return
    with replacing(path) as stream:

        def write(written: bytes) -> None:
            stream.write(written + b"\n")

        yield write


def _emit(written: bytes) -> None:
    with _goes_on(sys.stdout):
        sys.stdout.buffer.write(json_shown(written.decode()).encode() + b"\n")


@contextmanager
def _passing(path: str | None, schema: "Schema[Any]") -> "Iterator[Callable[[Document, Judgement], None]]":
    """A function that writes a document that passed; it does nothing if `path` is None."""
    if path is None:
        yield lambda document, judgement: None
        return
    with _lines(path) as write:

        def keep(document: "Document", judgement: "Judgement") -> None:
            repaired = judgement.status == "repaired"
            write(json_text(judgement.repaired_to, ascii=True).encode() if repaired else document.json_line(schema))

        yield keep


@contextmanager
def _rejecting(path: str | None) -> "Iterator[Callable[[Document, Judgement], None]]":
    """A function that writes an invalid document with its issues; it does nothing if `path` is None."""
    from structout.gate.reports import judgement_json

    if path is None:
        yield lambda document, judgement: None
        return
    with _lines(path) as write:

        def reject(document: "Document", judgement: "Judgement") -> None:
            write(json_text({**judgement_json(judgement), "document": document.text}, ascii=True).encode())

        yield reject
