"""`structout repair`: one answer, mended."""

import sys
from typing import Annotated

import typer

from structout.cli.codes import FAILED, PASSED
from structout.cli.console import put, put_json, say
from structout.cli.options import CodeOption, SchemaOption


def repair(
    schema: SchemaOption,
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A file with one answer of a model, or - for stdin.")
    ] = "-",
    policy: Annotated[
        str, typer.Option("--policy", help="The edits that are accepted: lossless, lossy or any.")
    ] = "lossless",
    decimal: Annotated[
        str | None,
        typer.Option("--decimal", help="The decimal sign of numbers in text: . or , (else 1,200 is ambiguous)."),
    ] = None,
    edits: Annotated[bool, typer.Option("--edits", help="Show on stderr what was changed where.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write value, issues and edits as JSON.")] = False,
    no_code: CodeOption = False,
) -> None:
    """Mend one answer, in JSON or YAML, and write the document. Exit 0: it could be mended; 1: it could not."""
    from dataclasses import asdict

    from structout.parsing import repair as mend
    from structout.parsing import view
    from structout.schema import Schema
    from structout.tables.rows import opened_file

    contract = Schema.of(schema)
    with opened_file(source) as stream:
        text = stream.read()
    mended = mend(text, contract, policy, decimal=decimal)  # type: ignore[call-overload]
    value = contract.dump(mended.value) if mended.ok else None
    if as_json:
        issues, changes = [asdict(issue) for issue in mended.issues], [edit._asdict() for edit in mended.edits]
        put_json({"ok": mended.ok, "value": value, "issues": issues, "edits": changes})
    elif mended.ok:
        put_json(value)
    if edits:
        put(view(text, mended), sys.stderr)
    elif not mended.ok:
        say("; ".join(map(str, mended.issues[:3])))
    raise typer.Exit(PASSED if mended.ok else FAILED)
