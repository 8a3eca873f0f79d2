"""Names of inputs and outputs: suffixes, compression, tables of databases, folders, patterns and pipes."""

import gzip
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from structout import DataError, Schema, SpecError
from structout.tables.documents import read_documents
from structout.tables.output import check_distinct, writing
from structout.tables.place import Place, delimiter_named, places
from structout.tables.rows import count_rows, read_rows
from structout.tables.whole_file import replacing

WORDS = Schema.of({"properties": {"text": {"type": "string"}}, "required": ["text"]})


def texts(source: str | list[str], **options: Any) -> list[Any]:
    return [row.text if not row.wrong else row.wrong for row in read_rows(source, **options)]


@pytest.mark.parametrize("packing", ["", ".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("suffix", ["JSONL", "csv", "TSV", "Ndjson"])
def test_a_suffix_tells_format_and_compression_in_any_case(tmp_path: Path, suffix: str, packing: str) -> None:
    target = str(tmp_path / f"out.{suffix}{packing.upper()}")
    with writing(target, WORDS, bare=True) as write:
        for word in ("räder", "", "a,\tb\n"):
            write({"text": word}, {})
    assert texts(target) == ["räder", "", "a,\tb\n"]
    assert count_rows(target) == 3


@pytest.mark.parametrize("size", [3, 30_000])
def test_every_row_of_a_named_pipe_is_read(tmp_path: Path, size: int) -> None:
    pipe = tmp_path / "rows"
    os.mkfifo(pipe)
    lines = "".join(f'{{"text": "{number}"}}\n' for number in range(size))
    writer = threading.Thread(target=lambda: pipe.write_text(lines))
    writer.start()
    assert count_rows(str(pipe)) is None
    assert texts(str(pipe)) == [str(number) for number in range(size)]
    writer.join()


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('{"text": "a"}\n\n{"text": "b"}\n', ["a", "b"]),
        ('\ufeff[{"text": "a"}, {"text": "b"}]', ["a", "b"]),
        ('[\n  {"text": "a"},\n  {"text": "b"}\n]\n', ["a", "b"]),
        ('{\n  "text": "a"\n}\n', ["a"]),
        ("a\n\nb, text\n", ["a", "b, text"]),
        ("Dear John,\nI am here\n", ["Dear John,", "I am here"]),
        ("", []),
        ("\n\n", []),
    ],
)
def test_the_content_of_a_file_without_a_suffix_tells_its_format(tmp_path: Path, content: str, rows: list[str]) -> None:
    file = tmp_path / "rows"
    file.write_text(content, encoding="utf-8")
    assert texts(str(file)) == rows
    assert count_rows(str(file)) == len(rows)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,text\n1,a\n", "looks like a table.*--format csv"),
        (b'"id";"text"\n1;a\n', "looks like a table"),
        (gzip.compress(b"a\n", mtime=0), "holds gzip data"),
        (b"PAR1\x15", "holds Parquet data"),
        (b"%PDF-1.7\n", "holds PDF data"),
        (b"a\0b\n", "holds binary data"),
        (b"[1,\n2", "not JSON"),
    ],
)
def test_what_is_not_text_is_not_asked_line_by_line(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "rows"
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        texts(str(file))
    assert re.search(message, str(caught.value))


def test_a_format_overrules_the_suffix(tmp_path: Path) -> None:
    file = tmp_path / "rows.dat"
    file.write_text("id,text\n1,a\n")
    with pytest.raises(DataError, match="unknown input format"):
        texts(str(file))
    assert texts(str(file), format="csv") == ["a"]
    assert texts(str(file), format="text") == ["id,text", "1,a"]
    assert count_rows(str(file), format="csv") == 1


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('[{"text": "a"}, 1, {"text": "b"}]', ["a", "item 2 is not a JSON object", "b"]),
        ('{"text": "a"}', ["a"]),
        ('{"text": "a"}\n{"text": "b"}\n', ["a", "b"]),
        ("[]", []),
    ],
)
def test_a_json_file_holds_an_array_an_object_or_lines(tmp_path: Path, content: str, rows: list[str]) -> None:
    file = tmp_path / "rows.json"
    file.write_text(content)
    assert texts(str(file)) == rows


