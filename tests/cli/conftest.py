"""A script of answers, and labelled bolts for a model that gets them right or not."""

import json
from pathlib import Path

import pytest

from tests.bolt import BOLT
from tests.conftest import ROOT

GOOD = '{"kind": "hex", "size_mm": 6}'


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def script(tmp_path: Path) -> str:
    answers = {"M6": GOOD, "M8": '{"kind": "hex", "size_mm": 8}', "bad": "no"}
    (tmp_path / "script.json").write_text(json.dumps(answers))
    return f"scripted:{tmp_path / 'script.json'}"


@pytest.fixture
def bolts(tmp_path: Path) -> tuple[Path, str, list[str]]:
    """240 labelled bolts, every third a large one, and the options for a model that gets all or most of them right."""
    sizes = [("bolt", 6) if i % 3 else ("large bolt", 8) for i in range(240)]
    rows = [
        {"text": f"{name} {i}.", "expected": {"kind": "hex", "size_mm": size}} for i, (name, size) in enumerate(sizes)
    ]
    (tmp_path / "bolts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    good = {"large": '{"kind": "hex", "size_mm": 8}', "bolt": GOOD}
    (tmp_path / "good.json").write_text(json.dumps(good))
    (tmp_path / "worse.json").write_text(json.dumps({"3.": "no", "5.": "no", **good}))
    model = f"scripted:{tmp_path / 'model.json'}"
    return tmp_path / "bolts.jsonl", model, ["--schema", BOLT, "--log", str(tmp_path / "log.jsonl")]
