"""The column that a command does not name, although it holds the documents."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from structout.document import Json, parse_json
from structout.schema import Schema
from structout.tables.documents import Document
from structout.tables.layout import fields

LOOKED_AT: Final = 100  # invalid rows: in the first of them, a model may have answered nothing, or without JSON


def forgotten_column(documents: Iterable[Document], schema: Schema[Any]) -> str:
    """The first column of invalid rows that seems to hold documents: a row has a text with keys of the schema that the
    row itself lacks. "" if no row has such a column.
    """
    return next(filter(None, (_column(document, fields(schema)) for document in documents)), "")


def _column(document: Document, names: list[str]) -> str:
    row = document.parsed if document.data is None else parse_json(document.text)[0]
    lacking = [name for name in names if isinstance(row, dict) and name not in row]
    if not isinstance(row, dict) or not lacking:
        return ""
    keys = "|".join(re.escape(json.dumps(name)[1:-1]) for name in lacking)
    member = re.compile(rf"(?:{keys})[\"'*`]{{0,2}}\s{{0,9}}[:=]")

    def holds_keys(value: Json) -> bool:
        if isinstance(value, str):
            return bool(member.search(value))
        return isinstance(value, dict) and not value.keys().isdisjoint(lacking)

    return next((name for name, value in row.items() if holds_keys(value)), "")