def test_several_inputs_folders_and_patterns_are_read_in_order(tmp_path: Path) -> None:
    for year, text in (("2025", "a"), ("2026", "b")):
        folder = tmp_path / "parts" / f"year={year}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"text": [text]}), folder / "x.parquet")
    (tmp_path / "parts" / "_SUCCESS").touch()
    (tmp_path / "parts" / ".x.parquet.crc").touch()
    for name in ("p2", "p1"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name}))
    whole, pattern = str(tmp_path / "parts"), str(tmp_path / "p*.jsonl")
    rows = list(read_rows([whole, pattern]))
    assert [(row.position, row.key, row.text) for row in rows] == [(0, 1, "a"), (1, 2, "b"), (2, 3, "p1"), (3, 4, "p2")]
    assert rows[1].record == {"year": "2026", "text": "b"}
    assert [row.key for row in read_rows(whole, key="year")] == ["2025", "2026"]
    assert count_rows([whole, pattern]) == 4
    with pytest.raises(SpecError, match="given twice"):
        places([pattern, str(tmp_path / "p1.jsonl")])
    for nothing in (str(tmp_path / "q*.jsonl"), str(tmp_path / "parts" / "year=2025" / "..") + "/none*"):
        with pytest.raises(DataError, match="no file matches"):
            places(nothing)


def test_a_table_may_have_a_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for table in ("s.duckdb#raw.parts", "s.db#parts", 's.DB#"raw.parts"', 's.duckdb#my raw."a.b"'):
        with writing(table, WORDS, bare=True) as write:
            write({"text": table}, {})
        assert texts(table) == [table]
    with duckdb.connect("s.duckdb") as database:
        found = database.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
        assert sorted(found) == [("my raw", "a.b"), ("raw", "parts")]
        database.execute("CREATE TABLE \"old.name\" AS SELECT 'x' AS text")
    assert texts("s.duckdb#old.name") == ["x"]
    assert Place.of("s.duckdb#a.b.c").parts == ["a", "b", "c"]


