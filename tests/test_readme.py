"""What the README shows is run."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from structout import load_strategy, spec
from structout.source import import_object
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ structout ")
]


@pytest.mark.parametrize("code", PYTHON)
def test_python_examples_run(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def test_commands_exist_with_the_options_shown() -> None:
    assert COMMANDS
    for line in COMMANDS:
        _, *words = shlex.split(line.split(" | ")[0].split(" < ")[0].split(" > ")[0])
        command = words[:2] if words[0] == "model" else words[:1]
        shown = subprocess.run(
            [sys.executable, "-m", "structout", *command, "--help"],
            capture_output=True, text=True, check=True, env={"COLUMNS": "200", "PATH": ""},
        ).stdout  # fmt: skip
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in shown, f"{line}: no option {word}"


def test_the_table_is_a_committed_benchmark() -> None:
    table = (ROOT / "benchmarks/results/demo.md").read_text(encoding="utf-8").strip()
    assert table in README


def test_the_verifier_shown_passes_its_own_test_and_stands_in_expressions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = (code for code in PYTHON if code.startswith("# checks.py\n"))
    Path("checks.py").write_text(code)
    import_object("checks.py:test_has_digits")()
    (written,) = set(re.findall(r'--strategy "(.*checks\.py:.*)"', README))
    assert spec(load_strategy(written)) == written
