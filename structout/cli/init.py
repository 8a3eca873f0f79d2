"""`structout init`: a folder to start from, made of a sample."""

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structout.cli.codes import PASSED
from structout.cli.console import counted, put, say
from structout.cli.installation import extra_for
from structout.cli.options import CodeOption, DelimiterOption
from structout.document import Json, load_json, parse_json
from structout.errors import DataError, SpecError
from structout.surfaces import line, terminal

if TYPE_CHECKING:
    from structout.schema import Schema
    from structout.tables.sample import Sample

_MOST = 1000  # rows of the sample
_NONE = "-"  # the answer for no labels


def init(
    folder: Annotated[
        str | None, typer.Argument(metavar="FOLDER", help="The folder to write (default: named after the sample).")
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option("--sample", help="A file with a few rows: CSV, JSONL, Parquet, a JSON array, or lines of text."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="The model to ask, such as embedded or ollama:NAME.")
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option("--schema", "-s", help="A schema that you have: a folder, a .json file or path/to/file.py:Name."),
    ] = None,
    example: Annotated[
        str | None, typer.Option("--example", help="The file of a JSON document to infer the schema from, or its text.")
    ] = None,
    delimiter: DelimiterOption = "",
    column: Annotated[str | None, typer.Option("--column", help="The column of the texts (default: text).")] = None,
    label_column: Annotated[
        list[str] | None,
        typer.Option(
            "--label-column", help="Columns that are fields of the label: A,B. Repeatable (default: all but ids)."
        ),
    ] = None,
    no_labels: Annotated[
        bool,
        typer.Option("--no-labels", help="No column is a label: write a schema to fill in, and keep the columns."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the defaults.")] = False,
    no_code: CodeOption = False,
) -> None:
    """Write a folder to start from: a schema, the sample as records, and a README with the commands to run.

    Without --schema, the schema is inferred from the labelled columns of the sample, or from --example. A column that
    identifies rows, such as id, becomes the key, and a label too if --label-column names it. CSV may be delimited by ;
    | or tab. In a terminal, init asks for what is missing. It never overwrites a file, and checks all that it writes
    before it ends. At most 1,000 rows of the sample are taken. The check runs the schema that init wrote, so --no-code
    needs a .json --schema.

    Exit 0: the folder is written; 2: wrong usage, an unreadable sample, or labels that do not fit the schema.
    """
    from structout.cli.starter import STUB, STUB_FIELD, Starter, check_free
    from structout.models.load import check_name
    from structout.tables.place import Place
    from structout.tables.sample import read_sample

    asks = not yes and sys.stdin.isatty() and sys.stderr.isatty()
    wanted = (("--sample FILE", sample), ("--model NAME", model))
    if not asks and (missing := [flag for flag, value in wanted if value is None]):
        named = " and ".join(flag.partition(" ")[0] for flag in missing)
        hint = f"give {' and '.join(missing)}, or run init in a terminal"
        raise SpecError(f"{named} {'is' if len(missing) == 1 else 'are'} missing", hint=hint)
    if schema is not None and example is not None:
        raise SpecError("both --schema and --example are given", hint="omit one of them")
    if no_labels and label_column:
        raise SpecError("both --no-labels and --label-column are given", hint="omit one of them")
    if folder is not None:
        check_free(Path(folder))
    if model is not None:
        check_name(model)
    sample = _ask("The sample: a file with a few rows", None) if sample is None else sample
    rows = read_sample(sample, _MOST, delimiter)
    _tell_skipped(rows.skipped)
    if rows.is_part:
        say(f"took the first {_MOST:,} rows of {sample}")
    text = _text_column(rows, column, asks)
    given = None if schema is None else _given(schema)
    labels = () if no_labels else _labels(rows, text, label_column, given, example, asks)
    if model is None:
        model = _ask("The model, such as embedded, ollama:NAME, vllm:NAME@URL or anthropic:NAME", "embedded")
        check_name(model)
    if folder is None:
        stem = Path(Place.of(sample).file).name.partition(".")[0] or "records"
        folder = _ask("The folder to write", stem) if asks else stem
    check_free(Path(folder))
    records, lacking = _records(rows, text, labels, given)
    is_labelled = any("expected" in one for one in records)
    is_stub = given is None and example is None and not is_labelled and (no_labels or asks)
    file = given or (_SchemaFile("schema.py", "", STUB, fields=(STUB_FIELD,)) if is_stub else None)
    file = file or _inferred(records, example, sample)
    if is_labelled and lacking:
        records = [one for one in records if "expected" in one]
        say(f"left out {counted(lacking, 'row')} without a label")
    keep = tuple(one for one in _others(rows, text, labels) if one not in file.fields)
    starter = Starter(
        schema_file=file.name,
        schema_name=file.member,
        schema=file.text,
        records=records,
        model=model,
        is_labelled=is_labelled,
        has_key=bool(_key(rows, text, labels)),
        keep=keep,
        is_stub=is_stub,
    )
    if asks:
        put(f"\n{file.text}", sys.stderr)
        what = line(f"Write {file.name}, {counted(len(records), 'record')} and a README to {folder}?")
        if not typer.confirm(what, default=True, err=True):
            say("nothing is written")
            raise typer.Exit(PASSED)
    starter.write(Path(folder))
    if (extra := extra_for(model)) is not None and extra.missing:
        say(f"{line(model)} needs packages that are not installed: {extra.line}")
    _tell(starter, file, folder, _key(rows, text, labels))
    raise typer.Exit(PASSED)


@dataclass(frozen=True)
class _SchemaFile:
    """The file of a schema, and the name in it that is meant, perhaps ""."""

    name: str
    member: str
    text: str
    contract: "Schema[Any] | None" = None
    fields: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def _ask(what: str, default: str | None) -> str:
    return str(typer.prompt(terminal(what), default=default, err=True)).strip()


def _text_column(rows: "Sample", column: str | None, asks: bool) -> str:
    """The column of the texts. A column that only seems to hold them must be confirmed."""
    if column is None and "text" not in rows.columns:
        if not asks:
            hint = f"name the column of the texts with --column: {', '.join(rows.columns[:12])}"
            raise SpecError(f"{rows.name} has no column 'text'", hint=hint)
        say(f"{rows.name} has the columns {', '.join(rows.columns[:30])}")
        column = _ask("The column of the texts", line(rows.likely_text()))
    rows.check([column or "text"])
    return column or "text"


def _labels(
    rows: "Sample", text: str, named: list[str] | None, given: _SchemaFile | None, example: str | None, asks: bool
) -> tuple[str, ...]:
    """The columns of the labels, perhaps none."""
    if named:
        if example is not None:
            raise SpecError("both --label-column and --example are given", hint="omit one of them")
        named = [one for names in named for one in ([names] if names in rows.columns else names.split(","))]
        if text in named:
            raise SpecError(f"--label-column names the column of the texts: {text!r}", hint="name another column")
        rows.check(named)
        return tuple(dict.fromkeys(named))
    if example is not None:
        return ()
    likely = rows.likely_labels(text)
    if given is not None and given.contract is not None and likely != ("expected",):
        from structout.tables.layout import fields

        known = fields(given.contract)
        return tuple(one for one in likely if one in known)
    if not asks or given is not None or not likely or any("," in one for one in likely):
        return likely
    written = _ask(f"The columns of the labels, or {_NONE} for none", line(", ".join(likely)))
    chosen = () if written == _NONE else tuple(one.strip() for one in written.split(",") if one.strip())
    rows.check(chosen)
    return chosen


def _records(
    rows: "Sample", text: str, labels: Sequence[str], given: _SchemaFile | None
) -> tuple[list[dict[str, Json]], int]:
    """The records, with their labels where there are any, and the number of records without a label."""
    from structout.tables.sample import EXPECTED, KEY, SPLIT

    expected = _expected(rows, labels, given)
    key = _key(rows, text, labels)
    beside = [SPLIT, *_others(rows, text, labels)]
    kept = {KEY: key} if key else {}
    kept |= {one: one for one in beside if one in rows.columns and one not in labels and one != text}
    records, lacking, blank = [], 0, list[str]()
    for number, (row, label) in enumerate(zip(rows.rows, expected, strict=True), 1):
        content = row.get(text)
        if not isinstance(content, str) or not content.strip():
            blank.append(f"record {number}: it has no text in {text}")
            continue
        lacking += label is None
        own = {name: row[column] for name, column in kept.items() if row.get(column) not in (None, "")}
        records.append({**own, "text": content, **({} if label is None else {EXPECTED: label})})
    _tell_skipped(blank)
    if not records:
        raise DataError(f"{rows.name} has no text in its column {text!r}", hint="name the column with --column")
    return records, lacking


def _key(rows: "Sample", text: str, labels: Sequence[str]) -> str:
    """The column that becomes the key, "" if none does. A label that is called `key` need not identify a row."""
    from structout.tables.sample import KEY

    likely = rows.likely_key(text)
    return "" if likely == KEY and KEY in labels else likely


def _others(rows: "Sample", text: str, labels: Sequence[str]) -> list[str]:
    """The columns that are neither text, label nor key, and that `run --keep` can name."""
    from structout.tables.sample import EXPECTED, KEY, SPLIT

    taken = {text, "text", EXPECTED, KEY, SPLIT, rows.likely_key(text), *labels}
    plain = (one for one in rows.columns if one not in taken and one[:1] != "_")
    return [one for one in plain if one.isprintable() and not set(one) & {",", '"'} and one.strip() == one]


def _tell_skipped(reasons: Sequence[str]) -> None:
    """Say which rows were skipped: alike reasons, which differ in numbers only, once."""
    found: dict[str, list[str]] = {}
    for reason in reasons:
        found.setdefault(re.sub(r"\d+", "0", reason), []).append(reason)
    for first, *rest in list(found.values())[:5]:
        say(f"skipped {first}" + (f", and {counted(len(rest), 'more row')} for this reason" if rest else ""))
    if left := sum(map(len, list(found.values())[5:])):
        say(f"skipped {counted(left, 'more row')}")


def _expected(rows: "Sample", labels: Sequence[str], given: _SchemaFile | None) -> list[Json]:
    """The label of each row; None for a row whose labelled columns are all empty."""
    from structout.evaluation.dataset import label_reader
    from structout.tables.sample import EXPECTED, read_cells

    if tuple(labels) == (EXPECTED,):
        return [_document(row.get(EXPECTED), rows.is_text) for row in rows.rows]
    cells = [{name: row[name] for name in labels if name in row} for row in rows.rows]
    filled = [any(value not in (None, "") for value in one.values()) for one in cells]
    if rows.is_text and given is not None and given.contract is not None:
        read = label_reader(given.contract)
        found: list[Json] = [read(one) if full else None for one, full in zip(cells, filled, strict=True)]  # type: ignore[arg-type]
        return found
    values: Sequence[Mapping[str, Json]] = read_cells(rows.rows, labels) if rows.is_text else cells
    return [dict(one) if full else None for one, full in zip(values, filled, strict=True)]


def _document(value: Json, is_text: bool) -> Json:
    """A label in the column `expected`: JSON in a text cell."""
    if not is_text or not isinstance(value, str):
        return value
    if not value.strip():
        return None
    document, issue = parse_json(value)
    if issue is not None:
        raise DataError(f"invalid JSON in the column expected: {issue}", hint="fix the cell")
    return document


def _given(schema: str) -> _SchemaFile:
    """The file of a schema that the user has. Raises `SchemaError`, and `SpecError` for a name of a module."""
    from structout.schema import Schema
    from structout.source import file_named
    from structout.tables.layout import fields

    contract = Schema.of(schema)
    path = Path(schema)
    if path.is_dir():
        path = next(path / name for name in ("schema.py", "schema.json") if (path / name).is_file())
    elif path.suffix != ".json":
        file = file_named(schema)
        if file is None:
            raise SpecError(f"{schema} names a module", hint="give the file instead: --schema path/to/file.py:Name")
        path = file
    member = "" if str(path) == schema or Path(schema).is_dir() else schema.rpartition(":")[2]
    name = "schema.json" if path.suffix == ".json" else "schema.py"
    return _SchemaFile(name, member, path.read_text(encoding="utf-8"), contract, tuple(fields(contract)))


def _inferred(records: Sequence[Mapping[str, Json]], example: str | None, sample: str) -> _SchemaFile:
    """The schema that the labels or the example have in common."""
    from structout.schema.inference import infer

    labels = [_example(example)] if example is not None else [one["expected"] for one in records if "expected" in one]
    if not labels:
        hint = (
            "give --schema SCHEMA, --example FILE with one JSON document, name columns with --label-column, or give "
            "--no-labels for a schema to fill in"
        )
        raise SpecError(f"{sample} has no labels to infer a schema from", hint=hint)
    objects = [one for one in labels if isinstance(one, dict)]
    if len(objects) < len(labels):
        raise DataError("a label is not a JSON object", hint="give --schema for labels of another form")
    if not any(objects):
        raise DataError("the labels have no fields", hint="give --schema, or labels with fields")
    found = infer(objects)
    fields = dict.fromkeys(key for one in objects for key in one)
    return _SchemaFile("schema.py", "", found.source, None, tuple(fields), found.closed)


def _example(given: str) -> Json:
    """The document in a file, or in the text itself."""
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text(encoding="utf-8")
        found: Json = load_json(text)
    except OSError as error:
        hint = "give the file of a JSON document, or its text"
        raise DataError(f"cannot read {given}: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise DataError(f"--example is not JSON: {error}", hint="give one JSON document") from error
    return found


def _tell(starter: Any, file: _SchemaFile, folder: str, key: str) -> None:
    records = counted(len(starter.records), "record")
    labelled = "with labels" if starter.is_labelled else "without labels"
    put(f"wrote {file.name}, {records} {labelled} and README.md to {folder}")
    if starter.is_stub:
        put(f"{file.name} is a stub: name the values that a model should extract, then run the commands")
    elif file.contract is None:
        told = "to extract others, name their columns with --label-column, give an --example, or --no-labels"
        put(f"the schema has the fields {', '.join(map(line, file.fields[:30]))}: {told}")
    if key and key not in file.fields:
        named = ",".join((key, *file.fields))
        how = f": --label-column {line(shlex.quote(named))} makes it a field too" if starter.is_labelled else ""
        put(f"the column {line(key)} became the key of the records, and is not a field{how}")
    if file.closed:
        put(f"closed lists hold the values of the sample only: check {', '.join(map(line, file.closed))}")
    put("the commands are in README.md. The first:\n")
    put(f"  cd {shlex.quote(folder)}\n  {starter.commands(Path(folder))[0][0]}")
