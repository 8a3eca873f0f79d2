"""Random tables, written in each format and read again."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from structout import Schema
from structout.surfaces import is_utf8
from structout.tables.documents import read_documents
from structout.tables.output import writing
from structout.tables.rows import count_rows, read_rows


class Part(BaseModel):
    """A record with a column of each kind."""

    text: str
    count: int
    size: float | None
    is_new: bool
    tags: list[str]
    weights: dict[str, float]


SCHEMA = Schema.of(Part)
WORDS = st.text(max_size=8).filter(is_utf8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
RECORDS = st.fixed_dictionaries(
    {
        "text": WORDS,
        "count": st.integers(-(2**63), 2**63 - 1),
        "size": st.none() | NUMBERS,
        "is_new": st.booleans(),
        "tags": st.lists(WORDS, max_size=3),
        "weights": st.dictionaries(WORDS, NUMBERS, max_size=2),
    }
)
TARGETS = ["t.jsonl", "t.csv", "t.tsv", "t.parquet", "t.duckdb#t", "t.duckdb#raw.t", "t.csv.gz", "t.jsonl.zst"]


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=8, deadline=None)
@given(records=st.lists(RECORDS, max_size=5))
def test_a_table_is_read_as_it_was_written(target: str, records: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / target)
        with writing(place, SCHEMA, bare=True) as write:
            for record in records:
                write(record, {})
        documents = list(read_documents(place, SCHEMA))
        assert [one.wrong for one in documents] == [""] * len(records)
        assert [SCHEMA.check_text(one.text).document for one in documents] == records
        rows = list(read_rows(place, text="text"))
        assert [row.text for row in rows] == [record["text"] for record in records]
        assert count_rows(place) in (None, len(records))
