import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import AliasChoices, BaseModel, Field

from structout import DataError, Dataset
from structout.errors import StructoutWarning
from tests.bolt import Bolt
from tests.conftest import ROOT, needs

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
        ("{", "line 2: invalid JSON"),
        ([1], "line 2: text or expected is missing"),
        ({"text": "x"}, "line 2: text or expected is missing"),
        ({"text": 5, "expected": {}}, "line 2: text or expected is missing"),
        ({"text": "x", "expected": {"kind": "hex"}}, "line 2: invalid expected document.*is missing"),
        ({**LINE, "split": "validation"}, "line 2: invalid split: got 'validation'"),
        ({**LINE, "key": "1"}, "two records with the key '1'"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row: object, reason: str) -> None:
    file = write(tmp_path / "bolts.jsonl", LINE, row)
    with pytest.raises(DataError, match=reason) as caught:
        Dataset.load(file, Bolt)
    assert caught.value.hint


def test_an_invalid_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data set"):
        Dataset.load(tmp_path / "nope")
    with pytest.raises(DataError, match="has no schema"):
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


def test_a_csv_file_with_a_column_a_field(tmp_path: Path) -> None:
    file = tmp_path / "bolts.csv"
    file.write_text('text,kind,size_mm,note,split\n"M6, hex",hex,6,,test\nM8 flange,flange,8.5,zinc,\n')
    first, second = Dataset.load(file, Bolt)
    assert (first.text, first.expected, first.split) == (
        "M6, hex",
        {"kind": "hex", "size_mm": 6.0, "note": None},
        "test",
    )
    assert (second.key, second.written, second.split) == (
        "2",
        {"kind": "flange", "size_mm": 8.5, "note": "zinc"},
        "dev",
    )
    file.write_text('key,text,expected\nb1,M6,"{""kind"": ""hex"", ""size_mm"": 6}"\n')
    assert [record.key for record in Dataset.load(file, Bolt)] == ["b1"]
    file.write_text("text,kind,size_mm\nM6,hex,large\n")
    with pytest.raises(DataError, match="row 1: invalid expected document: /size_mm"):
        Dataset.load(file, Bolt)


class Part(BaseModel):
    """Ignores what it does not know; a size may be written `mm`."""

    kind: str
    size_mm: float | None = Field(None, validation_alias=AliasChoices("size_mm", "mm"))
    counts: dict[str, int] = {}
    inner: list["Part"] = []


def test_a_label_that_the_schema_would_ignore_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,kind,size mm\nM6,hex,6\n")
    with pytest.raises(DataError, match=r"row 1: unknown field 'size mm' of Part .*Part has: kind, size_mm"):
        Dataset.load(file, Part)
    file.write_text('text,expected,tags\nM6,"{""kind"": ""hex""}",new\n')
    assert len(Dataset.load(file, Part)) == 1
    for misspelt in ({"sizemm": 6}, {"inner": [{"kind": "a"}, {"kind": "b", "sizemm": 6}]}):
        lines = write(tmp_path / "a.jsonl", {"text": "M6", "tags": 1, "expected": {"kind": "hex", **misspelt}})
        with pytest.raises(DataError, match="line 1: unknown field 'sizemm' of Part"):
            Dataset.load(lines, Part)
    label = {"kind": "hex", "mm": 6, "counts": {"a": 1}}
    (record,) = Dataset.load(write(tmp_path / "a.jsonl", {"text": "M6", "expected": label}), Part)
    assert record.expected == {"kind": "hex", "size_mm": 6.0, "counts": {"a": 1}, "inner": []}


def test_a_label_that_the_schema_does_not_name_is_a_warning(tmp_path: Path) -> None:
    lines = write(tmp_path / "a.jsonl", {"text": "M6", "expected": {"kind": "hex", "sizemm": 6}})
    schema = {"type": "object", "properties": {"kind": {}, "size_mm": {}}, "title": "Part"}
    with pytest.warns(StructoutWarning, match="that Part does not name: sizemm"):
        Dataset.load(lines, schema)
    assert len(Dataset.load(lines, {**schema, "additionalProperties": True})) == 1


def test_a_csv_file_that_cannot_be_split_into_cells_is_named(tmp_path: Path) -> None:
    for content, message in (
        ("text,kind,size_mm\nM6, zinc,hex,6\n", "line 2 has 4 cells"),
        ('text,kind,size_mm\nM6,hex,6\n"M8,hex,8\n', "line 3: a quote is not closed"),
        ("text,kind,kind\nM6,hex,6\n", "two columns 'kind'"),
        ("words,kind,size_mm\nM6,hex,6\n", "no column 'text'; it has: words, kind"),
    ):
        (tmp_path / "a.csv").write_text(content)
        with pytest.raises(DataError, match=message):
            Dataset.load(tmp_path / "a.csv", Bolt)


