"""What docs/recipes.md shows is run, with a scripted model.

Dagster and Airflow are stood in for by bare decorators: that their tasks do what they say is tested, not the
orchestrators.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Callable
from contextlib import nullcontext
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


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_a_frame_and_its_failures(recipe: Callable[[str], dict[str, Any]], library: str) -> None:
    made = recipe(f"import {library}")["made"]
    assert list(made["text"]) == ["BRK PAD SET", "?"]
    assert list(made["_status"]) == ["valid", "invalid"]
    assert next(iter(made["category"])) == "brakes"
    assert Path("again.journal").exists()


def test_dates_are_copied_as_they_are_written_and_read_by_code(recipe: Callable[[str], dict[str, Any]]) -> None:
    labels = [{"received": "2026-03-02", "due": due} for due in ("next Monday", "next Friday")]
    lines = [{"text": f"2026-03-02: wanted {label['due']}.", "expected": label} for label in labels]
    Path("orders.jsonl").write_text("\n".join(json.dumps({**line, "split": "train"}) for line in lines))
    Path("script.json").write_text(json.dumps({"40 bolts": json.dumps(labels[1])}))
    made = recipe("WrittenDate")
    assert made["result"].document["due"] == "next Friday"
    assert str(made["result"].value.due) == "2026-03-06"
    assert [str(record.expected["due"]) for record in made["labelled"]] == ["2026-03-09", "2026-03-06"]
    with pytest.raises(ValueError, match="due"):
        made["Order"](received="2026-03-02", due="soon")


def test_the_nearest_labels_are_told_with_what_they_mean(recipe: Callable[[str], dict[str, Any]]) -> None:
    told = recipe("MEANINGS")["told"]
    assert told("The lock is broken; water drips from a tap", most=2).splitlines()[2:] == [
        "lock_broken: a lock does not turn, or does not hold",
        "tap_dripping: a tap loses water although it is shut",
    ]


def test_fastapi(recipe: Callable[[str], dict[str, Any]]) -> None:
    from fastapi.testclient import TestClient

    with TestClient(recipe('"/parts"')["app"]) as client:
        good, bad = client.post("/parts", json={"text": "BRK PAD"}), client.post("/parts", json={"text": "?"})
    assert (good.status_code, good.json()["category"]) == (200, "brakes")
    assert (bad.status_code, len(bad.json()["detail"])) == (422, 1)


def test_fastapi_for_answers_of_others(recipe: Callable[[str], dict[str, Any]]) -> None:
    from fastapi.testclient import TestClient

    with TestClient(recipe('"/answers"')["app"]) as client:
        good, bad = (client.post("/answers", json={"text": text}) for text in (f"Here: {json.dumps(GOOD)}", "no"))
    assert (good.status_code, good.json()["part"]["category"], len(good.json()["edits"])) == (200, "brakes", 1)
    assert (bad.status_code, bad.json()["detail"][0]["message"]) == (422, "no JSON in the text")


def test_pytest(recipe: Callable[[str], dict[str, Any]]) -> None:
    check = recipe("def test_answers")["test_answers"]
    rows = [{"raw": f"```json\n{json.dumps(GOOD)}\n```"}, {"raw": "no"}]
    Path("answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:1]))
    check()
    Path("answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(AssertionError, match="Findings\\(failed: valid=0, repaired=1, invalid=1 of 2 documents\\)"):
        check()
    Path("answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows[:1] * 19, rows[1]]))
    with pytest.warns(UserWarning, match="valid documents is 95 % \\(19 of 20\\), expected at least 99 %"):
        check()


def test_pytest_shows_the_reasons_whole(recipe: Callable[[str], dict[str, Any]]) -> None:
    assert recipe("def test_answers")
    wrong = [json.dumps({"name": f"{number}: " + "x" * 400, "category": "y" * 60}) for number in range(30)]
    Path("answers.jsonl").write_text("".join(json.dumps({"raw": one}) + "\n" for one in wrong))
    (code,) = (block for block in PYTHON if "def test_answers" in block)
    Path("test_gate.py").write_text(code)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_gate.py"]
    # Under CI, pytest repeats each reason in its summary.
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "Findings(failed: valid=0, repaired=0, invalid=30 of 30 documents)" in done.stdout
    for number in range(1, 21):
        (told,) = (line for line in done.stdout.splitlines() if f"answers.jsonl:{number}: " in line)
        assert "has 403 characters" in told or "has 404 characters" in told
        assert told.endswith('"ignition" or 6 more')


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


@pytest.fixture
def ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Puts a `structout` on the path that ends with an exit code, and leaves what a stopped run leaves."""

    def put(code: int) -> None:
        file = tmp_path / "bin" / "structout"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\ntouch parts.parquet parts.parquet.partial\nexit {code}\n")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{file.parent}{os.pathsep}{os.environ['PATH']}")

    return put


