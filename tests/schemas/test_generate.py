"""The generator of part descriptions: records that comply, texts that say them, and no word from dev or test."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from structout import Schema
from tests.conftest import ROOT

PARTS = ROOT / "schemas" / "parts"


def generated(count: int, seed: int, folder: Path = PARTS) -> list[dict[str, Any]]:
    command = [sys.executable, str(folder / "generate.py"), str(count), "--seed", str(seed)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    return [json.loads(line) for line in lines.splitlines()]


def test_every_record_complies_and_stands_in_its_text() -> None:
    schema = Schema.of(PARTS)
    rows = generated(600, 3)
    assert len({row["id"] for row in rows}) == 600
    for row in rows:
        text, record = row["text"], row["expected"]
        assert schema.check(record).ok, row
        places = [text.find(number) for number in record.get("part_numbers", ())]
        assert -1 not in places, row
        assert places == sorted(places), row
        said = text.casefold()
        if not {"genuine", "oem", "orig."} & {*said.split()}:  # a vehicle's maker has several spellings
            assert record.get("brand", "").casefold() in said, row
        for vehicle in record.get("fitment", ()):
            assert vehicle.get("model", "").casefold() in said, row
        if "quantity" in record:
            assert str(record["quantity"]) in text or {"pair", "twin", "pr.", "single"} & set(said.split()), row


def test_all_fields_come_up() -> None:
    rows = generated(200, 4)
    fields = {field for row in rows for field in row["expected"]}
    contract = Schema.of(PARTS).json_schema
    assert isinstance(contract, dict)
    assert fields == {*contract["properties"]}
    assert all(any(field not in row["expected"] for row in rows) for field in fields - {"name", "category"})


def test_the_seed_tells_all() -> None:
    assert generated(40, 5) == generated(40, 5) != generated(40, 6)


def test_dev_and_test_records_have_no_part_in_it(tmp_path: Path) -> None:
    for name in ("generate.py", "vocabulary.toml"):
        shutil.copy(PARTS / name, tmp_path / name)
    lines = (PARTS / "records.jsonl").read_text(encoding="utf-8").splitlines()
    hidden = [line if place % 4 in (0, 2) else '{"text": "", "expected": {}}' for place, line in enumerate(lines)]
    (tmp_path / "records.jsonl").write_text("\n".join(hidden), encoding="utf-8")
    assert generated(300, 7, tmp_path) == generated(300, 7)