def test_what_ends_a_line_elsewhere_stands_in_a_text(tmp_path: Path) -> None:
    odd = "M6\u2028hex\u0085\x0b\x0c\u2029"
    (tmp_path / "a.jsonl").write_text(
        "".join(f"{json.dumps({**LINE, 'text': odd + end}, ensure_ascii=False)}\r\n" for end in "ab"), newline=""
    )
    assert [record.text for record in Dataset.load(tmp_path / "a.jsonl", Bolt)] == [odd + "a", odd + "b"]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,kind,size_mm\nM6,hex,6\n", encoding="utf-8-sig")
    (tmp_path / "a.jsonl").write_text(json.dumps(LINE), encoding="utf-8-sig")
    assert [len(Dataset.load(tmp_path / name, Bolt)) for name in ("a.csv", "a.jsonl")] == [1, 1]


def test_a_cell_with_invalid_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,expected\nM6,"{""kind"": ""hex"", "\n')
    with pytest.raises(DataError, match="row 1: invalid JSON in the column expected"):
        Dataset.load(tmp_path / "a.csv", Bolt)


@needs("huggingface_hub")
def test_a_folder_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    write(tmp_path / "records.jsonl", LINE)
    (tmp_path / "schema.json").write_text(json.dumps(Bolt.model_json_schema()))
    asked = []

    def download(name: str, *, repo_type: str, allow_patterns: list[str]) -> str:
        asked.append((name, repo_type, "schema.py" in allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert len(Dataset.load("hf:acme/bolts")) == 1
    assert asked == [("acme/bolts", "dataset", False)]

    def fail(*_: object, **__: object) -> str:
        raise OSError("no such data set")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(DataError, match="cannot load hf:acme/bolts: no such data set"):
        Dataset.load("hf:acme/bolts")


def test_the_order_hangs_on_seed_and_keys_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "bolts.jsonl", *({**LINE, "key": f"b{i}"} for i in range(20)))
    whole = Dataset.load(file, Bolt)
    keys = [record.key for record in whole.shuffled(1)]
    assert keys != [record.key for record in whole]
    assert keys != [record.key for record in whole.shuffled(2)]
    assert [record.key for record in whole.head(10).shuffled(1)] == [key for key in keys if int(key[1:]) < 10]
    assert whole.fingerprint() != whole.head(10).fingerprint()


def test_a_column_names_the_records(tmp_path: Path) -> None:
    (tmp_path / "beside.csv").write_text("text,part,kind,size_mm\na,P1,hex,6\nb,P2,hex,8\n")
    found = Dataset.load(tmp_path / "beside.csv", Bolt, key="part").records
    assert [(one.key, one.written) for one in found] == [
        ("P1", {"kind": "hex", "size_mm": 6}), ("P2", {"kind": "hex", "size_mm": 8})
    ]  # fmt: skip
    field = Dataset.load(tmp_path / "beside.csv", Bolt, key="part", group="size_mm").records
    assert [(one.key, one.group) for one in field] == [("P1", "6"), ("P2", "8")]
    (tmp_path / "rows.jsonl").write_text('{"text": "a", "part": 7, "expected": {"kind": "hex", "size_mm": 6}}\n')
    assert Dataset.load(tmp_path / "rows.jsonl", Bolt, key="part").records[0].key == "7"
    with pytest.raises(DataError, match="'id', the key of the record, is missing"):
        Dataset.load(tmp_path / "rows.jsonl", Bolt, key="id")
    with pytest.raises(DataError, match="two records with the key 'hex'"):
        Dataset.load(tmp_path / "beside.csv", Bolt, key="kind", group="part")


def test_records_belong_to_the_group_that_a_column_names(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,kind,size_mm,supplier\nhex 6,hex,6,ACME\nhex 8,hex,8,7\n")
    lines = [{"text": "hex 6", "expected": {"kind": "hex", "size_mm": 6}, "supplier": name} for name in ("ACME", 7)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    for name in ("rows.csv", "rows.jsonl"):
        assert [record.group for record in Dataset.load(tmp_path / name, Bolt, group="supplier")] == ["ACME", "7"]
    (tmp_path / "fields.csv").write_text("text,kind,size_mm\nhex 6,hex,6\n")
    assert [(one.group, one.written) for one in Dataset.load(tmp_path / "fields.csv", Bolt, group="kind")] == [
        ("hex", {"kind": "hex", "size_mm": 6})
    ]
    with pytest.raises(DataError, match="'batch', the group of the record, is missing"):
        Dataset.load(tmp_path / "rows.jsonl", Bolt, group="batch")
