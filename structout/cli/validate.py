"""`structout validate`: a gate for documents that others produced."""

import json
from typing import Annotated

import typer

from structout.cli.codes import FAILED, NOTHING, PASSED
from structout.cli.console import say
from structout.cli.options import JsonOption, SchemaOption, policy_named


def validate(
    schema: SchemaOption,
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="A .json document, JSONL (a document a line), or - for JSONL on stdin."),
    ] = "-",
    min_valid: Annotated[
        float, typer.Option("--min-valid", min=0, max=1, help="The least share that must pass.")
    ] = 1.0,
    repair: Annotated[
        str | None, typer.Option("--repair", help="Mend what fails first, by this policy: lossless, lossy or any.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge documents that others produced, strictly. Exit 0: enough are valid; 1: too few; 4: none were there."""
    from structout.pipeline.formats import documents
    from structout.repair import repair as mend
    from structout.schema import Schema

    contract, policy = Schema.of(schema), policy_named(repair) if repair is not None else None
    total = valid = repaired = 0
    for number, text in documents(source):
        total += 1
        checked = contract.check_text(text)
        status, issues, edits = "valid" if checked.ok else "invalid", checked.issues, 0
        if not checked.ok and policy is not None:
            mended = mend(text, contract, policy)
            issues, edits = mended.issues, len(mended.edits)
            status = "repaired" if mended.ok else "invalid"
        valid += status == "valid"
        repaired += status == "repaired"
        if as_json:
            found = [{"pointer": issue.pointer, "kind": issue.kind, "message": issue.message} for issue in issues]
            print(json.dumps({"line": number, "status": status, "issues": found, "edits": edits}))
        elif status == "invalid":
            print(f"{source}:{number}: {'; '.join(map(str, issues))}")
    if total == 0:
        say("nothing to check: the input holds no documents")
        raise typer.Exit(NOTHING)
    say(f"{valid} of {total} documents are valid{f', {repaired} more after repair' if policy else ''}")
    raise typer.Exit(PASSED if (valid + repaired) / total >= min_valid else FAILED)
