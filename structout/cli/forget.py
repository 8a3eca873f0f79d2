"""`structout forget`: the removal of rows from all files that keep them, with a proof."""

from typing import TYPE_CHECKING, Annotated

import typer

from structout.cli.codes import FAILED, NOTHING, PASSED
from structout.cli.console import counted, put, put_json, say
from structout.cli.options import JsonOption
from structout.errors import SpecError

if TYPE_CHECKING:
    from structout.tables.removal import Removal


_TEXTS = ("the key", "/value", "/document", "/input", "/record", "/text", "/expected")  # prompts share theirs


def forget(
    journal: Annotated[str, typer.Argument(metavar="JOURNAL", help="The journal of the run (OUTPUT.journal).")],
    key: Annotated[
        list[str] | None, typer.Option("--key", help="The key of a row (_key; by default its number). Repeatable.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="The output of the run (default: beside the journal).")
    ] = None,
    quarantine: Annotated[
        str | None, typer.Option("--quarantine", help="The quarantine of the run (default: beside the journal).")
    ] = None,
    log: Annotated[
        list[str] | None, typer.Option("--log", help="A bench log that has the same keys. Repeatable.")
    ] = None,
    report: Annotated[
        list[str] | None, typer.Option("--report", help="The HTML report of one of these logs. Repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which files hold the keys.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove rows from a journal and from the files that belong to it, and prove it by a search of their bytes.

    The next run does not ask for these rows, and their cost stays counted. Remove them from the input as well: leave
    the place of each row, since a run refuses an input whose rows have moved.

    Exit 0: the rows are removed, and the search found nothing; 1: a file still holds a text, or one of several keys is
    unknown; 2: wrong usage, or a file that structout cannot rewrite (found before anything changes); 3: another
    process uses the journal; 4: no file holds any of the keys.
    """
    from structout.evaluation.forgetting import LogRows, ReportRows, paired
    from structout.pipeline.forget import holders
    from structout.tables.output import check_distinct
    from structout.tables.place import Place
    from structout.tables.removal import remove

    if not key:
        raise SpecError("--key is missing", hint="name a row, for example: structout forget JOURNAL --key 17")
    logs = [LogRows(one) for one in log or ()]
    reports = [ReportRows(page, its) for page, its in paired(report or (), log or ())]
    named = {"JOURNAL": journal, "--output": output, "--quarantine": quarantine}
    named |= {f"--log {number}": one for number, one in enumerate(log or (), 1)}
    check_distinct(named | {f"--report {number}": one for number, one in enumerate(report or (), 1)})
    of_run = holders(journal, output, quarantine)
    others = (journal, quarantine, f"{journal.removesuffix('.journal')}.quarantine.jsonl")
    if output is None and all(one.name in others for one in of_run):
        say("the output is not beside the journal: name it with --output, unless it is deleted")
        say("an output in an object store keeps the rows until the same run uploads it again")
    found = remove([*logs, *reports, *of_run], key, dry_run=dry_run)
    if as_json:
        put_json({"dry_run": dry_run, **found.to_json()})
    else:
        _show(found, dry_run=dry_run)
    if output is not None and Place.of(output).is_database and found.removed.get(Place.of(output).shown):
        say(
            "PostgreSQL keeps the bytes of deleted rows, which cannot be searched: run VACUUM FULL on the table, and "
            "let its log (WAL), its replicas and its backups expire"
        )
    if len(found.unknown) == len(set(key)):
        raise typer.Exit(NOTHING)
    raise typer.Exit(PASSED if found.is_complete else FAILED)


def _show(found: "Removal", *, dry_run: bool) -> None:
    from structout.tables.removal import searched

    for name, count in found.removed.items():
        if count:
            put(f"{name} holds {counted(count, 'row')}" if dry_run else f"removed {counted(count, 'row')} from {name}")
    for name in found.unknown:
        say(f"unknown key {name!r}: no file holds a row with it")
    for one in found.searched:
        put(searched(one))
    if found.shared:
        places = sorted({place for place in found.shared if place.startswith(_TEXTS)})
        if places:
            put(f"kept rows hold the same text at {', '.join(places)}: this text stays")
    if found.searched:
        say("blank the row in the input too, and keep its place: a run refuses an input whose rows have moved")
    if any(one.found for one in found.searched):
        say("a text is left: rewrite or delete the files that still hold it")
