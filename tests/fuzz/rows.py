"""Readers: whatever the file, its rows are read one by one, or it is refused in words."""

import csv
import gzip
import io
import json
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from structout import Dataset
from structout.schema import Schema
from structout.tables.documents import read_documents
from structout.tables.place import BATCHES
from structout.tables.rows import count_rows, read_rows
from tests.fuzz import noise
from tests.fuzz.target import Case, whole

SECRET = "what no reader was asked for"
_SCHEMA = Schema.of({"type": "object", "properties": {"name": {"type": "string"}, "a": {"type": "integer"}}})
_TABLES = ["t", 'a "table"', "é", "t\ud800"[:1] + ";--", "x y"]


def make(rng: Random) -> Case:
    kind = rng.choice(["rows", "rows", "rows", "dataset", "documents"])
    ending = rng.choice([".jsonl", ".jsonl", ".csv", ".csv", ".tsv", ".txt", ".json", ".ndjson", ".yaml", "", ".odd"])
    data = _data(rng, ending)
    if rng.random() < 0.15:
        data, ending = gzip.compress(data, 1, mtime=0), ending + ".gz"
        data = noise.damaged(rng, data, rng.choice([0, 0, 1, 3]))
    elif kind == "rows" and rng.random() < 0.25:
        return {"kind": "query", "source": _query(rng), "text": _column(rng), "key": None}
    elif rng.random() < 0.15:
        data, ending = noise.damaged(rng, _parquet(), rng.choice([0, 1, 2, 8])), ".parquet"
    return {
        "kind": kind,
        "name": "rows" + ending,
        "data": data.decode("latin-1"),
        "text": _column(rng),
        "key": rng.choice([None, None, _column(rng)]),
        "format": rng.choice([None, None, "yaml", *BATCHES]) if kind == "documents" else None,
    }


def _column(rng: Random) -> str:
    return rng.choice(["text", "text", "text", "name", "", "x", noise.word(rng)])


def _record(rng: Random) -> dict[str, Any]:
    if rng.random() < 0.1:
        return _answer(rng)
    record = {"text": noise.word(rng), "expected": {"name": "x", "a": 1}, "name": "x", "a": 1, "split": "dev"}
    return {**record, noise.word(rng): noise.document(rng, 2)} if rng.random() < 0.3 else record


def _answer(rng: Random) -> dict[str, Any]:
    """An entry of a batch output, with noise where its parts should be."""
    some = noise.document(rng, 2)
    body = {"choices": [{"message": rng.choice([some, {"content": some}, {"tool_calls": [some]}])}], "output": some}
    content = rng.choice([some, [some], [{"type": "text", "text": some}], [{"type": "tool_use", "input": some}]])
    return rng.choice(
        [
            {"custom_id": "k", "response": {"status_code": 200, "body": rng.choice([some, body, {"output": [some]}])}},
            {"custom_id": "k", "error": some},
            {"custom_id": "k", "result": {"type": "succeeded", "message": {"content": content, "stop_reason": some}}},
            {"key": "k", "response": {"candidates": [rng.choice([some, {"content": {"parts": content}}])]}},
        ]
    )


def _data(rng: Random, ending: str) -> bytes:
    records = [_record(rng) for _ in range(rng.choice([0, 1, 3, 10]))]
    if ending in (".csv", ".tsv"):
        stream = io.StringIO()
        table = csv.writer(stream, delimiter="\t" if ending == ".tsv" else ",")
        table.writerow(["text", "expected", "name", "a", "split"])
        for one in records:
            table.writerow(
                [one[key] if isinstance(one[key], str | int) else json.dumps(one[key]) for key in list(one)[:5]]
            )
        text = stream.getvalue()
    elif ending == ".txt":
        text = "\n".join(str(one.get("text")) for one in records)
    else:
        text = ("\n---\n" if ending == ".yaml" else "\n").join(noise.written(rng, one) for one in records)
    if rng.random() < 0.05:
        text += "\n" + whole(noise.nested(rng))
    if rng.random() < 0.05:
        text += "\n" + '{"text": ' + rng.choice(["1" * 5000, "9" * 400, "1e999", "NaN"]) + "}"
    data = noise.spoiled(rng, text).encode(
        rng.choice(["utf-8"] * 6 + ["utf-16", "utf-8-sig", "utf-32"]), "surrogatepass"
    )
    return noise.damaged(rng, data, rng.choice([0, 0, 0, 1, 3]))


def _query(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.6:
        stolen = "read_text('{folder}/secret.txt') --"
        table = rng.choice(
            [*_TABLES, "missing", 't" UNION ALL SELECT content, NULL FROM ' + stolen,
             't"; SELECT content AS text FROM ' + stolen,
             '"', 't"', "main.t", "t UNION SELECT 1", noise.word(rng)]
        )  # fmt: skip
        return "{folder}/base.duckdb#" + table
    query = rng.choice(
        ["SELECT 'x' AS text", "SELECT 1 AS text, 2 AS text", "SELECT NULL AS text", "SELECT now() AS text",
         "SELECT", "",
         "SELECT [1, 2] AS text", "SELECT {'a': 1} AS text", "SELECT 'a' AS text FROM range(5000)",
         "SELECT '\\x00'::BLOB AS text",
         "SELECT 1e308 * 10 AS text", "SELECT INTERVAL 1 DAY AS text",
         "SELECT 170141183460469231731687303715884105727 AS text",
         "SELECT error('x') AS text", "SELECT CAST(text AS INT) AS text FROM (VALUES ('1'), ('x')) v(text)"]
    )  # fmt: skip
    return "sql:" + query


@cache
def _parquet() -> bytes:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table(
        {"text": ["M6", "é", None], "expected": ["{}", "[]", "x"], "name": ["a", "b", "c"], "a": [1, 2, 3]}
    )
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream)
    return stream.getvalue()


@cache
def _database() -> bytes:
    import duckdb

    with TemporaryDirectory() as place:
        file = Path(place, "base.duckdb")
        with duckdb.connect(str(file)) as connection:
            for name in _TABLES:
                quoted = name.replace('"', '""')
                connection.execute(f"CREATE TABLE \"{quoted}\" AS SELECT 'M6' AS text, 1 AS a")
        return file.read_bytes()


def check(case: Case, folder: Path) -> str:
    if case["kind"] == "query":
        (folder / "base.duckdb").write_bytes(_database())
        (folder / "secret.txt").write_text(SECRET, encoding="utf-8")
        source = case["source"].replace("{folder}", str(folder))
    else:
        file = folder / case["name"]
        file.write_bytes(whole(case["data"]).encode("latin-1"))
        source = str(file)
    if case["kind"] == "dataset":
        return "" if len(Dataset.load(source, _SCHEMA)) else "a data set of nothing"
    if case["kind"] == "documents":
        for document in islice(read_documents(source, _SCHEMA, format=case.get("format")), 1000):
            document.json_line(_SCHEMA)
        return ""
    count_rows(source)
    for place, row in enumerate(islice(read_rows(source, text=case["text"], key=case["key"]), 6000)):
        if row.position != place:
            return "a row out of place"
        if SECRET in json.dumps(row.record):
            return "a row of a file that was not asked for"
        if len(row.digest) != 8:
            return "a row without a digest"
    return ""
