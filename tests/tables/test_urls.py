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
