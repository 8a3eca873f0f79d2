"""The gate: judgements on documents, counts of valid and invalid ones, and thresholds on the counts."""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from structout.document import Json, parse_json
from structout.errors import SpecError, StructoutWarning
from structout.issue import Issue
from structout.parsing import Policy
from structout.parsing.notices import notices
from structout.schema import Schema
from structout.tables.documents import Document, read_documents
from structout.tables.layout import Layout, is_of_run
from structout.tables.place import DocumentFormat

_NO_UTF8 = (Issue("", "not_json", "the document is not UTF-8: convert the file to UTF-8"),)
_SHOWN = 1000  # documents that reports list individually


class Judgement(NamedTuple):
    """The judgement on one document: `valid` as it is, `repaired` to `repaired_to`, or `invalid`.

    `notices` name values of a valid document that look wrong, and `bad_fields` the fields with a threshold that are
    bad in an invalid document. `source` is the input of a document in a sample. (A tuple, because creating
    judgements is a large part of the cost of small documents.)
    """

    line: int
    status: Literal["valid", "repaired", "invalid"]
    issues: tuple[Issue, ...] = ()
    edits: int = 0
    repaired_to: Json = None
    notices: tuple[Issue, ...] = ()
    bad_fields: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class Thresholds:
    """The requirements on all documents together: the lowest share that must pass, the highest number that may fail,
    and by field the lowest share of documents in which the field is valid.

    The thresholds `warn_valid`, `warn_invalid` and `warn_field` ask the same, but a miss only warns.
    """

    min_valid: float = 1.0
    max_invalid: int | None = None
    min_field: Mapping[str, float] = field(default_factory=dict)
    warn_valid: float | None = None
    warn_invalid: int | None = None
    warn_field: Mapping[str, float] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields with a threshold."""
        return tuple(dict.fromkeys([*self.min_field, *self.warn_field]))


@dataclass(frozen=True, slots=True)
class ThresholdCheck:
    """One threshold, the value found, and whether the threshold holds. `level` says what a miss is."""

    name: str
    found: str
    passed: bool
    level: Literal["error", "warning"] = "error"


@dataclass
class Findings:
    """The counts of the gate so far. `sample` holds the first 1,000 invalid documents; `noticed` counts valid documents
    with values that look wrong. `unread` says why the input broke off, if it did: then the gate does not pass.
    """

    source: str
    schema: str
    thresholds: Thresholds
    total: int = 0
    valid: int = 0
    repaired: int = 0
    noticed: int = 0
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad_fields: Counter[str] = field(default_factory=Counter)
    sample: list[Judgement] = field(default_factory=list)
    unread: str = ""

    @property
    def invalid(self) -> int:
        """The number of invalid documents."""
        return self.total - self.valid - self.repaired

    @property
    def passed(self) -> bool:
        """Whether all thresholds hold, except those that only warn."""
        return not self.missed("error")

    def missed(self, level: Literal["error", "warning"]) -> list[ThresholdCheck]:
        """The thresholds of a level that do not hold."""
        return [check for check in self.checks() if check.level == level and not check.passed]

    def frequent(self, most: int | None = None) -> list[tuple[tuple[str, str], int]]:
        """The kinds of issue with the number of their documents, the most frequent first, at most `most`."""
        return sorted(self.kinds.items(), key=lambda item: (-item[1], item[0]))[:most]

    def checks(self) -> list[ThresholdCheck]:
        """The thresholds, checked against the counts so far, and whether there was an input to its end."""
        limits = self.thresholds
        least = limits.min_valid if limits.max_invalid is None or limits.min_valid < 1 else None
        checks = [ThresholdCheck("the input is read to its end", self.unread, False)] if self.unread else []
        checks += [ThresholdCheck("documents >= 1", "0", False)] if not self.total else []
        checks += self._checks(least, limits.max_invalid, limits.min_field, "error")
        checks += self._checks(limits.warn_valid, limits.warn_invalid, limits.warn_field, "warning")
        return checks

    def _checks(
        self, least: float | None, most: int | None, fields: Mapping[str, float], level: Literal["error", "warning"]
    ) -> Iterator[ThresholdCheck]:
        if least is not None:
            share = (self.valid + self.repaired) / self.total if self.total else 0.0
            yield ThresholdCheck(f"valid >= {least:g}", f"{share:.6g}", share >= least, level)
        if most is not None:
            yield ThresholdCheck(f"invalid <= {most}", str(self.invalid), self.invalid <= most, level)
        for name, wanted in fields.items():
            good = (self.total - self.bad_fields[name]) / self.total if self.total else 0.0
            yield ThresholdCheck(f"{name} valid >= {wanted:g}", f"{good:.6g}", good >= wanted, level)

    def add(self, judgement: Judgement, source: str = "") -> None:
        """Count a judgement on a document of `source`, by default of the only one."""
        self.total += 1
        if judgement.status == "valid":
            self.valid += 1
            self.noticed += bool(judgement.notices)
        elif judgement.status == "repaired":
            self.repaired += 1
        else:
            self.bad_fields.update(judgement.bad_fields)
            self.kinds.update({(issue.kind, pattern(issue.pointer)) for issue in judgement.issues})
            if len(self.sample) < _SHOWN:
                self.sample.append(judgement._replace(source=source or self.source))


class Gate:
    """Checks documents strictly against a schema, one by one. With a policy, it first repairs an invalid document.

    `fields` are the fields with a threshold. The provenance columns of `structout run` do not belong to a document.
    """

    def __init__(self, schema: Schema[Any], policy: Policy | None = None, fields: Iterable[str] = ()) -> None:
        self.schema = schema
        self.policy = policy
        self.fields = tuple(fields)
        self._required = set(_of(schema, "required"))
        self._layout = Layout.of(schema)
        self._warned = False

    def judge(self, document: Document) -> Judgement:
        """The judgement on a document."""
        data = document.data
        if data is not None and self.schema.complies(data):
            if b"\\" not in data:
                return Judgement(document.line, "valid")
            return Judgement(document.line, "valid", notices=notices(document.text, parse_json(document.text)[0]))
        return self._judge(document)

    def _judge(self, document: Document) -> Judgement:
        schema, data = self.schema, document.data
        if document.wrong:
            return self._invalid(document, (Issue("", document.kind, document.wrong),), None)
        checked = schema.check(document.parsed) if data is None else schema.check_text(document.text)
        if isinstance(checked.document, dict) and is_of_run(checked.document):
            self._warn_of_kept(checked.document)
            checked = schema.check(self._layout.record(checked.document))
        if checked.ok:
            seen = () if data is None or b"\\" not in data else notices(document.text, checked.document)
            return Judgement(document.line, "valid", notices=seen)
        if self.policy is None:
            bytes_only = data is not None and not _is_utf8(data)
            return self._invalid(document, _NO_UTF8 if bytes_only else checked.issues, checked.document)
        from structout.parsing import repair

        found = repair(document.text, schema, self.policy)
        if not found.ok:
            return self._invalid(document, found.issues, found.document, len(found.edits))
        return Judgement(document.line, "repaired", found.issues, len(found.edits), found.document)

    def _warn_of_kept(self, row: dict[str, Json]) -> None:
        """Warn of the first row with columns that are not judged. A misspelt field would otherwise stay unnoticed."""
        if not self._warned and (kept := self._layout.kept(row)):
            self._warned = True
            message = f"columns without a field in {self.schema.name} are not judged: {', '.join(kept[:12])}"
            warnings.warn(message, StructoutWarning, stacklevel=2)

    def _invalid(self, document: Document, issues: tuple[Issue, ...], found: Json, edits: int = 0) -> Judgement:
        bad = tuple(self._bad_fields(found, issues))
        return Judgement(document.line, "invalid", issues, edits, bad_fields=bad)

    def _bad_fields(self, document: Json, issues: tuple[Issue, ...]) -> Iterator[str]:
        """The fields with a threshold that are bad in this document: required but absent, or with an issue."""
        for name in self.fields:
            place = "/" + name.replace("~", "~0").replace("/", "~1")
            if not isinstance(document, dict):
                yield name
            elif name not in document:
                if name in self._required:
                    yield name
            elif any(issue.pointer == place or issue.pointer.startswith(place + "/") for issue in issues):
                yield name


def validate(
    documents: Iterable[Any] | Path,
    schema: Any,
    *,
    repair: Policy | None = None,
    thresholds: Thresholds | None = None,
    format: DocumentFormat | None = None,  # noqa: A002
) -> Findings:
    """Check documents strictly against a schema, and count the valid documents and the issues of the others.

    `documents` are JSON texts (`str` or `bytes`) or parsed documents (`dict`, `list` ...), or the `Path` of a file of
    documents, whose suffix `format` overrules. `schema` is anything that `Schema.of` takes. `repair` is the policy for
    repairing an invalid document first. `passed` of the result says whether the thresholds hold; by default all
    documents must be valid. Raises `SpecError`, `SchemaError`, and `DataError` if the file cannot be read.

    >>> validate(['{"a": 1}', '{"a": "x"}'], {"properties": {"a": {"type": "integer"}}}).invalid
    1
    """
    contract = Schema.of(schema)
    if isinstance(documents, str | bytes | Mapping) or not isinstance(documents, Iterable | Path):
        raise SpecError(
            f"invalid documents: got {documents!r:.80}", hint="give a list of documents, or the Path of a file"
        )
    if repair not in (None, *get_args(Policy)):
        raise SpecError(f"invalid repair: got {repair!r}", hint=f"give {' or '.join(map(repr, get_args(Policy)))}")
    findings = Findings(
        str(documents) if isinstance(documents, Path) else "", contract.name, thresholds or Thresholds()
    )
    gate = Gate(contract, repair, findings.thresholds.fields)
    if isinstance(documents, Path):
        found = read_documents(str(documents), contract, format=format)
    else:
        found = _given(documents)
    for one in found:
        findings.add(gate.judge(one))
    return findings


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


def _of(schema: Schema[Any], keyword: str) -> Any:
    root = schema.json_schema
    return root.get(keyword, []) if isinstance(root, dict) else []


def pattern(pointer: str) -> str:
    """The pointer with * for list indexes, so that equal issues of list items are counted together."""
    return "/".join("*" if part.isdigit() else part for part in pointer.split("/"))