def test_the_target_of_a_symbolic_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "latest.jsonl", tmp_path / "link.jsonl"
    real.write_text("old")
    link.symlink_to(Path("real") / "latest.jsonl")
    with replacing(link) as stream:
        stream.write(b"new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert sorted(one.name for one in (tmp_path / "real").iterdir()) == ["latest.jsonl"]


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"])
    pq.write_table(table, tmp_path / "twice.parquet")
    for source in (str(tmp_path / "twice.parquet"), "sql:SELECT 'first' AS text, 'second' AS text"):
        with pytest.raises(DataError, match="two columns 'text'"):
            texts(source)


def test_values_that_python_cannot_hold_are_text_or_cost_one_row(tmp_path: Path) -> None:
    far = pa.array([1, 10**7], pa.int32()).cast(pa.date32())
    binary = pa.array([b"r\xc3\xa4der", b"\xff"], pa.binary())
    pq.write_table(pa.table({"text": binary, "day": far}), tmp_path / "far.parquet")
    first, second = read_rows(str(tmp_path / "far.parquet"))
    assert (first.text, first.wrong, first.record) == ("räder", "", {"text": "räder", "day": "1970-01-02"})
    assert "not UTF-8" in second.wrong
    assert isinstance(second.record, dict)
    assert str(second.record["day"]).lstrip("+").startswith("29349-")
    bad = pa.StringArray.from_buffers(2, pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff"))
    pq.write_table(pa.table({"text": bad}), tmp_path / "bad.parquet")
    rows = list(read_rows(str(tmp_path / "bad.parquet")))
    assert [row.text for row in rows] == ["a", None]
    assert rows[1].wrong.startswith("the column 'text' cannot be read")
    documents = list(read_documents(str(tmp_path / "bad.parquet"), WORDS))
    assert [(one.parsed, bool(one.wrong)) for one in documents] == [({"text": "a"}, False), ({"text": None}, True)]
    query = "sql:SELECT 'x' AS text, 'infinity'::TIMESTAMP AS at, '12026-01-02'::DATE AS day, 'y'::BLOB AS b"
    (row,) = read_rows(query)
    assert isinstance(row.record, dict)
    assert not str(row.record["at"]).startswith("9999")
    assert str(row.record["day"]).endswith("12026-01-02")
    assert row.record["b"] == "y"


def test_an_array_of_documents_is_validated_item_by_item(tmp_path: Path) -> None:
    file = tmp_path / "d.json"
    file.write_text('[{"text": "a"}, {"text": 1}]')
    assert [one.parsed for one in read_documents(str(file), WORDS)] == [{"text": "a"}, {"text": 1}]
    assert [one.text for one in read_documents(str(file), Schema.of(list[Any]))] == [file.read_text()]


def test_a_key_that_is_not_utf8_costs_its_row(tmp_path: Path) -> None:
    (tmp_path / "l1.csv").write_bytes(b"id,text\nr\xe4der,a\nb,b\n")
    first, second = read_rows(str(tmp_path / "l1.csv"), key="id")
    assert first.wrong.startswith("the key is not UTF-8")
    assert (second.key, second.wrong) == ("b", "")


def test_half_a_character_and_a_number_too_large_cost_their_row(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"text": "\\ud83d"}\n{"text": "a", "x": 1e999}\n{"text": "1e999"}\n')
    first, second, third = read_rows(str(tmp_path / "r.jsonl"))
    assert "unpaired surrogate" in first.wrong
    assert second.wrong.startswith("line 2 is not JSON")
    assert (third.text, third.wrong) == ("1e999", "")
    json.dumps([first.record, second.record], allow_nan=False)


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst"])
def test_a_damaged_member_of_a_compressed_file_is_an_error(tmp_path: Path, packing: str) -> None:
    whole = str(tmp_path / f"w.jsonl.{packing}")
    with writing(whole, WORDS, bare=True) as write:
        for number in range(100):
            write({"text": str(number)}, {})
    member = Path(whole).read_bytes()
    file = tmp_path / f"two.jsonl.{packing}"
    file.write_bytes(member + member)
    assert texts(str(file)) == [str(number) for number in range(100)] * 2
    file.write_bytes(member + b"\0" * 8)
    if packing in ("gz", "xz"):
        assert len(texts(str(file))) == 100
    file.write_bytes(b"")
    assert texts(str(file)) == []
    for damaged in (member + bytes([member[0] ^ 1]) + member[1:], member + member[:-9], member[:-9]):
        file.write_bytes(damaged)
        with pytest.raises(DataError, match="cannot read"):
            texts(str(file))


def test_nothing_in_a_folder_is_left_out_without_a_word(tmp_path: Path) -> None:
    folder, other = tmp_path / "f", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (folder / "a.jsonl").write_text('{"text": "a"}')
    (other / "b.jsonl").write_text('{"text": "b"}')
    (folder / "linked").symlink_to(other)
    (other / "back").symlink_to(folder)
    (folder / "README.md").write_text("not a table")
    assert texts(str(folder)) == ["a", "b"]
    (folder / "gone.jsonl").symlink_to("nowhere")
    for name in (str(folder), str(folder / "*.jsonl")):
        with pytest.raises(DataError, match="it is not a file"):
            texts(name)
    with pytest.raises(SpecError, match="is empty"):
        texts("")


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("x.duckdb#t", "x.duckdb#main.t", True),
        ("x.duckdb#t", "x.duckdb#T", True),
        ("x.duckdb#t", 'x.duckdb#x.main."t"', True),
        ("x.duckdb#t", "x.duckdb", True),
        ("x.duckdb#t", "link.duckdb#t", True),
        ("sql:SELECT * FROM 'a.jsonl'", "a.jsonl", True),
        ("query.sql", "a.jsonl", True),
        ("loop.jsonl", "loop.jsonl", True),
        ("x.duckdb#t", "x.duckdb#raw.t", False),
        ("x.duckdb#t", "y.duckdb#t", False),
        ("sql:SELECT * FROM 'aa.jsonl'", "a.jsonl", False),
        ("sql:SELECT 1", "sql:SELECT 1", False),
    ],
)
def test_two_names_of_one_place_are_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: str, other: str, is_same: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.duckdb").touch()
    Path("a.jsonl").touch()
    Path("query.sql").write_text("SELECT * FROM read_json('a.jsonl')")
    Path("link.duckdb").symlink_to("x.duckdb")
    Path("loop.jsonl").symlink_to("loop.jsonl")
    if is_same:
        with pytest.raises(SpecError, match=r"are the same file|may read the file"):
            check_distinct({"INPUT": one, "--output": other})
    else:
        check_distinct({"INPUT": one, "--output": other})


