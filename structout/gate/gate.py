"""The gate: documents of any producer are judged, one by one."""

import warnings
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

from structout.document import Json, parse_json
from structout.errors import DataError, SpecError, StructoutWarning
from structout.gate.findings import Findings, Judgement, Thresholds, bounded, pattern
from structout.gate.inputs import Inputs, divided
from structout.gate.outputs import Rows, check_provenance, kept_columns, taking, written_to
from structout.gate.reports import reports_named, write_report
from structout.issue import Issue, pointer
from structout.parsing import Decimal, Edit, Policy
from structout.parsing.notices import may_have_notices, notices
from structout.schema import Schema
from structout.schema.hidden import check_hidden
from structout.schema.walk import meant
from structout.tables.documents import Document, in_column
from structout.tables.kept_columns import columns_named
from structout.tables.layout import Layout, has_provenance
from structout.tables.output import check_distinct
from structout.tables.place import DocumentFormat

_NO_UTF8 = (Issue("", "not_json", "the document is not UTF-8: convert the file to UTF-8"),)


# Of the whole document, these kinds say that no value in it is sure.
_UNREAD: Final = frozenset({"not_json", "duplicate_key", "non_finite", "ambiguous", "truncated", "refused_edit"})


class Mending(NamedTuple):
    """How invalid documents are repaired, as `repair` takes it: `policy` None repairs nothing."""

    policy: Policy | None = None
    decimal: Decimal | None = None
    complete: bool = False


AS_IT_IS = Mending()


class Gate:
    """Checks documents strictly against a schema, one by one. With a policy, it first repairs an invalid document.

    `fields` are the fields with a threshold: names, or JSON Pointers with `*` for each item of a list. Provenance
    columns do not belong to a document.
    """

    def __init__(self, schema: Schema[Any], mending: Mending = AS_IT_IS, fields: Iterable[str] = ()) -> None:
        self.schema = schema
        self.mending = mending
        self.fields = tuple(fields)
        self._places = {name: _place(schema, name) for name in self.fields}
        self._required = set(_of(schema, "required"))
        self._layout = Layout.of(schema)
        self._warned = False

    def judge(self, document: Document) -> Judgement:
        """The judgement on a document."""
        data = document.data
        if data is not None and not document.wrong and self.schema.complies(data):
            if not may_have_notices(data):
                return Judgement(document.line, "valid")
            return Judgement(document.line, "valid", notices=notices(document.text, parse_json(document.text)[0]))
        return self._judge(document)

    def _judge(self, document: Document) -> Judgement:
        schema, data = self.schema, document.data
        if document.wrong:
            return self._invalid(document, (Issue("", document.kind, document.wrong),), None)
        checked = schema.check(document.parsed) if data is None else schema.check_text(document.text)
        if isinstance(checked.document, dict) and has_provenance(checked.document):
            self._warn_of_kept(checked.document)
            checked = schema.check(self._layout.record(checked.document))
        if checked.ok:
            seen = () if data is None or not may_have_notices(data) else notices(document.text, checked.document)
            return Judgement(document.line, "valid", notices=seen)
        policy, decimal, complete = self.mending
        if policy is None:
            bytes_only = data is not None and not _is_utf8(data)
            return self._invalid(document, _NO_UTF8 if bytes_only else checked.issues, checked.document)
        from structout.parsing import repair

        found = repair(document.text, schema, policy, decimal=decimal, complete=complete)
        if not found.ok:
            issues = _without_end(found.issues, document.text, found.edits)
            return self._invalid(document, issues, found.document, found.edits)
        edits, seen = found.edits, found.notices
        return Judgement(document.line, "repaired", (), len(edits), found.document, seen, changes=bounded(edits))

    def _warn_of_kept(self, row: dict[str, Json]) -> None:
        """Warn of the first row with columns that are not judged. A misspelt field would otherwise stay unnoticed."""
        if not self._warned and (kept := self._layout.kept(row)):
            self._warned = True
            message = f"columns without a field in {self.schema.shown} are not judged: {', '.join(kept[:12])}"
            warnings.warn(message, StructoutWarning, stacklevel=2)

    def _invalid(
        self, document: Document, issues: tuple[Issue, ...], found: Json, edits: tuple[Edit, ...] = ()
    ) -> Judgement:
        bad = tuple(self._bad_fields(found, issues))
        return Judgement(document.line, "invalid", issues, len(edits), bad_fields=bad, changes=bounded(edits))

    def _bad_fields(self, document: Json, issues: tuple[Issue, ...]) -> Iterator[str]:
        """The fields with a threshold that are bad in this document: required but absent, or with an issue."""
        for name, place in self._places.items():
            is_absent = not isinstance(document, dict) or (name in self._required and name not in document)
            if is_absent or any(_concerns(issue, place) for issue in issues):
                yield name


