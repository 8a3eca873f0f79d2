"""The column that a command does not name, although it holds the documents."""

import json
from typing import Any

from structout.document import parse_json
from structout.schema import Schema
from structout.tables.documents import Document
from structout.tables.layout import fields


def forgotten_column(document: Document, schema: Schema[Any]) -> str:
    """The column of a row that seems to hold the document, if the row itself has no key of the schema; "" if none."""
    row = document.parsed if document.data is None else parse_json(document.text)[0]
    if not isinstance(row, dict) or set(fields(schema)) & row.keys():
        return ""
    keys = [json.dumps(name)[1:-1] for name in fields(schema)]
    texts = [(name, value) for name, value in row.items() if isinstance(value, str) and ("{" in value or ":" in value)]
    return next((name for name, value in texts if any(key in value for key in keys)), "")
