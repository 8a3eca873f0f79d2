import json
from collections import Counter
from pathlib import Path

import pytest

from structout import DataError, Dataset
from tests.conftest import ROOT, Bolt

LINE = {"text": "M6 hex", "expected": {"kind": "hex", "size_mm": 6}}


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def test_a_file_with_a_schema(tmp_path: Path) -> None:
    file = write(tmp_path / "bolts.jsonl", LINE, "", {**LINE, "split": "dev", "key": "b2"}, LINE, LINE, LINE)
    dataset = Dataset.load(file, Bolt)
    assert [record.key for record in dataset] == ["1", "b2", "4", "5", "6"]
    assert [record.split for record in dataset] == ["train", "dev", "train", "test", "train"]
    assert dataset.records[0].expected == {"kind": "hex", "size_mm": 6.0, "note": None}
    assert dataset.examples[0].document == LINE["expected"]
    assert len(dataset.split("train")) == 3
    assert len(dataset.head(2)) == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", "line 2: not JSON"),
        ([1], "line 2: no text"),
        ({"text": "x"}, "line 2: no text or no expected"),
        ({"text": 5, "expected": {}}, "line 2: no text"),
        ({"text": "x", "expected": {"kind": "hex"}}, "line 2: the expected document.*required"),
        ({**LINE, "split": "validation"}, "line 2: the split"),
        ({**LINE, "key": "1"}, "two records with the key '1'"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row: object, reason: str) -> None:
    file = write(tmp_path / "bolts.jsonl", LINE, row)
    with pytest.raises(DataError, match=reason) as caught:
        Dataset.load(file, Bolt)
    assert caught.value.hint


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data set"):
        Dataset.load(tmp_path / "nope")
    with pytest.raises(DataError, match="without a schema"):
        Dataset.load(write(tmp_path / "a.jsonl", LINE))
    with pytest.raises(DataError, match="holds no records"):
        Dataset.load(write(tmp_path / "b.jsonl", ""), Bolt)


def test_the_hand_written_parts() -> None:
    parts = Dataset.load(ROOT / "schemas/parts")
    assert len(parts) >= 240
    splits = Counter(record.split for record in parts)
    assert splits["train"] == len(parts) // 2
    assert splits["dev"] == splits["test"] == len(parts) // 4
    texts = [" ".join(record.text.lower().split()) for record in parts]
    assert len(set(texts)) == len(texts), "a record that stands twice may leak from train into test"
    for record in parts:
        assert isinstance(record.expected, dict)
        for number in record.expected["part_numbers"]:  # type: ignore[union-attr]
            assert str(number) in record.text, "part numbers are written as printed"