def validate(
    documents: Iterable[Any] | str | Path,
    schema: Any,
    *,
    repair: Policy | None = None,
    decimal: Decimal | None = None,
    complete: bool = False,
    thresholds: Thresholds | None = None,
    format: DocumentFormat | None = None,  # noqa: A002
    delimiter: str = "",
    column: str | None = None,
    keep: str | Iterable[str] = (),
    output: Rows | None = None,
    rejects: Rows | None = None,
    provenance: bool = False,
    report: str | Iterable[str] = (),
    write_secrets: bool = False,
) -> Findings:
    """Check documents strictly against a schema, and count the valid documents and the issues of the others.

    `documents` are JSON texts (`str` or `bytes`) or parsed documents (`dict`, `list` ...), or inputs as the command
    takes them: the name or the `Path` of a file, a folder, a pattern or a table, or a list of Paths. `format` overrules
    the suffixes of files, and `delimiter` is the one of CSV. `column` names the column of the inputs, or the key of
    each `dict`, that holds each document as JSON. `schema` is anything that `Schema.of` takes. `repair` is the policy
    for repairing an invalid document first; `decimal` and `complete` mean what they mean to `structout.parsing.repair`.

    `output` takes the documents that pass, as they are or repaired, and `rejects` takes the others with their issues,
    as the options of `structout validate` do: each is the path of a JSONL file, or a function that takes each row. The
    columns `keep` (names, or `"all"`) stand before each record and beside the lines of the findings, and `provenance`
    adds `_status` and `_edits` to each record. `report` names reports as `--report` does: `"html=gate.html"`, or a list
    of such texts; the formats are json, junit, sarif, github, html and md. A report is also written, with what was
    judged until then, if an input breaks off and `DataError` is raised. A schema with secrets or excluded fields needs
    `write_secrets`.

    `passed` of the result says whether the thresholds hold; without any, all documents must be valid. Raises
    `SpecError`, `SchemaError`, `OutputError`, and `DataError` if the file cannot be read.

    >>> validate(['{"a": 1}', '{"a": "x"}'], {"properties": {"a": {"type": "integer"}}}).invalid
    1
    >>> valid = []
    >>> findings = validate(['{"a": 1}', '{"a": "x"}'], {"properties": {"a": {"type": "integer"}}}, output=valid.append)
    >>> valid
    [{'a': 1}]
    """
    contract = Schema.of(schema)
    named, given = divided(documents, contract)
    inputs = Inputs.of(named, format, delimiter)
    for what, one, choices in (("repair", repair, get_args(Policy)), ("decimal", decimal, get_args(Decimal))):
        if one not in (None, *choices):
            raise SpecError(f"invalid {what}: got {one!r}", hint=f"give {' or '.join(map(repr, choices))}")
    if repair is None and (decimal is not None or complete):
        raise SpecError("decimal and complete are for repair", hint="give repair='lossless' too")
    targets = {"output": written_to(output), "rejects": written_to(rejects)}
    reports = reports_named([report] if isinstance(report, str) else report)
    names = columns_named([keep] if isinstance(keep, str) else keep)
    if names and column is None:
        hint = "omit keep; kept columns of a file that was written with provenance are not judged"
        raise SpecError("keep is for column: a document has no other columns", hint=hint)
    if provenance:
        check_provenance(contract)
    files = {what: one for what, one in targets.items() if isinstance(one, str)}
    if files and not write_secrets:
        check_hidden(contract, "give write_secrets=True, or a function as output and rejects")
    check_distinct({**inputs.by_purpose, **files, **{f"report {one}": path for one, path in reports.items()}})
    is_judged = rejects is not None or any(one.startswith("json=") for one in reports)
    kept = kept_columns(names, contract, output=files.get("output", "-"), judged=is_judged)
    findings = Findings(inputs.shown, contract.shown, thresholds or Thresholds(), sources=inputs.counters)
    for name in findings.thresholds.fields:
        check_field(contract, name, "thresholds")
    gate = Gate(contract, Mending(repair, decimal, complete), findings.thresholds.fields)
    found = _given(given) if column is None else in_column(given, column, kept)
    read = inputs.documents(contract, column, kept, findings.skip)
    try:
        with taking(findings, contract, *targets.values(), provenance=provenance) as take:
            for document, source in chain(read, ((document, "") for document in found)):
                take(document, gate.judge(document), source if inputs.are_several else "")
    except DataError as error:
        findings.unread = str(error)
        if findings.total:
            _write(reports, findings)
        raise
    _write(reports, findings)
    return findings


