"""Names of places that are URLs."""

import pytest

from structout.errors import SpecError
from structout.tables.output import check_distinct, check_target
from structout.tables.place import Place, local_stem, places


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("postgresql://me:secret@host/db#parts", "postgresql://me:***@host/db#parts"),
        ("postgresql://host/db?password=secret#parts", "postgresql://host/db?password=***#parts"),
        ("postgresql://me:se/cr@t#x@host/db#parts", "postgresql://me:***@host/db#parts"),
        ("postgresql://me@host/db#parts", "postgresql://me@host/db#parts"),
        ("parts.jsonl", "parts.jsonl"),
        ("https://me:secr@et@host/a.csv?page=2", "https://***@host/a.csv?page=2"),
        ("https://host/a.csv?X-Amz-Signature=secret&page=2", "https://host/a.csv?X-Amz-Signature=***&page=2"),
        ("https://host/a.csv?X-Amz-Security-Token=s%3D&x=1#y", "https://host/a.csv?X-Amz-Security-Token=***&x=1#y"),
        ("https://host/a.csv?sp=r&sig=secret", "https://host/a.csv?sp=r&sig=***"),
        ("HTTPS://ghp_secret@host/a@b.csv?API_KEY=secret", "HTTPS://***@host/a@b.csv?API_KEY=***"),
        ("s3://bucket/why?key=a.csv", "s3://bucket/why?key=a.csv"),
    ],
)
def test_a_shown_name_holds_no_password(name: str, shown: str) -> None:
    assert Place.of(name).shown == shown


@pytest.mark.parametrize(
    ("output", "stem"),
    [
        ("s3://bucket/folder/parts.jsonl", "parts.jsonl"),
        ("postgresql://me:secret@host:5432/db#raw.parts", "db.raw.parts"),
        ("postgresql://me:secret@host:5432#parts", "postgresql.parts"),
        ("shop.duckdb#parts", "shop.duckdb.parts"),
        ("folder/parts.jsonl", "folder/parts.jsonl"),
        ("-", "structout"),
    ],
)
def test_the_files_beside_a_remote_output_are_local(output: str, stem: str) -> None:
    assert local_stem(output) == stem


def test_a_table_of_a_database_is_not_a_file_of_duckdb() -> None:
    place = Place.of("POSTGRESQL://host/shop.db#raw.parts")
    assert (place.is_database, place.is_table, place.parts, place.query) == (True, False, ["raw", "parts"], "")
    assert Place.of("postgres://host/db#select * from parts").query == "select * from parts"
    assert Place.of("postgres://host/db#selected").query == ""
    assert places("postgresql://host/db#SELECT *")[0].query == "SELECT *"
    with pytest.raises(SpecError, match=r"unknown output format: mysql://me:\*\*\*@host/db#parts"):
        check_target("mysql://me:secret@host/db#parts")


def test_an_output_is_not_the_table_that_is_read() -> None:
    same = {"INPUT": "postgresql://me:secret@host/db#parts", "--output": "postgresql://host/db#public.parts"}
    with pytest.raises(SpecError, match="same file") as error:
        check_distinct(same)
    assert "secret" not in str(error.value)
    check_distinct({**same, "--output": "postgresql://host/db#typed.parts"})
