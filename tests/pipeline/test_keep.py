"""`structout run --keep`: columns of the input beside the records."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bolt import BOLT
from tests.conftest import Shell
from tests.pipeline.conftest import asked, rows

CELLS: list[dict[str, Any]] = [
    {"n": 1, "x": 1, "ok": True, "who": "Zoë", "odd": 1, "big": 1, "tags": ["a"]},
    {"n": 2, "x": 2.5, "ok": None, "who": "", "odd": "1", "big": 2**63, "tags": {"b": None}},
    {"n": None, "x": None, "ok": False, "odd": None, "big": None, "tags": None},
]


def write(folder: Path, cells: list[dict[str, Any]] = CELLS) -> Path:
    path = folder / "in.jsonl"
    lines = ({"id": f"k{n}", "text": f"{n} mm", **one} for n, one in enumerate(cells, 1))
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_kept_columns_stand_before_the_record_and_cost_no_new_answer(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    out = tmp_path / "out.jsonl"
    command = ["run", bolts(20), "-o", out, *words]
    assert shell(*command, "--keep", "id").returncode == 1
    first = rows(out)
    assert list(first[0])[:5] == ["id", "kind", "size_mm", "note", "_key"]
    assert [row["id"] for row in first] == [row["_key"] for row in first] == [f"k{n}" for n in range(1, 21) if n % 7]
    assert shell(*command, "--keep", "text", "--keep", "id,text").returncode == 1
    kept = [(row["text"], row["id"]) for row in rows(out)]
    assert kept == [(f"{row['size_mm']:g} mm bolt", row["id"]) for row in first]
    assert shell(*command, "--keep", "all", "--bare").returncode == 1
    assert list(rows(out)[0]) == ["id", "text", "kind", "size_mm", "note"]
    assert shell(*command).returncode == 1
    assert next(iter(rows(out)[0])) == "kind"
    assert sorted(asked(tmp_path)) == list(range(1, 21))


def test_typed_outputs_type_kept_columns_by_their_cells(words: list[str], tmp_path: Path, shell: Shell) -> None:
    source = write(tmp_path)
    assert shell("run", source, "-o", tmp_path / "out.parquet", *words, "--keep", "all").returncode == 0
    table = pq.read_table(tmp_path / "out.parquet")
    types = {field.name: field.type for field in table.schema}
    text = pa.string()
    expected = {
        "id": text, "text": text, "n": pa.int64(), "x": pa.float64(), "ok": pa.bool_(), "who": text, "odd": text,
        "big": text, "tags": text,
    }  # fmt: skip
    assert {name: types[name] for name in list(types)[: len(expected)]} == expected
    found = table.to_pydict()
    assert (found["n"], found["x"], found["ok"]) == ([1, 2, None], [1.0, 2.5, None], [True, None, False])
    assert found["who"] == ["Zoë", "", None]
    assert found["odd"] == ["1", '"1"', None]
    assert found["big"] == ["1", "9223372036854775808", None]
    assert [one and json.loads(one) for one in found["tags"]] == [["a"], {"b": None}, None]
    place = tmp_path / "a.duckdb"
    assert shell("run", source, "-o", f"{place}#parts", *words, "--keep", "n,ok").returncode == 0
    with duckdb.connect(str(place)) as database:
        assert database.execute("SELECT n, ok, kind FROM parts").fetchall() == [
            (1, True, "hex"), (2, None, "hex"), (None, False, "hex")
        ]  # fmt: skip


def test_cells_of_csv_stay_as_they_are(words: list[str], tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "in.csv").write_text('id;text;code;\nk1;1 mm;007;x\nk2;2 mm;"a,""b";\nk3;3 mm\n')
    command = ["run", tmp_path / "in.csv", "--delimiter", ";", *words, "--keep", "all"]
    assert shell(*command, "-o", tmp_path / "out.csv").returncode == 0
    with (tmp_path / "out.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [list(row.values())[:4] for row in found] == [
        ["k1", "1 mm", "007", "hex"], ["k2", "2 mm", 'a,"b', "hex"], ["k3", "3 mm", "", "hex"]
    ]  # fmt: skip
    assert shell(*command, "-o", tmp_path / "out.parquet").returncode == 0
    assert pq.read_table(tmp_path / "out.parquet")["code"].to_pylist() == ["007", 'a,"b', None]


@pytest.mark.parametrize(
    ("keep", "cell", "output", "said"),
    [
        ("kind", "kind", "out.jsonl", "the column 'kind' cannot be kept"),
        ("all", "kind", "out.jsonl", "the column 'kind' cannot be kept"),
        ("all", "_key", "out.jsonl", "the column '_key' cannot be kept"),
        ("_more", "_more", "out.csv", "the column '_more' cannot be kept"),
        ("all", "KIND", "out.duckdb#t", "the column 'KIND' cannot be kept"),
        ("who", "n", "out.jsonl", "has no column 'who'; it has: id, text, n"),
        ("all,n", "n", "out.jsonl", "--keep all cannot be combined"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_any_row_is_asked(
    keep: str, cell: str, output: str, said: str, words: list[str], tmp_path: Path, shell: Shell
) -> None:
    source = write(tmp_path, [{cell: 1}])
    done = shell("run", source, "-o", tmp_path / output, *words, "--keep", keep)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "asked").exists()
    assert not list(tmp_path.glob("out*"))


def test_lines_of_text_have_one_column_to_keep(words: list[str], tmp_path: Path, shell: Shell) -> None:
    out = tmp_path / "out.jsonl"
    assert shell("run", "-", "-o", out, *words[:-2], "--keep", "id", stdin="1 mm\n").returncode == 2
    assert shell("run", "-", "-o", out, *words[:-2], "--keep", "text", stdin="1 mm\n").returncode == 0
    assert rows(out)[0]["text"] == "1 mm"


def test_a_later_row_with_a_name_of_the_output_is_set_aside_with_its_input(
    words: list[str], tmp_path: Path, shell: Shell
) -> None:
    source = write(tmp_path, [{}] * 120 + [{"kind": "mine"}, {"late": 1}])
    source.write_text(source.read_text().replace('"7 mm"', '"8 mm"'))
    command = ["run", source, "-o", tmp_path / "out.jsonl", *words]
    assert shell(*command, "--keep", "all").returncode == 1
    others = {row["key"]: row for row in rows(tmp_path / "out.jsonl.quarantine.jsonl")}
    assert others["k121"]["input"] == {"id": "k121", "text": "121 mm", "kind": "mine"}
    assert "the column 'kind' of the input" in others["k121"]["issues"][0]["message"]
    accepted = {row["_key"]: row for row in rows(tmp_path / "out.jsonl")}
    assert "k121" not in accepted
    assert accepted["k122"]["late"] == 1
    assert shell(*command, "--keep", "text").returncode == 1
    assert "k121" in {row["_key"] for row in rows(tmp_path / "out.jsonl")}
    assert len(asked(tmp_path)) == 121  # two texts are equal


def test_a_kept_cell_that_is_not_utf8_sets_its_row_aside_unasked(
    words: list[str], tmp_path: Path, shell: Shell
) -> None:
    (tmp_path / "in.csv").write_bytes(b"id,text,who\nk1,1 mm,\xe9\nk2,2 mm,b\n")
    command = ["run", tmp_path / "in.csv", *words, "--keep", "who", "-o"]
    assert shell(*command, tmp_path / "out.csv").returncode == 1
    (other,) = rows(tmp_path / "out.csv.quarantine.jsonl")
    assert other["issues"][0]["message"].startswith("the column 'who' is not UTF-8")
    assert other["input"] == {"id": "k1", "text": "1 mm", "who": "\udce9"}
    assert asked(tmp_path) == [2]
    assert shell(*command, tmp_path / "out.jsonl").returncode == 0
    assert rows(tmp_path / "out.jsonl")[0]["who"] == "\udce9"


def test_a_run_that_was_stopped_keeps_the_columns_of_all_rows(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    command = ["run", bolts(40), "-o", tmp_path / "out.jsonl", *words, "--keep", "text", "--chunk", "4"]
    assert shell(*command, "--budget-tokens", "900", "--max-tokens", "100").returncode == 3
    done = asked(tmp_path)
    assert 0 < len(done) < 40
    assert shell(*command, "--max-tokens", "100").returncode == 1
    assert [row["text"] for row in rows(tmp_path / "out.jsonl")] == [f"{n} mm bolt" for n in range(1, 41) if n % 7]
    assert sorted(asked(tmp_path)) == list(range(1, 41))


def test_the_journal_keeps_no_kept_cell_and_forgetting_takes_it_from_the_output(
    words: list[str], tmp_path: Path, shell: Shell
) -> None:
    source = write(tmp_path, [{"who": f"customer-{n}-q"} for n in range(1, 6)])
    for output in ("out.jsonl", "out.csv", "out.parquet"):
        out, journal = tmp_path / output, tmp_path / f"{output}.journal"
        assert shell("run", source, "-o", out, *words, "--keep", "all").returncode == 0
        assert b"customer-" not in journal.read_bytes()
        done = shell("forget", journal, "--key", "k3")
        assert done.returncode == 0, done.stderr
        assert b"customer-3-q" not in out.read_bytes()
        rest = shell("validate", out, "--schema", BOLT)
        assert (rest.returncode, "4 of 4 documents are valid" in rest.stderr) == (0, True), rest.stderr
        assert "id, text, who" in rest.stderr
    assert shell("run", source, "-o", tmp_path / "out.jsonl", *words, "--keep", "who").returncode == 0
    assert b"customer-3-q" not in (tmp_path / "out.jsonl").read_bytes()
    assert b"customer-" not in (tmp_path / "out.jsonl.journal").read_bytes()


def test_a_complete_run_without_texts_has_its_kept_columns_in_its_output_alone(
    words: list[str], tmp_path: Path, shell: Shell
) -> None:
    source = write(tmp_path, [{"who": f"customer-{n}-q"} for n in range(1, 8)])
    out = tmp_path / "out.jsonl"
    assert shell("run", source, "-o", out, *words, "--keep", "who", "--keep-text", "hash").returncode == 1
    assert [row["who"] for row in rows(out)] == [f"customer-{n}-q" for n in range(1, 7)]
    again = shell("run", source, "-o", out, *words, "--keep", "id", "--keep-text", "hash")
    assert (again.returncode, "has the columns that it was written with" in again.stderr) == (1, True)
    files = [one for one in tmp_path.iterdir() if one not in (source, out) and one.is_file()]
    assert [one.name for one in files if b"customer-" in one.read_bytes()] == []
