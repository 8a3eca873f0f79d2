import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout import DataError, Schema
from structout.tables.csv import read_table
from structout.tables.output import writing
from structout.tables.rows import count_rows, read_rows

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
    assert [row.wrong.partition(":")[0] for row in rows] == [
        "", "line 2 is not JSON", "line 3 is not a JSON object", "", "line 5 is not JSON"
    ]  # fmt: skip


def test_a_row_of_csv_that_cannot_be_told_into_cells_costs_no_other(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_text(
        'id,text\n1,hex bolt, 6 mm, zinc\n2,"a\nb",,\n\n3,"3/4 in bolt\n4,hex 4\n5,"3/4" bolt\n6\n7,"""M7"""\n8,"open\n'
    )
    rows = list(read_rows(str(file), key="id"))
    assert [(row.key, row.text) for row in rows if not row.wrong] == [
        ("2", "a\nb"), ("4", "hex 4"), ("6", None), ("7", '"M7"')
    ]  # fmt: skip
    bad = [row for row in rows if row.wrong]
    assert [row.text for row in bad] == [None] * 4
    assert [row.wrong.split()[:2] for row in bad] == [["line", number] for number in ("2", "6:", "8:", "11:")]
    assert "4 cells, the header 2" in bad[0].wrong
    assert bad[0].record == {"id": "1", "text": "hex bolt", "(more)": " 6 mm, zinc"}
    assert bad[1].record == '3,"3/4 in bolt'
    assert "a quote is not closed" in bad[1].wrong
    assert count_rows(str(file)) == len(rows) == 8


@given(st.lists(st.lists(st.text('a,"\n\r ', max_size=4), min_size=2, max_size=2), max_size=6))
def test_what_a_csv_writer_wrote_is_read_as_it_was(table: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["a", "b"], *table])
    lines = list(read_table("x", io.StringIO(text.getvalue(), newline=""), ","))
    assert [(line.cells, line.wrong) for line in lines] == [({"a": one, "b": two}, "") for one, two in table]


@given(st.text('a,"\n', max_size=30))
def test_no_line_of_csv_is_lost(text: str) -> None:
    lines = list(read_table("x", io.StringIO("a,b\n" + text, newline=""), ","))
    starts = [line.number for line in lines]
    assert starts == sorted(set(starts))
    kept = "".join(
        line.cells if isinstance(line.cells, str) else "".join(map(str, line.cells.values())) for line in lines
    )
    assert kept.count("a") == text.count("a")


def test_a_table_whose_columns_cannot_be_told_apart_is_refused(tmp_path: Path) -> None:
    for content, message in (
        ("id,text,text\n1,a,b\n", "two columns 'text'"),
        ("id;text\n1;a\n", "give --delimiter ';'"),
        ("id|text\n1|a\n", "give --delimiter '|'"),
        ("id\ttext\n1\ta\n", "give --delimiter tab"),
        ('id,"text\n1,a\n', "line 1: a quote is not closed"),
    ):
        (tmp_path / "r.csv").write_text(content)
        with pytest.raises(DataError, match=message):
            list(read_rows(str(tmp_path / "r.csv")))
    for nothing in ("", "\n", "id,text\n"):
        (tmp_path / "r.csv").write_text(nothing)
        assert list(read_rows(str(tmp_path / "r.csv"))) == []


def test_what_is_not_utf8_is_said_to_be_so(tmp_path: Path) -> None:
    for name in ("r.csv", "r.jsonl", "r.txt"):
        text = {"r.csv": "text\nräder\n", "r.jsonl": '{"text": "räder"}\n', "r.txt": "räder\n"}[name]
        (tmp_path / name).write_text(text, encoding="latin-1")
        (row,) = read_rows(str(tmp_path / name))
        assert row.wrong == "the text is not UTF-8 at character 1: convert the file to UTF-8"
        (tmp_path / name).write_text(text, encoding="utf-16")
        with pytest.raises(DataError, match=r"is UTF-16 \(convert it to UTF-8"):
            list(read_rows(str(tmp_path / name)))


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


NAMES = [
    "t", 'we"ird', '"', "a.b", "main.t", "it's", "; DROP TABLE t; --", "secret.csv", "*.csv", "read_text('secret.csv')",
    't" UNION ALL SELECT content AS text FROM read_text(\'secret.csv\') --', "größe 数", "select", "a#b", "a\nb",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_table_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret.csv").write_text("text\nsecret\n")
    with duckdb.connect("d.duckdb") as database:
        database.execute("CREATE TABLE other AS SELECT 'x' AS text")
    with pytest.raises(DataError) as caught:
        list(read_rows(f"d.duckdb#{name}"))
    assert "secret\n" not in caught.value.message
    with writing(f"d.duckdb#{name}", Schema.of({"properties": {"text": {"type": "string"}}}), bare=True) as write:
        write({"text": "its own"}, {})
    assert [row.text for row in read_rows(f"d.duckdb#{name}")] == ["its own"]
    assert [row.text for row in read_rows("d.duckdb#other")] == ["x"]


def test_a_table_reads_its_own_database_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret.csv").write_text("text\nsecret\n")
    held = pa.Table.from_pylist([{"text": "of this program"}])  # DuckDB looks up the names of variables too
    assert held.num_rows == 1
    with duckdb.connect("d.duckdb") as database:
        database.execute("CREATE TABLE t AS SELECT 'x' AS text")
        database.execute("CREATE VIEW own AS SELECT text || 'y' AS text FROM t")
        for n, what in enumerate(("'secret.csv'", "read_text('secret.csv')", "glob('*')")):
            database.execute(f"CREATE VIEW v{n} AS SELECT * FROM {what}")
    assert [row.text for row in read_rows("d.duckdb#own")] == ["xy"]
    for name in ("v0", "v1", "v2", "held"):
        with pytest.raises(DataError) as caught:
            list(read_rows(f"d.duckdb#{name}"))
        assert "table of the database" in caught.value.hint
    (row,) = read_rows("sql:SELECT * FROM 'secret.csv'")  # a query is the user's own
    assert row.text == "secret"


def test_a_table_of_a_database_that_was_not_closed_is_read(tmp_path: Path) -> None:
    program = (
        "import duckdb, os\nc = duckdb.connect('d.duckdb')\nc.execute('PRAGMA disable_checkpoint_on_shutdown')\n"
        "c.execute(\"CREATE TABLE t AS SELECT 'x' AS text\")\nos._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert (tmp_path / "d.duckdb.wal").exists()
    assert [row.text for row in read_rows(f"{tmp_path}/d.duckdb#t")] == ["x"]


def test_what_is_not_utf_8_is_no_name_or_query() -> None:
    for source in ("sql:SELECT '\udcff' AS text", 'sql:SELECT 1 AS "\ud800"'):
        with pytest.raises(DataError, match="not UTF-8"):
            list(read_rows(source))
