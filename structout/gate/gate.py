"""A gate for documents that others produced: what is valid, what is not, and whether that is enough."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from structout.document import Json
from structout.errors import SpecError
from structout.issue import Issue
from structout.parsing import Policy
from structout.schema import Checked, Schema
from structout.tables.documents import Document, read_documents
from structout.tables.layout import Layout, is_of_run

_VALID: Checked[Any] = Checked(None, None)
_NO_UTF8 = (Issue("", "not_json", "it is not UTF-8: convert the file to UTF-8"),)
_SHOWN = 1000  # documents that reports list one by one


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one document is worth: `valid` as it is, `repaired` to what `mended` holds, or `invalid`."""

    line: int
    status: str
    issues: tuple[Issue, ...] = ()
    edits: int = 0
    mended: Json = None


@dataclass(frozen=True)
class Thresholds:
    """What must hold for all documents together: the least share that passes, the most that may fail, and for a field
    the least share of documents in which it is valid.
    """

    min_valid: float = 1.0
    max_invalid: int | None = None
    min_field: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ThresholdCheck:
    """One threshold and whether it holds."""

    name: str
    found: str
    passed: bool


@dataclass
class Findings:
    """What the gate has seen so far. `sample` holds the first invalid documents."""

    source: str
    schema: str
    thresholds: Thresholds
    total: int = 0
    valid: int = 0
    repaired: int = 0
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad_fields: Counter[str] = field(default_factory=Counter)
    sample: list[Judgement] = field(default_factory=list)

    @property
    def invalid(self) -> int:
        return self.total - self.valid - self.repaired

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks())

    def checks(self) -> list[ThresholdCheck]:
        """The thresholds, judged."""
        limits = self.thresholds
        share = (self.valid + self.repaired) / self.total if self.total else 0.0
        checks = []
        if limits.max_invalid is None or limits.min_valid < 1:
            checks.append(ThresholdCheck(f"valid >= {limits.min_valid:g}", f"{share:.6g}", share >= limits.min_valid))
        if limits.max_invalid is not None:
            enough = self.invalid <= limits.max_invalid
            checks.append(ThresholdCheck(f"invalid <= {limits.max_invalid}", str(self.invalid), enough))
        for name, least in limits.min_field.items():
            good = (self.total - self.bad_fields[name]) / self.total if self.total else 0.0
            checks.append(ThresholdCheck(f"{name} valid >= {least:g}", f"{good:.6g}", good >= least))
        return checks

    def add(self, verdict: Judgement, bad_fields: list[str]) -> None:
        """Count a document that was not valid as it is."""
        self.total += 1
        if verdict.status == "repaired":
            self.repaired += 1
        else:
            self.bad_fields.update(bad_fields)
            self.kinds.update({(issue.kind, _pattern(issue.pointer)) for issue in verdict.issues})
            if len(self.sample) < _SHOWN:
                self.sample.append(verdict)


class Gate:
    """Judges documents one by one by a schema, strictly; what fails is mended first where a policy says so.

    What `structout run` wrote beside a record, to say how it came about, is no part of the document.
    """

    def __init__(self, schema: Schema[Any], findings: Findings, policy: Policy | None = None) -> None:
        self.schema = schema
        self.findings = findings
        self._policy = policy
        self._required = set(_of(schema, "required"))
        self._layout = Layout.of(schema)

    def judge(self, document: Document) -> Judgement:
        """The verdict on a document, counted in the findings."""
        schema, data = self.schema, document.data
        if document.wrong:
            return self._invalid(document, (Issue("", "not_json", document.wrong),), None)
        if data is not None and schema.complies(data):
            checked: Checked[Any] = _VALID
        else:
            checked = schema.check(document.parsed) if data is None else schema.check_text(document.text)
            if isinstance(checked.document, dict) and is_of_run(checked.document):
                checked = schema.check(self._layout.record(checked.document))
        if checked.ok:
            self.findings.total += 1
            self.findings.valid += 1
            return Judgement(document.line, "valid")
        if self._policy is None:
            bytes_only = data is not None and not _is_utf8(data)
            return self._invalid(document, _NO_UTF8 if bytes_only else checked.issues, checked.document)
        from structout.parsing import repair

        mended = repair(document.text, schema, self._policy)
        if not mended.ok:
            return self._invalid(document, mended.issues, mended.document, len(mended.edits))
        verdict = Judgement(document.line, "repaired", mended.issues, len(mended.edits), mended.document)
        self.findings.add(verdict, [])
        return verdict

    def _invalid(self, document: Document, issues: tuple[Issue, ...], found: Json, edits: int = 0) -> Judgement:
        verdict = Judgement(document.line, "invalid", issues, edits)
        self.findings.add(verdict, list(self._bad_fields(found, verdict)))
        return verdict

    def _bad_fields(self, document: Json, verdict: Judgement) -> Iterator[str]:
        """The fields with a threshold that are not valid in this document: absent though required, or with an issue."""
        for name in self.findings.thresholds.min_field:
            place = "/" + name.replace("~", "~0").replace("/", "~1")
            if not isinstance(document, dict):
                yield name
            elif name not in document:
                if name in self._required:
                    yield name
            elif any(issue.pointer == place or issue.pointer.startswith(place + "/") for issue in verdict.issues):
                yield name


def validate(
    documents: Iterable[Any] | Path,
    schema: Any,
    *,
    repair: Policy | None = None,
    thresholds: Thresholds | None = None,
) -> Findings:
    """Judge documents that others produced, strictly: how many are valid, and what is wrong with the others.

    `documents` are JSON texts (`str` or `bytes`) or documents that were read (`dict`, `list` ...), or the `Path` of a
    file of them; `schema` is whatever `Schema.of` takes. With `repair`, an invalid document is repaired first, by that
    policy. `passed` says whether the thresholds hold, by default that all documents are valid. Raises `DataError` for a
    file that cannot be read, `SpecError` and `SchemaError`.

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
    gate = Gate(contract, findings, repair)
    for one in read_documents(str(documents), contract) if isinstance(documents, Path) else _given(documents):
        gate.judge(one)
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
    """The top-level fields that the schema names."""
    return list(_of(schema, "properties"))


def _of(schema: Schema[Any], keyword: str) -> Any:
    root = schema.json_schema
    return root.get(keyword, []) if isinstance(root, dict) else []


def _pattern(pointer: str) -> str:
    """A pointer with * for list indexes, so that like issues are counted together."""
    return "/".join("*" if part.isdigit() else part for part in pointer.split("/"))