def test_a_query_runs_once_and_its_dates_are_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    query = (
        "CREATE TABLE q AS SELECT 'a' AS text; SELECT text, (TIMESTAMPTZ '2020-01-01 02:00:00+00')::DATE AS day, "
        "TIMESTAMPTZ '2020-01-01 02:00:00.5+02' AS at, sum(1) AS count, '0101'::BIT AS bits, TIME '24:00' AS late, "
        "[DATE '12026-01-02'] AS days, {'DATE': 1} AS odd, MAP{uuid(): 1} AS map FROM q GROUP BY ALL"
    )
    (row,) = read_rows(f"sql:{query}")
    assert isinstance(row.record, dict)
    found = dict(row.record)
    keyed = found.pop("map")
    assert isinstance(keyed, dict)
    assert list(keyed.values()) == [1]
    assert found == {
        "text": "a", "day": "2020-01-01", "at": "2020-01-01T00:00:00.5Z", "count": 1, "bits": "0101",
        "late": "24:00:00", "days": ["12026-01-02"], "odd": {"DATE": 1},
    }  # fmt: skip


def test_a_far_date_within_a_list_costs_its_row(tmp_path: Path) -> None:
    days = pa.array([[1], [10**7]], pa.list_(pa.int32())).cast(pa.list_(pa.date32()))
    pq.write_table(pa.table({"text": ["a", "b"], "days": days}), tmp_path / "far.parquet")
    first, second = read_rows(str(tmp_path / "far.parquet"))
    assert first.record == {"text": "a", "days": ["1970-01-02"]}
    assert second.wrong.startswith("the column 'days' cannot be read")


def test_a_delimiter_is_heeded_by_all_that_reads_csv(tmp_path: Path) -> None:
    both = Schema.of({"properties": {"id": {"type": "string"}, "text": {"type": "string"}}})
    cases = (("a.csv", ";", ";"), ("b.csv", "\t", "tab"), ("c", "|", "|"), ("d.tsv", "\x01", "\x01"))
    for name, delimiter, given in cases:
        (tmp_path / name).write_text(f'id{delimiter}text\n1{delimiter}"a{delimiter}b"\n2{delimiter}c, d\n')
        (place,) = places(str(tmp_path / name), None, given)
        assert texts([place]) == [f"a{delimiter}b", "c, d"]  # type: ignore[list-item]
        assert count_rows([place]) == 2
        assert [document.parsed for document in read_documents(place, both)] == [
            {"id": "1", "text": f"a{delimiter}b"}, {"id": "2", "text": "c, d"}
        ]  # fmt: skip
        assert [document.text for document in read_documents(place, both, column="id")] == ["1", "2"]
        assert texts(str(tmp_path / name), delimiter=given) == [f"a{delimiter}b", "c, d"]


@pytest.mark.parametrize("named", ["", ";;", '"', "'", "\n", "\r", "\0", "a", "7", "é", "\ud800", "comma"])
def test_what_delimits_no_cells_is_refused(named: str) -> None:
    with pytest.raises(SpecError, match="invalid delimiter"):
        delimiter_named(named)


def test_a_delimiter_without_csv_is_refused(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.parquet", "sql:SELECT 1", "a.duckdb#t"):
        with pytest.raises(SpecError, match="no input is CSV"):
            places(name, None, ";")
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.jsonl").touch()
    assert [place.delimiter for place in places(str(tmp_path), None, ";")] == [";", ""]
