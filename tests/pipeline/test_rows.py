import csv
import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from structout import DataError
from structout.pipeline.rows import count_rows, read_rows

ROWS = [{"id": "a", "text": 'BRK PAD, "front"'}, {"id": "b", "text": "räder\nx"}, {"id": "c", "text": ""}]


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, str]:
    """The same rows in every form."""
    lines = "\n".join(json.dumps(row) for row in ROWS) + "\n\n"
    (tmp_path / "r.jsonl").write_text("\ufeff" + lines, encoding="utf-8")
    with gzip.open(tmp_path / "r.jsonl.gz", "wt", encoding="utf-8") as packed:
        packed.write(lines)
    for name, delimiter in (("r.csv", ","), ("r.tsv", "\t")):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, ["id", "text"], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(ROWS)
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "r.parquet")
    with duckdb.connect(str(tmp_path / "r.duckdb")) as database:
        database.execute(f"CREATE TABLE t AS SELECT * FROM '{tmp_path / 'r.parquet'}'")
    (tmp_path / "q.sql").write_text(f"SELECT * FROM '{tmp_path / 'r.parquet'}'")
    names = ("r.jsonl", "r.jsonl.gz", "r.csv", "r.tsv", "r.parquet", "r.duckdb#t", "q.sql")
    return {
        **{name: str(tmp_path / name) for name in names},
        "sql": f"sql:SELECT id, text FROM '{tmp_path / 'r.csv'}' WHERE id <> ''",
    }


def test_every_form_holds_the_same_rows(sources: dict[str, str]) -> None:
    for name, source in sources.items():
        rows = list(read_rows(source, key="id"))
        if name != "sql":  # DuckDB reads an empty cell as null, which is no text
            assert [(row.position, row.key, row.text) for row in rows] == [
                (place, row["id"], row["text"]) for place, row in enumerate(ROWS)
            ], name
        assert [row.record for row in rows][:2] == ROWS[:2], name
        assert count_rows(source) in (None, 3), name
        assert len(list(read_rows(source, limit=2))) == 2
    assert next(read_rows(sources["r.csv"], text="id")).key == 1
    assert count_rows(sources["r.parquet"], limit=2) == 2


def test_a_line_that_is_no_row_is_a_row_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_bytes(b'{"text": "a"}\n{"text": \n[1]\n{"text": 5}\n\xff\n')
    rows = list(read_rows(str(tmp_path / "bad.jsonl")))
    assert [row.text for row in rows] == ["a", None, None, 5, None]
    assert rows[1].record == '{"text": '
    assert len({row.digest for row in rows}) == 5
    (tmp_path / "bad.csv").write_text('text,n\na,1,2,3\n"b\n')
    assert [row.text for row in read_rows(str(tmp_path / "bad.csv"))] == ["a", "b\n"]


def test_what_is_no_number_is_null_and_every_row_is_json(tmp_path: Path) -> None:
    nan, infinite = float("nan"), float("inf")
    row = {"text": "a", "x": nan, "y": [nan, 1.5], "z": -infinite, "w": 1.0}
    pq.write_table(pa.Table.from_pylist([row, {"text": "a", "w": nan}]), tmp_path / "r.parquet")
    (tmp_path / "r.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps({'text': 'a', 'w': nan})}")
    for source in (tmp_path / "r.parquet", tmp_path / "r.jsonl", f"sql:SELECT * FROM '{tmp_path / 'r.parquet'}'"):
        first, second = (one.record for one in read_rows(str(source)))
        assert first == {"text": "a", "x": None, "y": [None, 1.5], "z": "-Infinity", "w": 1.0}
        assert isinstance(second, dict)
        assert second["w"] is None
        json.dumps([first, second], allow_nan=False)


@pytest.mark.parametrize("depth", [199, 201, 900, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_line_that_is_nested_too_deep_is_one_bad_row(tmp_path: Path, depth: int, opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    lines = ['{"text": "a"}', '{"text": "b", "deep": ' + opening * depth + "1" + closing * depth + "}", '{"text": "c"}']
    for line in (lines[1], opening * depth):
        (tmp_path / "deep.jsonl").write_text("\n".join([lines[0], line, lines[2]]))
        rows = list(read_rows(str(tmp_path / "deep.jsonl")))
        assert [row.text for row in rows] == ["a", "b" if line == lines[1] and depth < 200 else None, "c"]
        assert all(json.loads(json.dumps(row.record)) == row.record for row in rows)


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("none.jsonl", {}),
        ("none.parquet", {}),
        ("none.duckdb#t", {}),
        ("sql:SELEC 1", {}),
        ("r.csv", {"text": "words"}),
        ("r.parquet", {"key": "words"}),
        ("damaged.jsonl.gz", {}),
        ("text.parquet", {}),
        ("r.xlsx", {}),
    ],
)
def test_what_cannot_be_read_is_said(sources: dict[str, str], tmp_path: Path, source: str, options: Any) -> None:
    (tmp_path / "damaged.jsonl.gz").write_bytes((tmp_path / "r.jsonl.gz").read_bytes()[:-9])
    (tmp_path / "text.parquet").write_text("no")
    place = source if source.startswith("sql:") else str(tmp_path / source)
    with pytest.raises(DataError) as caught:
        list(read_rows(place, **options))
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_dates_and_decimals_of_a_query_become_text() -> None:
    (row,) = read_rows("sql:SELECT 'x' AS text, DATE '2026-01-02' AS day, 1.50::DECIMAL(4,2) AS price")
    assert row.record == {"text": "x", "day": "2026-01-02", "price": "1.50"}
