"""`structout repair`: the repair of one answer."""

import sys
from typing import Annotated

import typer

from structout.cli.codes import FAILED, PASSED
from structout.cli.console import put, put_json, say
from structout.cli.options import CodeOption, CompleteOption, DecimalOption, SchemaOption, decimal_named, policy_named
from structout.errors import DataError


def repair(
    schema: SchemaOption,
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A file that holds one answer of a model, or - for stdin.")
    ] = "-",
    policy: Annotated[str, typer.Option("--policy", help="The edits to accept: lossless, lossy or any.")] = "lossless",
    decimal: DecimalOption = None,
    complete: CompleteOption = False,
    edits: Annotated[bool, typer.Option("--edits", help="Show the edits on stderr.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write value, issues and edits as JSON.")] = False,
    no_code: CodeOption = False,
) -> None:
    """Repair one answer, in JSON or YAML, and write the document. Exit 0: repaired; 1: not repairable."""
    from structout import parsing
    from structout.gate.written import issue_json
    from structout.schema import Schema
    from structout.tables.place import Place
    from structout.tables.streams import opened_text

    contract, accepted, sign = Schema.of(schema), policy_named(policy), decimal_named(decimal)
    try:
        with opened_text(Place.of(source)) as stream:
            text = stream.read()
    except DataError as error:
        if "check the path" not in error.hint:
            raise
        raise DataError(error.message, hint="give a file with one answer") from error
    found = parsing.repair(text, contract, accepted, decimal=sign, complete=complete)
    value = contract.written(found) if found.ok else None
    if as_json:
        issues, changes = list(map(issue_json, found.issues)), [edit._asdict() for edit in found.edits]
        notices = list(map(issue_json, found.notices))
        put_json({"ok": found.ok, "value": value, "issues": issues, "edits": changes, "notices": notices})
    elif found.ok:
        put_json(value)
    if edits:
        put(parsing.view(text, found), sys.stderr)
    elif not found.ok:
        say("; ".join(map(str, found.issues[:3])))
    for notice in found.notices:
        say(f"notice: {notice}")
    raise typer.Exit(PASSED if found.ok else FAILED)
