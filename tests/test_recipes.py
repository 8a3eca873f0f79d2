"""What docs/recipes.md shows is run, with a scripted model.

Dagster and Airflow are stood in for by bare decorators: that their tasks do what they say is tested, not the
orchestrators.
"""

import json
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

TEXT = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
GOOD = {"name": "brake pad set", "category": "brakes"}


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Runs the block that holds a word, in a folder with its input."""
    (tmp_path / "script.json").write_text(json.dumps({"PAD": json.dumps(GOOD), "?": "no"}))
    (tmp_path / "parts.csv").write_text("text\nBRK PAD SET\n?\n")
    (tmp_path / "schemas").symlink_to(ROOT / "schemas")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(word: str) -> dict[str, Any]:
        (code,) = (block for block in PYTHON if word in block)
        names: dict[str, Any] = {"__name__": "recipe"}
        exec(compile(code.replace('"embedded"', '"scripted:script.json"'), "recipes.md", "exec"), names)
        return names

    return run


def test_polars(recipe: Callable[[str], dict[str, Any]]) -> None:
    column = recipe("polars")["frame"]["part"].to_list()
    assert (column[0]["name"], column[1]) == ("brake pad set", None)


def test_pandas(recipe: Callable[[str], dict[str, Any]]) -> None:
    column = list(recipe("pandas")["frame"]["part"])
    assert (column[0], column[1]) == (GOOD, None)


def test_fastapi(recipe: Callable[[str], dict[str, Any]]) -> None:
    from fastapi.testclient import TestClient

    with TestClient(recipe("FastAPI")["app"]) as client:
        good, bad = client.post("/parts", json={"text": "BRK PAD"}), client.post("/parts", json={"text": "?"})
    assert (good.status_code, good.json()["category"]) == (200, "brakes")
    assert (bad.status_code, len(bad.json()["detail"])) == (422, 1)


def command_on_path(words: list[str]) -> list[str]:
    """The command of this checkout, whatever is installed."""
    return [sys.executable, "-m", *words]


def test_dagster(recipe: Callable[[str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    dagster = types.ModuleType("dagster")
    dagster.asset = lambda function: function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dagster", dagster)
    ran = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda words: ran(command_on_path(words), check=False))
    recipe("dagster")["parts"]()
    assert Path("parts.parquet").exists()
    assert json.loads(Path("parts.parquet.quarantine.jsonl").read_text())["input"] == {"text": "?"}


def test_airflow(recipe: Callable[[str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    airflow, decorators = types.ModuleType("airflow"), types.ModuleType("airflow.decorators")
    decorators.task = types.SimpleNamespace(bash=lambda **options: lambda function: function)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "airflow", airflow)
    monkeypatch.setitem(sys.modules, "airflow.decorators", decorators)
    line = recipe("airflow")["parts"]().replace("--model embedded", "--model scripted:script.json")
    line = line.replace("structout run", " ".join(map(shlex.quote, command_on_path(["structout", "run"]))))
    assert subprocess.run(line, shell=True, check=False).returncode == 0
    assert Path("parts.parquet").exists()


def test_the_gate_in_ci(recipe: Callable[[str], dict[str, Any]]) -> None:
    (line,) = re.findall(r"```console\n\$ (structout validate .*)\n```", TEXT)
    Path("parts.jsonl").write_text(json.dumps(GOOD) + '\n{"name": "x", "category": "none"}\n')
    done = subprocess.run(command_on_path(shlex.split(line)), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "::error file=parts.jsonl,line=2::/category" in done.stdout
    assert Path("gate.xml").exists()
    assert json.loads(Path("rejects.jsonl").read_text())["line"] == 2
