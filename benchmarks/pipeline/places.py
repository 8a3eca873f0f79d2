"""(g) PostgreSQL, (h) a wide Parquet folder, and (i) an object store: rows from other places into other places."""

import argparse
import json
import random
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.pipeline.command import cost_of, words
from benchmarks.pipeline.scale import part_rows, write_parts
from benchmarks.pipeline.services import BUCKET, postgres, store

_AT_ONCE = 50_000  # rows
_COLUMNS, _FILES = 200, 20


def measure_postgres(options: argparse.Namespace) -> dict[str, Any]:
    count = options.place_rows
    with postgres() as address, tempfile.TemporaryDirectory() as folder:
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
            rows = part_rows(count)
            while some := list(islice(rows, _AT_ONCE)):
                cursor.adbc_ingest("parts", pa.Table.from_pylist(some), mode="create_append")
            beside = ["--journal", f"{folder}/journal", "--quarantine", f"{folder}/rest.jsonl"]
            query = f"{address}#SELECT id, text FROM parts ORDER BY id"
            cost = cost_of(words(query, f"{address}#parts_out", *beside))
            cursor.execute("SELECT count(*), count(DISTINCT _key) FROM parts_out")
            assert cursor.fetchone() == (count, count)
    note = "From a query into a table of a PostgreSQL on loopback, whose own time is not counted; without fsync."
    return {"title": "PostgreSQL in and out", "rows": [cost.of(count)], "note": note}


def measure_folder(options: argparse.Namespace) -> dict[str, Any]:
    count = options.place_rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "wide")
        folder.mkdir()
        random.seed(1)
        rows = part_rows(count)
        for file in range(_FILES):
            some = list(islice(rows, -(-count // _FILES)))
            columns: dict[str, Any] = {key: [row[key] for row in some] for key in ("id", "text")}
            for column in range(_COLUMNS - 2):
                numbers = [random.random() for _ in some]
                columns[f"column_{column}"] = numbers if column % 2 else [f"text {1000 * one:.0f}" for one in numbers]
            pq.write_table(pa.table(columns), folder / f"{file:02}.parquet")
        cost = cost_of(words(folder, Path(name, "out.parquet")))
        size = sum(one.stat().st_size for one in folder.iterdir())
        found = pq.read_table(Path(name, "out.parquet"), columns=["_key"]).column("_key")
        assert (len(found), len(found.unique())) == (count, count)
    note = f"{_FILES} files of {_COLUMNS} columns ({size / 1e6:.0f} MB) into one Parquet file."
    return {"title": "A wide folder of Parquet", "rows": [cost.of(count)], "note": note}


def measure_store(options: argparse.Namespace) -> dict[str, Any]:
    count = options.place_rows
    with store() as (client, environment), tempfile.TemporaryDirectory() as name:
        write_parts(Path(name, "parts.jsonl"), count)
        client.upload_file(f"{name}/parts.jsonl", BUCKET, "in/parts.jsonl")
        beside = ["--journal", f"{name}/journal", "--quarantine", f"{name}/rest.jsonl"]
        there = f"s3://{BUCKET}"
        cost = cost_of(words(f"{there}/in/parts.jsonl", f"{there}/out.jsonl", *beside), environment)
        written = client.get_object(Bucket=BUCKET, Key="out.jsonl")["Body"].read().splitlines()
        assert len({json.loads(line)["_key"] for line in written}) == len(written) == count
    note = "From an object into an object of moto's server on loopback, in a process of its own; JSON lines."
    return {"title": "An object store", "rows": [cost.of(count)], "note": note}