def _write(reports: Iterable[str], findings: Findings) -> None:
    for target in reports:
        write_report(target, findings)


def _given(documents: Iterable[Any]) -> Iterator[Document]:
    for line, one in enumerate(documents, 1):
        if isinstance(one, str | bytes):
            yield Document(line, one.encode("utf-8", "surrogateescape") if isinstance(one, str) else one)
        else:
            yield Document(line, None, one)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def fields_of(schema: Schema[Any]) -> list[str]:
    """The names of the schema's top-level fields."""
    return list(_of(schema, "properties"))


def check_field(schema: Schema[Any], name: str, where: str) -> None:
    """Raise `SpecError` if a schema does not have a field that a threshold names."""
    if not has_field(schema, name):
        hint = f"use one of {', '.join(fields_of(schema)[:12])}, or a JSON Pointer such as /parts/*/size"
        raise SpecError(f"unknown field {name!r} in {where}", hint=hint)


def has_field(schema: Schema[Any], name: str) -> bool:
    """Whether a schema declares a field: a name, or a JSON Pointer with `*` for each item of a list."""
    if name in fields_of(schema):
        return True
    root, nodes = schema.json_schema, [schema.json_schema]
    for step in name.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        found = [node for node in meant(nodes, root) if isinstance(node, dict)]
        inner = [node["properties"][key] for node in found if key in node.get("properties", ())]
        nodes = inner or [node["items"] for node in found if key == "*" and "items" in node]
    return name.startswith("/") and bool(nodes)


def _place(schema: Schema[Any], name: str) -> str:
    """The JSON Pointer of a field."""
    is_pointer = name.startswith("/") and name not in fields_of(schema)
    return name if is_pointer else "/" + name.replace("~", "~0").replace("/", "~1")


def _concerns(issue: Issue, place: str) -> bool:
    """Whether an issue concerns the field at a place: it is in the field, a parent is absent or of another type, or the
    document as a whole could not be read, or not in one way only.
    """
    if issue.pointer == "" and issue.kind in _UNREAD:
        return True
    found = pattern(issue.place)
    if found == place or found.startswith(place + "/"):
        return True
    return issue.kind in ("missing", "type", "union") and found != "" and place.startswith(found + "/")


def _without_end(issues: tuple[Issue, ...], text: str, edits: tuple[Edit, ...]) -> tuple[Issue, ...]:
    """The issues without the keys that the end of a cut-off text would have held: those of the objects that were open
    there, which are the last ones of the text as repair closed it.
    """
    if not any(issue.kind == "truncated" for issue in issues):
        return issues
    from structout.parsing.edits import apply

    document, _ = parse_json(apply(text, edits))
    steps: list[str | int] = []
    places = {""}
    while document and isinstance(document, dict | list):
        steps.append(list(document)[-1] if isinstance(document, dict) else len(document) - 1)
        document = document[steps[-1]]  # type: ignore[index]
        places.add(pointer(steps))
    return tuple(issue for issue in issues if issue.kind != "missing" or issue.pointer not in places)


def _of(schema: Schema[Any], keyword: str) -> Any:
    root = schema.json_schema
    return root.get(keyword, []) if isinstance(root, dict) else []
