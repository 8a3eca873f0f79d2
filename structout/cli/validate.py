"""`structout validate`: a gate for documents from any producer."""

import shlex
import sys
from collections import deque
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from structout.cli.codes import FAILED, INCOMPLETE, NOTHING, PASSED
from structout.cli.console import put, put_json, say, silence
from structout.cli.options import (
    CodeOption,
    CompleteOption,
    DecimalOption,
    DelimiterOption,
    DocumentFormatOption,
    KeepOption,
    SchemaOption,
    WriteSecretsOption,
    decimal_named,
    policy_named,
    share_named,
    shares_of,
)
from structout.errors import DataError, SpecError
from structout.surfaces import json_shown, line

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    column: Annotated[
        str | None, typer.Option("--column", help="The column that holds each document as JSON, such as raw answers.")
    ] = None,
    keep: KeepOption = None,
    format: DocumentFormatOption = None,  # noqa: A002
    delimiter: DelimiterOption = "",
    min_valid: Annotated[
        float | None,
        typer.Option(
            "--min-valid",
            parser=share_named,
            metavar="SHARE",
            help="The lowest share that must pass, such as 0.98 or 98% (1 without any threshold).",
        ),
    ] = None,
    max_invalid: Annotated[
        int | None, typer.Option("--max-invalid", min=0, help="The highest number of documents that may fail.")
    ] = None,
    min_field: Annotated[
        list[str] | None,
        typer.Option(
            "--min-field", help="FIELD=SHARE, or /a/*/b=SHARE: the lowest share with a valid field. Repeatable."
        ),
    ] = None,
    warn_valid: Annotated[
        float | None,
        typer.Option(
            "--warn-valid", parser=share_named, metavar="SHARE", help="As --min-valid, but a miss only warns."
        ),
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
    decimal: DecimalOption = None,
    complete: CompleteOption = False,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="The JSONL file (or -) for documents that pass, as they are or repaired."),
    ] = None,
    rejects: Annotated[
        str | None, typer.Option("--rejects", help="The JSONL file (or -) for documents that fail, with reasons.")
    ] = None,
    provenance: Annotated[
        bool,
        typer.Option(
            "--provenance", help="With --output: add _status and _edits to each record, which tell what was repaired."
        ),
    ] = False,
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report",
            help="FORMAT=PATH (or -): json (one object for all), junit, sarif, github, html, md. Repeatable.",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="The number of processes; the order is kept.")] = 1,
    write_secrets: WriteSecretsOption = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write a line of JSON for each document, also for those that pass.")
    ] = False,
    no_code: CodeOption = False,
) -> None:
    """Check documents strictly against a schema.

    Any threshold takes the place of the default, which is that all documents are valid: with --warn-... alone, a miss
    only warns.

    Exit 0: the thresholds hold, except those that only warn; 1: a threshold is missed; 2: a mistake, or an input cannot
    be read; 3: the input broke off; 4: the input holds no documents.
    """
    from structout.gate.column import LOOKED_AT, forgotten_column
    from structout.gate.conclusion import counts, summary
    from structout.gate.findings import Findings, Thresholds
    from structout.gate.gate import Gate, Mending
    from structout.gate.inputs import Inputs
    from structout.gate.outputs import check_provenance, kept_columns, taking
    from structout.gate.reports import reports_named, write_report
    from structout.gate.workers import in_processes, judgements
    from structout.gate.written import judgement_json
    from structout.schema import Schema
    from structout.schema.hidden import check_hidden
    from structout.tables.kept_columns import columns_named
    from structout.tables.output import check_distinct

    if [output, rejects, *(one.partition("=")[2] for one in report or [])].count("-") > 1:
        raise SpecError(
            "stdout can take only one of --output, --rejects and --report", hint="name files for the others"
        )
    reports = reports_named(report or [], "--report")
    beside = {f"--report {one}": path for one, path in reports.items()}
    inputs = Inputs.of(sources or "-", format, delimiter)
    check_distinct({**inputs.by_purpose, "--output": output, "--rejects": rejects, **beside})
    contract, policy = Schema.of(schema), policy_named(repair) if repair is not None else None
    if policy is None and (decimal is not None or complete):
        raise SpecError("--decimal and --complete are for --repair", hint="add --repair lossless")
    names = columns_named(keep or ())
    if provenance and output is None:
        raise SpecError("--provenance is for --output", hint="add --output, or omit --provenance")
    if provenance:
        check_provenance(contract)
    if names and column is None:
        hint = "omit --keep; kept columns of a file that was written with --provenance are not judged"
        raise SpecError("--keep is for --column: a document has no other columns", hint=hint)
    is_judged = bool(rejects or as_json or any(one.startswith("json=") for one in reports))
    kept = kept_columns(names, contract, output=output or "-", judged=is_judged)
    if not write_secrets and any(place not in (None, "-") for place in (output, rejects)):
        check_hidden(contract, "add --write-secrets, or omit --output and --rejects")
    thresholds = Thresholds(
        min_valid, max_invalid, _shares("--min-field", min_field, contract),
        warn_valid, warn_invalid, _shares("--warn-field", warn_field, contract),
    )  # fmt: skip
    findings = Findings(inputs.shown, contract.shown, thresholds, sources=inputs.counters)
    gate = Gate(contract, Mending(policy, decimal_named(decimal), complete), thresholds.fields)
    judged = judgements if jobs == 1 else partial(in_processes, source=schema, jobs=jobs)
    several, unread = inputs.are_several, None
    owners: deque[str] = deque()  # the inputs of the documents that are being judged

    def documents() -> "Iterator[Document]":
        for document, owner in inputs.documents(contract, column, kept, findings.skip):
            owners.append(owner)
            yield document

    alone = "-" in (output, rejects, *reports.values())  # a machine reads stdout then, so it holds nothing else
    lines = sys.stderr if alone else sys.stdout
    is_told = as_json or "github=-" not in reports  # annotations name the documents already
    bad: list[Document] = []  # the first invalid documents
    accept, reject = (_emit if one == "-" else one for one in (output, rejects))
    with taking(findings, contract, accept, reject, provenance=provenance) as take:
        try:
            for document, judgement in judged(gate, documents()):
                place = owners.popleft()
                judgement = take(document, judgement, place if several else "")
                if judgement.status == "invalid" and len(bad) < LOOKED_AT:
                    bad.append(document)
                if as_json:
                    with _goes_on(lines):
                        put_json(judgement_json(judgement), lines)
                elif is_told and judgement.status == "invalid":
                    with _goes_on(lines):
                        put(line(str(judgement._replace(source=place))), lines)
        except DataError as error:
            if findings.total == 0:
                raise
            unread, findings.unread = error, str(error)
    for target in reports:
        with _goes_on(sys.stdout):
            write_report(target, findings)
    if unread is not None:
        say(f"error: {unread}; until then: {counts(findings)}")
        raise typer.Exit(INCOMPLETE)
    if findings.total == 0:
        say("nothing to check: the input holds no documents")
        raise typer.Exit(NOTHING)
    say(summary(findings))
    if column is None and findings.invalid == findings.total and (meant := forgotten_column(bad, contract)):
        option = f"--column {shlex.quote(meant)}"
        say(f"the rows lack keys of {contract.shown}, and the column {meant!r} holds them: did you mean {option}?")
    raise typer.Exit(PASSED if findings.passed else FAILED)


@contextmanager
def _goes_on(stream: TextIO) -> "Iterator[None]":
    """Ignore a closed pipe: the gate still judges every document for its exit code."""
    try:
        yield
    except BrokenPipeError:
        silence(stream)


def _shares(option: str, written: list[str] | None, schema: "Schema[Any]") -> dict[str, float]:
    """The shares of `FIELD=SHARE` by field. Raises `SpecError` for a field that the schema does not have."""
    from structout.gate.gate import check_field

    found = shares_of(option, written)
    for name in found:
        check_field(schema, name, option)
    return found


def _emit(written: bytes) -> None:
    with _goes_on(sys.stdout):
        sys.stdout.buffer.write(json_shown(written.decode()).encode() + b"\n")
