"""Random tables, written in each format and read again."""

import tempfile
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

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


class Unit(Enum):
    PIECES = "pcs"
    METRES = "m"


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=3) | st.just(Decimal("12345678901234567890.12"))
CENTS = st.decimals(min_value=-(10**6), max_value=10**6, places=2)
QUOTED = WORDS | st.sampled_from(['"x"', "null", "1.5", '"', "\u00e4", ""])
TEXTS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {  # types whose values are text or decimals in a table
    "decimal": (Decimal, DECIMALS),
    "bounded decimal": (Annotated[Decimal, Field(max_digits=9, decimal_places=2)], CENTS),
    "decimal or float": (Decimal | float, DECIMALS),
    "text": (str, QUOTED),
    "date": (date, st.dates()),
    "date or datetime": (date | datetime, st.dates()),
    "time": (time, st.times()),
    "duration": (timedelta, st.timedeltas(timedelta(0), timedelta(days=99)).map(lambda one: timedelta(one.days))),
    "uuid": (UUID, st.uuids()),
    "address": (IPv4Address | IPv6Address, st.ip_addresses()),
    "path": (Path, st.just(Path("a/b"))),
    "enumeration": (Unit, st.sampled_from(Unit)),
    "text or enumeration": (Unit | str, QUOTED),
    "choice": (Literal["a", "1"], st.sampled_from(["a", "1"])),
}
OTHERS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {  # JSON, in which 5 and "5" differ, and moments
    "integer or text": (int | str, st.integers(-9, 9) | QUOTED),
    "mixed choice": (Literal["1", 1], st.sampled_from(["1", 1])),
    "datetime": (datetime, st.datetimes(timezones=st.just(UTC))),
    "anything": (Any, QUOTED | st.booleans() | st.lists(QUOTED, max_size=2)),
}


CELLS = [name for name in TEXTS if name not in ("text", "text or enumeration")]  # CSV cannot tell "" from null


@pytest.mark.parametrize(
    ("target", "name"),
    [
        *((target, name) for target in ("t.jsonl", "t.parquet", "t.duckdb#t") for name in (*TEXTS, *OTHERS)),
        *(("t.csv", name) for name in (*CELLS, "datetime")),
    ],
)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_each_type_of_field_keeps_its_values_and_texts_get_no_quotes(
    target: str, name: str, data: st.DataObject
) -> None:
    kind, values = (TEXTS | OTHERS)[name]
    several: Any = list[kind]  # type: ignore[valid-type]
    fields: dict[str, Any] = {"one": (kind, ...), "some": (several, ...), "none": (kind | None, None)}
    model = create_model("Record", text=(str, "t"), **fields)
    schema = Schema.of(model)
    record = st.fixed_dictionaries({"one": values, "some": st.lists(values, max_size=2), "none": values | st.none()})
    records = [model.model_validate(one) for one in data.draw(st.lists(record, min_size=1, max_size=3))]
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / target)
        with writing(place, schema, bare=True) as write:
            for one in records:
                write(schema.dump(one), {})
        checked = [schema.check_text(one.text) for one in read_documents(place, schema)]
        assert [one.issues for one in checked] == [()] * len(records)
        assert [one.value for one in checked] == records
        if name in TEXTS:
            texts = [str(one.model_dump(mode="json")["one"]) for one in records]
            shown = zip(column(place), texts, strict=False)
            assert all(cell == text or text[:1] == '"' for cell, text in shown if isinstance(cell, str))


def column(place: str) -> list[Any]:
    """The cells of the column `one`, as another program reads them; none for text files."""
    if place.endswith(".parquet"):
        return list(pq.read_table(place)["one"].to_pylist())
    if "#" in place:
        with duckdb.connect(place.partition("#")[0]) as database:
            return [one for (one,) in database.execute("SELECT one FROM t").fetchall()]
    return []
