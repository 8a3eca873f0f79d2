"""Thresholds for single fields: doubtful values become null, and each field keeps its bound."""

import json
from math import log
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from structout import Completion, DataError, Dataset, Prompt, Prompted, Schema, Scripted, Usage, load_strategy
from structout.evaluation import certify_fields
from structout.evaluation.dataset import Record
from structout.evaluation.stats.thresholds import Sure, threshold
from tests.conftest import Shell

EXPERIMENTS = 1000


class Item(BaseModel):
    price: float | None = None
    vendor: str | None = None
    lines: list[str] = []


def unsure(prompt: Prompt) -> Completion:
    """Is sure of a price that is right, and half sure of one that is wrong; the vendor is always right."""
    number = int(prompt.messages[-1].content.rpartition("item ")[2].split()[0])
    is_wrong = Random(number).random() < 0.3
    pieces = ['{"price": ', f"{number + is_wrong}", ', "vendor": "', "ACME", '"}']
    ends = tuple(len("".join(pieces[: place + 1])) for place in range(5))
    sure = (1.0, 0.5 if is_wrong else 0.9, 1.0, 0.8, 1.0)
    flags = (False, True, False, True, False)
    return Completion("".join(pieces), Usage(1, 1, 5), logprobs=tuple(map(log, sure)), values=flags, ends=ends)


def dataset(dev: int, test: int) -> Dataset:
    splits = ["dev"] * dev + ["test"] * test
    records = tuple(
        Record(str(n), f"item {n} .", {"price": n, "vendor": "ACME", "lines": []}, {}, split)  # type: ignore[arg-type]
        for n, split in enumerate(splits)
    )
    return Dataset("items", Schema.of(Item), records)


def test_each_field_gets_the_threshold_that_keeps_its_bound() -> None:
    found = certify_fields(
        "Prompted()", dataset(80, 240), {"price": 0.05, "/vendor": 0.02}, model=Scripted(unsure, name="m")
    )
    price, vendor = found.fields
    assert (price.field, price.errors) == ("/price", 0)
    assert price.threshold == pytest.approx(0.9)
    assert 0.2 < price.base_error.value < 0.4
    assert price.coverage.value == pytest.approx(1 - price.base_error.value)
    assert (vendor.field, vendor.kept, vendor.errors) == ("/vendor", 240, 0)
    assert vendor.threshold == 0.0  # all of its values may pass
    assert found.is_met
    assert min(found.confidences) == pytest.approx(0.8)


def test_the_certified_strategy_withholds_doubtful_values(tmp_path: Path) -> None:
    found = certify_fields("Prompted()", dataset(80, 240), {"price": 0.05}, model=Scripted(unsure, name="m"))
    text = found.written()
    assert "# Of the values that are not null, at most these shares are wrong: /price 5 %." in text
    file = tmp_path / "certified.strategy"
    file.write_text(text)
    strategy: Any = load_strategy(str(file))
    assert (strategy.level, strategy.verifier.fields) == ("leaf", (("/price", found.fields[0].threshold),))


def test_a_target_that_is_not_met_is_told_and_a_field_without_values_refused() -> None:
    model = Scripted(unsure, name="m")
    found = certify_fields(Prompted(), dataset(10, 20), {"vendor": 0.01}, model=model)
    assert (found.is_met, found.fields[0].threshold, found.fields[0].coverage.value) == (False, None, 0)
    silent = certify_fields(
        Prompted(), dataset(10, 20), {"vendor": 0.5}, model=Scripted('{"vendor": "ACME"}', name="m")
    )
    assert (silent.is_met, silent.fields[0].has_confidence, found.fields[0].has_confidence) == (False, False, True)
    assert (found.lacks_records, silent.lacks_records) == (True, False)
    with pytest.raises(DataError, match="no threshold met the target of /vendor"):
        found.written()
    with pytest.raises(DataError, match=r"no accepted record has a value of /lines/\*"):
        certify_fields(Prompted(), dataset(10, 20), {"/lines/*": 0.1}, model=model)


def test_all_bounds_hold_together() -> None:
    """Three fields whose values just miss the target at every threshold: any certified field is a broken promise."""
    draw = np.random.default_rng(11)
    broken = 0
    for _ in range(EXPERIMENTS):
        parts = [(draw.random(150).tolist(), (draw.random(150) < 0.105).tolist()) for _ in range(6)]
        fields = [(Sure(*parts[2 * n]), Sure(*parts[2 * n + 1])) for n in range(3)]
        broken += any(threshold(proposed, judged, 0.1, 0.05 / 3) is not None for proposed, judged in fields)
    assert broken / EXPERIMENTS <= 0.055


def test_the_command_certifies_fields(tmp_path: Path, shell: Shell) -> None:
    program = Path(__file__).read_text(encoding="utf-8")
    (tmp_path / "own.py").write_text(program + '\n\nmodel = Scripted(unsure, name="m")\n')
    rows = [
        {"text": f"item {n} .", "expected": {"price": n, "vendor": "ACME"}, "split": "dev" if n < 80 else "test"}
        for n in range(320)
    ]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [
        "certify", str(tmp_path / "items.jsonl"), "--schema", f"{tmp_path / 'own.py'}:Item", "--strategy", "Prompted()",
        "--model", f"py:{tmp_path / 'own.py'}:model", "--log", str(tmp_path / "log.jsonl"),
        "--output", str(tmp_path / "sure.strategy"),
    ]  # fmt: skip
    done = shell(*words, "--field", "price=0.05", "--field", "vendor=0.02")
    assert done.returncode == 0, done.stderr
    assert "and the others become null" in done.stdout
    assert "all targets hold together with 95 % confidence" in done.stdout
    used = shell(
        "run", str(tmp_path / "items.jsonl"), "--schema", words[3], "--model", words[7],
        "--strategy", str(tmp_path / "sure.strategy"), "--watch", str(tmp_path / "sure.confidences.json"),
        "--output", str(tmp_path / "out.jsonl"), "--allow-code",
    )  # fmt: skip
    assert used.returncode == 0, used.stderr
    assert "no longer look like" not in used.stderr
    made = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    withheld = [row for row in made if row["price"] is None]
    assert 60 < len(withheld) < 140
    assert all([edit["kind"] for edit in row["_edits"]] == ["withheld"] for row in withheld)
    assert all(row["price"] == n for n, row in enumerate(made) if row["price"] is not None)
    assert shell(*words, "--field", "price=2").returncode == 2
    assert shell(*words, "--field", "price=0.0001").returncode == 1
