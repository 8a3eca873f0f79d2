"""The generator of part descriptions: records that comply, texts that say them, and no word from dev or test."""

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from structout import Schema
from tests.conftest import ROOT

PARTS = ROOT / "schemas" / "parts"


@cache
def generated(count: int, seed: int, folder: Path = PARTS) -> list[dict[str, Any]]:
    command = [sys.executable, str(folder / "generate.py"), str(count), "--seed", str(seed)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    return [json.loads(line) for line in lines.splitlines()]


def as_meant(text: str) -> str:
    """The text without case and without the noise of a scan: O for 0, l or I for 1."""
    return text.casefold().translate(str.maketrans("01l", "oii"))


def test_every_record_complies_and_stands_in_its_text() -> None:
    schema = Schema.of(PARTS)
    rows = generated(1500, 3)
    assert len({row["id"] for row in rows}) == 1500
    for row in rows:
        text, record = row["text"], row["expected"]
        assert schema.check(record).ok, row
        assert text.isprintable() or "\t" in text, row
        place = 0
        for number in record.get("part_numbers", ()):
            place = text.index(number, place)  # to the letter, in order
        said = as_meant(text)
        if not re.search("genuine|oem|orig", said):  # a vehicle's maker has several spellings
            assert as_meant(record.get("brand", "")) in said, row
        figures = f"{text} {text.translate(str.maketrans('OoIl', '0011'))}"
        for vehicle in record.get("fitment", ()):
            assert as_meant(vehicle.get("model", "")) in said, row
            for year in (vehicle[end] for end in ("year_from", "year_to") if end in vehicle):
                assert re.search(rf"(?<!\d)({year}|{year % 100:02})(?!\d)", figures), row
        if "quantity" in record:
            worded = "pair|twin|pr\\.|paar|coppia|singiy|two|three|four|six|eight|ten|tweive"
            assert str(record["quantity"]) in figures or re.search(worded, said), row
        for size in record.get("dimensions", ()):
            assert f"{size['value']:g}" in figures.replace(",", ".") or "/" in text, row


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (r"\bM1[24]x1[.,]2?5\b", "dimensions"),
        (r"\b(24V|330N|5 l|141 teeth|7Jx16 ET45)\b", "dimensions"),
        (r"\b(stroke|hole) \d+ mm\b", "dimensions"),
        (r"\b(LHD|RHD|driver side|left-hand thread)\b", "position"),
        (r"\b(LH=RH|both sides|front and rear|beidseitig)\b", "position"),
        (r"\b(12 in stock|w/ 2 keys|4 needed per engine|min. order 10)\b", "quantity"),
        (r"\b(Golf V|Touran|Qashqai|Seicento)\b", "fitment"),
        (r"\b(type|style)\b|for \w+ system", "brand"),
        (r"\bEAN \d{13}\b", "part_numbers"),
    ],
)
def test_what_looks_like_a_value_may_be_none(said: str, field: str) -> None:
    found = [row for row in generated(6000, 8) if re.search(said, row["text"])]
    assert any(field not in row["expected"] for row in found)
    assert all(
        not re.fullmatch(r"\d{13}", number) for row in found for number in row["expected"].get("part_numbers", ())
    )


def test_names_are_written_in_many_ways_and_labelled_in_one() -> None:
    rows = generated(6000, 8)
    otherwise = [row for row in rows if row["expected"]["name"] not in row["text"].casefold()]
    assert len(rows) // 10 < len(otherwise) < len(rows) // 2, "abbreviated, misspelt or scanned"
    radiators = " ".join(row["text"].casefold() for row in rows if row["expected"]["name"] == "radiator")
    assert re.search("kühler|radiateur|radiador", radiators)


def test_all_fields_come_up() -> None:
    rows = generated(200, 4)
    fields = {field for row in rows for field in row["expected"]}
    contract = Schema.of(PARTS).json_schema
    assert isinstance(contract, dict)
    assert fields == {*contract["properties"]}
    assert all(any(field not in row["expected"] for row in rows) for field in fields - {"name", "category"})


def test_the_seed_tells_all() -> None:
    assert generated(40, 5) == generated.__wrapped__(40, 5) != generated(40, 6)


def test_dev_and_test_records_have_no_part_in_it(tmp_path: Path) -> None:
    for name in ("generate.py", "vocabulary.toml"):
        shutil.copy(PARTS / name, tmp_path / name)
    lines = (PARTS / "records.jsonl").read_text(encoding="utf-8").splitlines()
    hidden = [line if place % 4 in (0, 2) else '{"text": "", "expected": {}}' for place, line in enumerate(lines)]
    (tmp_path / "records.jsonl").write_text("\n".join(hidden), encoding="utf-8")
    assert generated(300, 7, tmp_path) == generated(300, 7)
