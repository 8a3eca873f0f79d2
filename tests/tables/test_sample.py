"""A sample taken apart: which cells are numbers, which columns hold texts and labels, and which rows are skipped."""

import json
from pathlib import Path
from typing import Any

import pytest

from structout.errors import DataError
from structout.tables.sample import read_cells, read_sample


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["1", "-20", ""], [1, -20, None]),
        (["1", "2.50"], [1.0, 2.5]),
        (["007", "8"], ["007", "8"]),
        (["1E5", "2"], ["1E5", "2"]),
        (["1,5", "2"], ["1,5", "2"]),
        (["1" * 16], ["1" * 16]),
        (["NaN", "1"], ["NaN", "1"]),
        (["TRUE", "false"], [True, False]),
        (["yes", "no"], ["yes", "no"]),
        (['["a"]', "[]"], [["a"], []]),
        (['{"a": 1}', "{"], ['{"a": 1}', "{"]),
        ([" ", None, "x"], [None, None, "x"]),
        (["", None], [None, None]),
    ],
)
def test_a_column_of_cells_has_the_narrowest_type_that_reads_them_all(cells: list[Any], read: list[Any]) -> None:
    found = [one["a"] for one in read_cells([{"a": cell} for cell in cells], ["a"])]
    assert found == read
    assert list(map(type, found)) == list(map(type, read))


def test_a_row_that_cannot_be_read_is_skipped_and_named(tmp_path: Path) -> None:
    lines = [json.dumps({"id": 1, "body": "a long text"}), "{", "[1]", json.dumps({"id": 2, "body": "\ud800"})]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    found = read_sample(str(tmp_path / "rows.jsonl"), 10)
    assert found.rows == ({"id": 1, "body": "a long text"},)
    assert [one.partition(":")[0] for one in found.skipped] == ["row 2", "row 3", "row 4"]
    assert (found.likely_text(), found.likely_labels("body"), found.is_part) == ("body", (), False)
    assert read_sample(str(tmp_path / "rows.jsonl"), 1).is_part


def test_a_sample_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,kind\n")
    with pytest.raises(DataError, match="holds no rows"):
        read_sample(str(tmp_path / "rows.csv"), 10)


def test_columns_of_a_data_set_are_known(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(",text,key,split,kind\n0,a,1,test,hex\n")
    found = read_sample(str(tmp_path / "rows.csv"), 10)
    assert (found.columns, found.is_text) == (("text", "key", "split", "kind"), True)  # the index of pandas has no name
    assert found.likely_labels(found.likely_text()) == ("kind",)
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": "a", "expected": {"kind": "hex"}, "source": "b"}))
    assert read_sample(str(tmp_path / "rows.jsonl"), 10).likely_labels("text") == ("expected",)