ENDS = [(code, code == 0) for code in (0, 1, 2, 3, 4, 70, 126, 127, 130, 137, 143)]


@pytest.mark.parametrize(("code", "is_success"), ENDS)
def test_dagster_takes_no_failing_run_for_success(
    recipe: Callable[[str], dict[str, Any]],
    ending: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    is_success: bool,
) -> None:
    dagster = types.ModuleType("dagster")
    dagster.asset = lambda function: function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dagster", dagster)
    ending(code)
    with nullcontext() if is_success else pytest.raises(RuntimeError, match=f"ended with {code}"):
        recipe("dagster")["parts"]()


@pytest.mark.parametrize(("code", "is_success"), ENDS)
def test_airflow_takes_no_failing_run_for_success(
    recipe: Callable[[str], dict[str, Any]],
    ending: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    is_success: bool,
) -> None:
    airflow, decorators = types.ModuleType("airflow"), types.ModuleType("airflow.decorators")
    decorators.task = types.SimpleNamespace(bash=lambda **options: lambda function: function)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "airflow", airflow)
    monkeypatch.setitem(sys.modules, "airflow.decorators", decorators)
    ending(code)
    line = recipe("airflow")["parts"]()
    assert (subprocess.run(["bash", "-c", line], check=False).returncode == 0) == is_success


@pytest.mark.parametrize("code", [1, 2, 3, 4, 70])
def test_the_gate_in_ci_stops_the_job(recipe: object, ending: Callable[[int], None], code: int) -> None:
    ending(code)
    (line,) = re.findall(r"```console\n\$ (structout validate .*)\n```", TEXT)
    assert subprocess.run(["bash", "-c", line], check=False).returncode == code


def test_a_fault_of_structout_does_not_end_like_failed_data() -> None:
    program = "import sys; from structout.cli import commands, main; commands.app = lambda: 1 / 0; main()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "ZeroDivisionError" in done.stderr) == (70, True)


def test_no_page_shows_a_test_that_takes_any_ending_for_success() -> None:
    pages = [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        blocks = re.findall(r"```\w*\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for block in blocks:
            shown = re.findall(r"\|\| *(?:true|:)|; *true\b|set \+e|check=False|ignore_errors|-le 1\b", block)
            assert shown == [], f"{page.name}: {block}"
            assert not re.search(r"structout run[^\n`]*\|(?!\|)", block), "a pipe hides the exit code"


def test_the_gate_in_ci(recipe: Callable[[str], dict[str, Any]]) -> None:
    (line,) = re.findall(r"```console\n\$ (structout validate .*)\n```", TEXT)
    Path("parts.jsonl").write_text(json.dumps(GOOD) + '\n{"name": "x", "category": "none"}\n')
    done = subprocess.run(command_on_path(shlex.split(line)), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "::error file=parts.jsonl,line=2::/category" in done.stdout
    assert Path("gate.xml").exists()
    assert json.loads(Path("rejects.jsonl").read_text())["line"] == 2
