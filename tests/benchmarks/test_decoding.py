"""What the report of the decoding benchmark makes of raw results."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.decoding import report


def line(system: str, texts: list[str]) -> dict[str, Any]:
    """A cell of two records."""
    cell: dict[str, Any] = {"workload": "flat", "system": system, "batch": 8, "round": 0, "records": 2, "texts": texts}
    cell |= {"cpu": 1.0, "lengths": [4, 4], "max_tokens": 8, "passes": 2, "valid": 2, "prompt_tokens": 20}
    if system.startswith("structout"):
        cell |= {"tokens": texts, "forced": 0, "drafted": 0, "accepted": 0, "reused": 0}
        cell |= {"seconds": 0.0, "model_seconds": 0.0, "mask_seconds": 0.0}
    return cell


def written(lines: list[dict[str, Any]], folder: Path) -> str:
    report.write(lines, folder)
    return (folder / "decoding.md").read_text(encoding="utf-8")


def test_every_system_is_compared_with_the_plain_loop(tmp_path: Path) -> None:
    lines = [line("structout:loop", ["a", "b"]), line("structout", ["a", "b"]), line("xgrammar", ["a", "c"])]
    text = written(lines, tmp_path)
    assert "| 8 | structout:loop | 2 of 2 |" in text
    assert "| 8 | structout | 2 of 2 |" in text
    assert "| 8 | xgrammar | 1 of 2 |" in text


def test_the_machine_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line("structout", ["a", "b"])]
    monkeypatch.setattr(report, "measure_machine", lambda: {"gflops": 12.0, "gigabytes": 3.0})
    assert "12 GFLOP/s" in written(lines, tmp_path)
    monkeypatch.setattr(report, "measure_machine", lambda: {"gflops": 1.0, "gigabytes": 1.0})  # now it is busy
    assert "12 GFLOP/s" in written(lines, tmp_path)
