"""`structout validate`: a gate for documents that others produced."""

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from structout.cli.codes import FAILED, INCOMPLETE, NOTHING, PASSED
from structout.cli.console import put, put_json, say, silence
from structout.cli.options import CodeOption, JsonOption, SchemaOption, policy_named
from structout.errors import DataError, SpecError
from structout.surfaces import json_shown, json_text, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from structout.gate.gate import Judgement, Thresholds
    from structout.schema import Schema
    from structout.tables.documents import Document


def validate(
    schema: SchemaOption,
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A .json document; JSONL, CSV, .gz, Parquet, NAME.duckdb#TABLE, sql:QUERY; - for JSONL on stdin.",
        ),
    ] = "-",
    column: Annotated[str | None, typer.Option("--column", help="The column that holds the documents as JSON.")] = None,
    min_valid: Annotated[
        float, typer.Option("--min-valid", min=0, max=1, help="The least share that must pass.")
    ] = 1.0,
    max_invalid: Annotated[int | None, typer.Option("--max-invalid", min=0, help="The most that may fail.")] = None,
    min_field: Annotated[
        list[str] | None, typer.Option("--min-field", help="FIELD=SHARE: the least share in which a field is valid.")
    ] = None,
    repair: Annotated[
        str | None, typer.Option("--repair", help="Mend what fails first, by this policy: lossless, lossy or any.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="A JSONL file (or -) of what passed, mended where it was.")
    ] = None,
    rejects: Annotated[str | None, typer.Option("--rejects", help="The same of what failed, and why.")] = None,
    report: Annotated[
        list[str] | None,
        typer.Option("--report", help="FORMAT=PATH (or -), repeatable: json, junit, sarif, github, html, md."),
    ] = None,
    as_json: JsonOption = False,
    no_code: CodeOption = False,
) -> None:
    """Judge documents that others produced, strictly; with --output, keep those that passed. Exit 0: enough are valid;
    1: too few; 3: could not be completed; 4: none were there.
    """
    from structout.gate.gate import Findings, Gate
    from structout.gate.reports import FORMATS, summary, verdict_json, write_report
    from structout.schema import Schema
    from structout.tables.documents import read_documents
    from structout.tables.output import check_distinct, check_writable

    if [output, rejects, *(one.partition("=")[2] for one in report or [])].count("-") > 1:
        raise SpecError("stdout can take one of --output, --rejects and --report", hint="name files for the others")
    reports = {target: target.partition("=")[2] for target in report or []}
    for target, path in reports.items():
        if target.partition("=")[0] not in FORMATS or not path:
            raise SpecError(f"no report is {target!r}", hint=f"write FORMAT=PATH with one of {', '.join(FORMATS)}")
    beside = {f"--report {one}": path for one, path in reports.items()}
    check_distinct({"INPUT": source, "--output": output, "--rejects": rejects, **beside})
    for path in reports.values():
        if path != "-":
            check_writable(path)
    contract, policy = Schema.of(schema), policy_named(repair) if repair is not None else None
    findings = Findings(source, contract.name, _thresholds(contract, min_valid, max_invalid, min_field or []))
    gate = Gate(contract, findings, policy)
    unread = None
    alone = "-" in (output, rejects, *reports.values())  # then nothing else stands there, for a machine to read
    lines = sys.stderr if alone else sys.stdout
    with _passing(output, contract) as keep, _rejecting(rejects) as reject:
        try:
            for document in read_documents(source, contract, column=column):
                verdict = gate.judge(document)
                if verdict.status == "invalid":
                    reject(document, verdict)
                else:
                    keep(document, verdict)
                with _goes_on(lines):
                    if as_json:
                        put_json(verdict_json(verdict), lines)
                    elif verdict.status == "invalid":
                        put(line(f"{source}:{verdict.line}: {'; '.join(map(str, verdict.issues))}"), lines)
        except DataError as error:
            if findings.total == 0:
                raise
            unread = error
    for target in reports:
        with _goes_on(sys.stdout):
            write_report(target, findings)
    if unread is not None:
        say(f"error: {unread}; {summary(findings)} until then")
        raise typer.Exit(INCOMPLETE)
    if findings.total == 0:
        say("nothing to check: the input holds no documents")
        raise typer.Exit(NOTHING)
    missed = [f"{check.name}: found {check.found}" for check in findings.checks() if not check.passed]
    say(summary(findings) + "".join(f"; {one}" for one in missed))
    raise typer.Exit(FAILED if missed else PASSED)


@contextmanager
def _goes_on(stream: TextIO) -> "Iterator[None]":
    """The gate goes on when nobody reads its lines any more: what it comes to is its exit code."""
    try:
        yield
    except BrokenPipeError:
        silence(stream)


def _thresholds(schema: "Schema[Any]", share: float, most: int | None, fields: list[str]) -> "Thresholds":
    from structout.gate.gate import Thresholds, fields_of

    least = {}
    for text in fields:
        name, _, number = text.rpartition("=")
        try:
            least[name] = float(number)
        except ValueError:
            raise SpecError(f"--min-field {text!r} says no share", hint="write FIELD=0.98") from None
        if not 0 <= least[name] <= 1:
            raise SpecError(f"--min-field {text!r} is no share from 0 to 1", hint="write FIELD=0.98")
        if name not in fields_of(schema):
            raise SpecError(f"the schema has no field {name!r}", hint=f"it has: {', '.join(fields_of(schema)[:12])}")
    return Thresholds(share, most, least)


@contextmanager
def _lines(path: str) -> "Iterator[Callable[[bytes], None]]":
    """A function that writes a line to a file, which takes its place at the end, or to stdout (`-`)."""
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
    """A function that writes a document that passed, if there is a file for it."""
    if path is None:
        yield lambda document, verdict: None
        return
    with _lines(path) as write:

        def keep(document: "Document", verdict: "Judgement") -> None:
            mended = verdict.status == "repaired"
            write(json_text(verdict.mended, ascii=True).encode() if mended else document.json_line(schema))

        yield keep


@contextmanager
def _rejecting(path: str | None) -> "Iterator[Callable[[Document, Judgement], None]]":
    """A function that writes a rejected document and why, if there is a file for it."""
    from structout.gate.reports import verdict_json

    if path is None:
        yield lambda document, verdict: None
        return
    with _lines(path) as write:

        def reject(document: "Document", verdict: "Judgement") -> None:
            write(json_text({**verdict_json(verdict), "document": document.text}, ascii=True).encode())

        yield reject
