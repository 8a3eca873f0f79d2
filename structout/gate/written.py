"""The rows that the gate writes: documents that pass, documents that fail, and judgements."""

from functools import reduce
from typing import Any

from structout.document import one_line
from structout.gate.findings import Judgement
from structout.issue import Issue
from structout.schema import Schema
from structout.surfaces import json_text
from structout.tables.documents import Document
from structout.tables.layout import WHOLE

# The columns of a rejected document: no kept column has such a name.
REJECTED = ("source", "line", "status", "issues", "edits", "changes", "notices", "document")


# The columns that provenance adds to a document that passes, named as in the output of a run.
MARKS = ("_status", "_edits")


def passed_line(document: Document, judgement: Judgement, schema: Schema[Any], *, provenance: bool = False) -> bytes:
    """A document that passes, as it is or repaired, as a line of JSON. Kept columns stand before its fields, and the
    columns `MARKS` after them, as in the output of a run.
    """
    is_repaired = judgement.status == "repaired"
    written = json_text(judgement.repaired_to, ascii=True).encode() if is_repaired else document.json_line(schema)
    if document.kept is None and not provenance:
        return written
    written = written.strip()
    record = written if written[:1] == b"{" else b'{"%s":%s}' % (WHOLE.encode(), written)
    marks = {"_status": judgement.status, "_edits": [edit._asdict() for edit in judgement.changes]}
    before, after = (json_text(one, ascii=True).encode() for one in (document.kept or {}, marks if provenance else {}))
    return one_line(reduce(_joined, (before, record, after)))


def _joined(one: bytes, other: bytes) -> bytes:
    """The members of two JSON objects in one object."""
    return other if one == b"{}" else one if other == b"{}" else one[:-1] + b"," + other[1:]


def rejected_line(document: Document, judgement: Judgement) -> bytes:
    """A document that fails with its judgement as a line of JSON."""
    return json_text({**judgement_json(judgement), "document": document.text}, ascii=True).encode()


def judgement_json(judgement: Judgement) -> dict[str, Any]:
    """One judgement as JSON, after the kept columns."""
    notices = {"notices": list(map(issue_json, judgement.notices))} if judgement.notices else {}
    changes = {"changes": [edit._asdict() for edit in judgement.changes]} if judgement.changes else {}
    return {
        **(judgement.kept or {}),
        **({"source": judgement.source} if judgement.source else {}),
        "line": judgement.line,
        "status": judgement.status,
        "issues": list(map(issue_json, judgement.issues)),
        "edits": judgement.edits,
        **changes,
        **notices,
    }


def issue_json(issue: Issue) -> dict[str, Any]:
    """One issue as JSON, with the key that is absent, if it names one."""
    key = {} if issue.key is None else {"key": issue.key}
    return {"pointer": issue.pointer, "kind": issue.kind, "message": issue.message, **key}
