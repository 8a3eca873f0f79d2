"""Names of places that are URLs."""

import pytest

from structout.tables.place import Place, local_stem


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("postgresql://me:secret@host/db#parts", "postgresql://me:***@host/db#parts"),
        ("postgresql://host/db?password=secret#parts", "postgresql://host/db?password=***#parts"),
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
