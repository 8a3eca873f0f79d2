"""What is installed, and what is told where a package is not."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from structout import MissingExtraError, finetuning
from structout.evaluation import Dataset
from structout.models.embedded import embedded_folder
from structout.pipeline.recipe import Recipe
from structout.ray import engine
from structout.strategies import Prompted
from tests.conftest import ROOT, Bolt

LOCKED = (ROOT / "requirements-core.txt").read_text()


def pins(text: str) -> dict[str, str]:
    """The versions of a requirements file, by the packages' normalized names."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_the_locked_list_has_every_core_dependency_at_the_version_that_the_tests_use() -> None:
    locked, tested = pins(LOCKED), pins((ROOT / "constraints.txt").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {re.split(r"[<>=]", one)[0] for one in project["dependencies"]} <= locked.keys()
    locked.pop("colorama", None)  # of Windows alone, where the tests do not run
    assert locked == {name: tested.get(name) for name in locked}


def test_every_package_of_the_locked_list_has_hashes_and_none_an_address() -> None:
    blocks = re.split(r"\n(?=\S)", LOCKED.partition("\n#    make locked\n")[2])
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", block) for block in blocks)
    assert not re.search(r"://|index-url|find-links|trusted-host", LOCKED)


def test_a_missing_package_is_told_before_the_embedded_model_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    monkeypatch.delenv("STRUCTOUT_MODEL", raising=False)
    monkeypatch.setenv("STRUCTOUT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(MissingExtraError, match="gguf"):
        embedded_folder()
    assert not (tmp_path / "cache").exists()


def test_fine_tuning_without_its_packages_is_refused_before_the_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for package in ("peft", "transformers"):
        monkeypatch.setitem(sys.modules, package, None)
    row = '{"text": "hex, 6 mm", "expected": {"kind": "hex", "size_mm": 6}, "split": "train"}'
    (tmp_path / "bolts.jsonl").write_text(row)
    dataset = Dataset.load(tmp_path / "bolts.jsonl", Bolt)
    with pytest.raises(MissingExtraError, match=r'pip install "structout\[finetuning\]"'):
        finetuning.finetune("embedded", dataset, tmp_path / "tuned")
    assert not (tmp_path / "tuned").exists()


def test_the_engine_of_ray_is_refused_where_ray_is_missing_before_a_journal_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"structout\[ray\]"):
        engine(Recipe("schema.json", "embedded", Prompted()))
