"""Tables of a real PostgreSQL, written and read."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from structout import Schema
from structout.errors import DataError, OutputError, SpecError, StructoutError, UnavailableError
from structout.surfaces import is_utf8
from structout.tables import staging
from structout.tables.documents import read_documents
from structout.tables.output import check_field_names, check_target, writing
from structout.tables.place import Place
from structout.tables.rows import count_rows, read_rows
from structout.tables.staging import Load, Mark, fates
from tests.postgres import PASSWORD, execute

REPLACE, UPSERT = Load(), Load("upsert", "text")


class Part(BaseModel):
    """A record with a column of each kind."""

    text: str
    count: int = 0
    size: float | None = None
    is_new: bool = False
    tags: list[str] = []
    weights: dict[str, float] = {}
    code: int | str = 0
    day: date = date(2026, 1, 2)
    seen: datetime | None = None


SCHEMA = Schema.of(Part)
WORDS = st.text(max_size=8).filter(lambda text: is_utf8(text) and "\0" not in text)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
RECORDS = st.fixed_dictionaries(
    {
        "text": WORDS,
        "count": st.integers(-(2**63), 2**63 - 1),
        "size": st.none() | NUMBERS,
        "is_new": st.booleans(),
        "tags": st.lists(WORDS, max_size=3),
        "weights": st.dictionaries(WORDS, NUMBERS, max_size=2),
        "code": st.integers(-(10**30), 10**30) | WORDS | st.integers().map(str),
        "day": st.dates().map(str),
        "seen": st.none() | st.datetimes().map(lambda one: f"{one.isoformat()}+00:00"),
    }
)


@pytest.fixture
def table(postgres: str) -> Iterator[str]:
    """A table that does not exist yet."""
    execute(postgres, "DROP TABLE IF EXISTS parts CASCADE")
    yield f"{postgres}#parts"
    execute(postgres, "DROP TABLE IF EXISTS parts CASCADE")


def load(table: str, *records: dict[str, Any], how: Load = REPLACE) -> None:
    """Write records to a table, after the checks of a run."""
    check_target(table, how)
    check_field_names(table, SCHEMA, bare=True, load=how)
    with writing(table, SCHEMA, bare=True, load=how) as write:
        for record in records:
            write({"day": "2026-01-02", **record}, {})


def found(table: str) -> list[Any]:
    documents = list(read_documents(table, SCHEMA))
    assert [one.wrong for one in documents] == [""] * len(documents)
    return [SCHEMA.check_text(one.text).document for one in documents]


def test_a_table_is_read_as_it_was_written(table: str) -> None:
    @settings(max_examples=8, phases=[Phase.generate])
    @given(records=st.lists(RECORDS, max_size=5))
    def check(records: list[dict[str, Any]]) -> None:
        load(table, *records)
        read = found(table)
        for one in read:  # jsonb writes 1e16 as a whole number, and no fraction of a second ends in 0
            one["weights"] = {name: float(weight) for name, weight in one["weights"].items()}
            one["seen"] = one["seen"] and datetime.fromisoformat(one["seen"]).isoformat()
        assert read == records
        assert [row.text for row in read_rows(table)] == [record["text"] for record in records]
        assert count_rows(table) is None

    check()


def test_nested_values_can_be_queried(table: str, postgres: str) -> None:
    load(table, {"text": "a", "tags": ["x", "y"], "weights": {"kg": 1.5}})
    load(table, {"text": "b", "tags": ["z"], "code": "7"}, how=Load("append"))
    query = "SELECT text, tags->>0, (weights->>'kg')::float8, jsonb_typeof(code) FROM parts ORDER BY text"
    assert execute(postgres, query) == [("a", "x", 1.5, None), ("b", "z", None, "string")]
    assert [row.record for row in read_rows(f"{postgres}#SELECT tags->1 AS text FROM parts WHERE text = 'a'")] == [
        {"text": "y"}
    ]


class Bill(BaseModel):
    price: Decimal
    cents: Annotated[Decimal, Field(max_digits=10, decimal_places=2)] | None = None


def test_decimals_are_numeric_within_bounds_and_else_text_without_quotes(table: str, postgres: str) -> None:
    schema = Schema.of(Bill)
    bills = [Bill(price=Decimal("1.197"), cents=Decimal("-12345678.9")), Bill(price=Decimal("12345678901234567890.12"))]

    def written() -> list[Any]:
        check_field_names(table, schema, bare=True)
        with writing(table, schema, bare=True) as write:
            for bill in bills:
                write(schema.dump(bill), {})
        return execute(postgres, "SELECT price, cents::text FROM parts ORDER BY price")

    assert written() == [("1.197", "-12345678.90"), ("12345678901234567890.12", None)]
    assert [schema.check_text(one.text).value for one in read_documents(table, schema)] == bills
    execute(postgres, "DROP TABLE parts", "CREATE TABLE parts (price text, cents numeric(4,1))")
    check_field_names(table, schema, bare=True)
    with writing(table, schema, bare=True) as write, pytest.raises(DataError, match=r"numeric\(4,1\)\) cannot hold"):
        write(schema.dump(bills[0]), {})


def test_every_type_comes_out_as_json(postgres: str) -> None:
    values = {
        "1::int2": 1,
        "1.1::float4": 1.1,
        "'NaN'::float8": None,
        "12.50::numeric": 12.5,
        "7::numeric": 7,
        "0.12345678901234567890::numeric": "0.12345678901234567890",
        "'12.5'::money": "$12.50",
        "4000000000::oid": "4000000000",
        "'{\"a\": [1, null]}'::jsonb": {"a": [1, None]},
        "'null'::jsonb": None,
        "DATE '10000-01-01'": "10000-01-01",
        "TIMESTAMP '2020-01-02 03:04:05.5'": "2020-01-02T03:04:05.5",
        "TIMESTAMPTZ '2020-01-02 03:04:05+02'": "2020-01-02T01:04:05+00:00",
        "'infinity'::timestamp": "infinity",
        "INTERVAL '1 day'": "1 day",
        "ARRAY[[1, 2], [3, NULL]]": [[1, 2], [3, None]],
        "ARRAY[1.5]::numeric[]": [1.5],
        "'0f0e0d0c-0b0a-0908-0706-050403020100'::uuid": "0f0e0d0c-0b0a-0908-0706-050403020100",
        "'abc'::bytea": "abc",
        "'127.0.0.1'::inet": "127.0.0.1",
        "int4range(1, 5)": "[1,5)",
        "NULL::int": None,
    }
    columns = ", ".join(f"{value} AS c{number}" for number, value in enumerate(values))
    (row,) = read_rows(f"{postgres}#SELECT {columns};", text="c0")
    assert dict(zip(values, row.record.values(), strict=True)) == values  # type: ignore[union-attr]


def test_a_table_comes_in_the_order_of_its_key(table: str, postgres: str) -> None:
    execute(postgres, "CREATE TABLE parts (id serial PRIMARY KEY, text text)")
    execute(postgres, "INSERT INTO parts VALUES (3, 'c'), (1, 'a'), (2, 'b')")
    assert [row.text for row in read_rows(f"{postgres}#public.parts")] == ["a", "b", "c"]
    with pytest.raises(DataError, match="has no column 'body'"):
        list(read_rows(table, text="body"))
    with pytest.raises(DataError, match="has two columns 'text'"):
        list(read_rows(f"{postgres}#SELECT text, text FROM parts"))
    with pytest.raises(DataError, match="read-only transaction"):
        list(read_rows(f"{postgres}#SELECT nextval('parts_id_seq') AS text"))
    with pytest.raises(DataError, match=r"part.* does not exist"):
        list(read_rows(f"{postgres}#part"))


def test_replace_keeps_what_depends_on_the_table(table: str, postgres: str) -> None:
    load(table, {"text": "old"}, {"text": "older"})
    execute(
        postgres,
        "CREATE VIEW names AS SELECT text FROM parts",
        "GRANT SELECT ON parts TO PUBLIC",
        "CREATE INDEX by_count ON parts (count)",
    )
    load(table, {"text": "new"})
    assert execute(postgres, "SELECT text FROM names") == [("new",)]
    assert execute(postgres, "SELECT count(*) FROM pg_indexes WHERE indexname = 'by_count'") == [(1,)]
    assert execute(postgres, "SELECT has_table_privilege('pg_monitor', 'parts', 'SELECT')") == [(True,)]


def test_upsert_replaces_rows_by_their_key_and_adds_the_others(table: str) -> None:
    load(table, {"text": "a", "count": 1}, {"text": "b", "count": 1}, how=UPSERT)
    with pytest.raises(DataError, match="an earlier row has the same key: 'c'"):
        load(table, {"text": "c"}, {"text": "c"}, how=UPSERT)
    load(table, {"text": "b", "count": 2}, {"text": "c", "count": 2}, how=UPSERT)
    assert [(one["text"], one["count"]) for one in found(table)] == [("a", 1), ("b", 2), ("c", 2)]


COLUMNS = "text text, count {}, size float8, is_new bool, tags jsonb, weights jsonb, code jsonb, day date"


@pytest.mark.parametrize(
    ("made", "how", "said"),
    [
        ("CREATE TABLE parts (text text, count bigint)", Load(), "lacks columns: size, is_new"),
        (f"CREATE TABLE parts ({COLUMNS.format('float8')}, seen timestamptz)", Load(), "expected bigint"),
        (f"CREATE TABLE parts ({COLUMNS.format('int8')}, seen timestamp)", Load(), "expected timestamp with time zone"),
        (f"CREATE TABLE parts ({COLUMNS.format('int8')}, seen timestamptz, id int)", Load(), "would leave empty"),
        (
            f"CREATE TABLE parts ({COLUMNS.format('int8')}, seen timestamptz, id int NOT NULL)",
            Load("append"),
            "would leave empty",
        ),
        (
            f"CREATE TABLE parts ({COLUMNS.format('int8')}, seen timestamptz)",
            UPSERT,
            "no unique or exclusion constraint",
        ),
        ("SELECT 1", Load("upsert"), "--mode upsert needs a key"),
        ("SELECT 1", Load("upsert", "id"), "no column 'id' to upsert by"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_before_a_model_is_asked(
    table: str, postgres: str, made: str, how: Load, said: str
) -> None:
    execute(postgres, made)
    with pytest.raises(SpecError, match=said):
        check_field_names(table, SCHEMA, bare=True, load=how)


def test_names_that_postgresql_changes_are_refused(postgres: str) -> None:
    long = Schema.of({"type": "object", "properties": {"n" * 64: {"type": "string"}}, "additionalProperties": False})
    with pytest.raises(SpecError, match="cuts off the name"):
        check_field_names(f"{postgres}#parts", long)
    with pytest.raises(SpecError, match="does not exist"):
        check_field_names(f"{postgres}#nowhere.parts", SCHEMA)
    with pytest.raises(SpecError, match="names no table"):
        check_field_names(f"{postgres}#SELECT 1", SCHEMA)
    with pytest.raises(SpecError, match="for tables of PostgreSQL, not for parts"):
        check_target("parts.csv", Load("append"))


@pytest.mark.parametrize(
    ("kind", "fits", "does_not"),
    [
        ("integer", {"count": 2**31 - 1}, {"count": 2**31}),
        ("numeric(6,2)", {"size": 1234.25}, {"size": 0.125}),
        ("numeric(6,2)", {"size": -9999.99}, {"size": 10000.0}),
        ("numeric", {"size": 0.1234567890123456}, {"text": "\0"}),
        ("character varying(3)", {"text": "abc"}, {"text": "abcd"}),
        ("json", {"tags": ["\\u0000"]}, {"tags": ["\0"]}),
    ],
)
def test_a_row_that_a_column_would_change_is_set_aside(
    table: str, postgres: str, kind: str, fits: dict[str, Any], does_not: dict[str, Any]
) -> None:
    load(table)
    name = next(iter(fits))
    using = f"USING {name}::{kind}"
    execute(postgres, f"ALTER TABLE parts ALTER {name} TYPE {kind} {using}")
    with pytest.raises(DataError, match="cannot hold"):
        load(table, {"text": "", **does_not})
    load(table, {"text": "", **fits})
    assert found(table)[0][name] == fits[name]


def test_a_failed_write_leaves_the_table_as_it_was(table: str, monkeypatch: pytest.MonkeyPatch, postgres: str) -> None:
    load(table, {"text": "old"})
    with suppress(KeyError), writing(table, SCHEMA, bare=True) as write:
        for number in range(20_001):
            write({"text": str(number), "day": "2026-01-02"}, {})
        raise KeyError
    assert [one["text"] for one in found(table)] == ["old"]
    monkeypatch.setattr(staging, "_PATIENCE", "50ms")
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(postgres) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE parts IN ROW EXCLUSIVE MODE")
        with pytest.raises(OutputError, match="locked") as error:
            load(table, {"text": "new"})
        assert "end the other session" in error.value.hint
    execute(postgres, "ALTER TABLE parts ADD CHECK (text <> 'new')")
    with pytest.raises(SpecError, match="violates check constraint"):
        load(table, {"text": "new"})
    assert [one["text"] for one in found(table)] == ["old"]


def test_the_fate_of_a_transaction_can_be_asked_for(table: str, postgres: str) -> None:
    marks: list[Mark] = []

    def fail(mark: Mark) -> None:
        marks.append(mark)
        raise KeyError

    with writing(table, SCHEMA, marking=marks.append):
        pass
    with pytest.raises(KeyError), writing(table, SCHEMA, marking=fail):
        pass
    assert fates(table, marks) == ["committed", "aborted"]
    execute(postgres, "DROP TABLE parts")
    load(table)
    assert fates(table, marks) == ["of another table"] * 2


def test_no_message_holds_the_password(postgres: str) -> None:
    address = postgres.partition("#")[0]
    wrong = address.replace("tester:", "nobody:")
    closed = "postgresql://tester:s3cret%2Fof%3Ftests@127.0.0.1:1/postgres"
    raw = f"postgresql://tester:{PASSWORD}@127.0.0.1:1/postgres"
    for place in (wrong, closed, raw, f"{address}?s3cret=1", f"{closed}?password={PASSWORD}", address):
        for act in (lambda name: list(read_rows(name)), lambda name: check_field_names(name, SCHEMA)):
            with pytest.raises(StructoutError) as error:
                act(f"{place}#missing.parts")
            assert "of%3Ftests" not in str(error.value)
            assert PASSWORD not in str(error.value)
            assert error.value.__cause__ is None
            assert error.value.retryable == (place in (wrong, closed) or "password=" in place)
    for held in (raw, f"postgresql://me:a@b#c@host/db#{PASSWORD}@"):
        assert PASSWORD not in Place.of(held).shown
    with pytest.raises(UnavailableError, match="cannot reach"):
        list(read_rows(f"{closed}#parts"))


def test_an_input_that_breaks_off_says_so(table: str, postgres: str) -> None:
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%generate_series%'"
    query += " AND pid <> pg_backend_pid()"
    rows = read_rows(f"{postgres}#SELECT n || repeat(' ', 1000) AS text FROM generate_series(1, 100000) n")
    assert next(rows).text.strip() == "1"
    execute(postgres, query)
    with pytest.raises(UnavailableError, match="cannot reach") as error:
        list(rows)
    assert error.value.retryable


def test_a_password_may_come_from_the_environment(table: str, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load(table, {"text": "a"})
    bare = f"postgres://tester@{postgres.rpartition('@')[2]}#parts"
    with pytest.raises(UnavailableError, match="no password supplied"):
        list(read_rows(bare))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert [row.text for row in read_rows(bare)] == ["a"]
