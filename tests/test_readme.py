"""What the README shows is run."""

import re
import shlex

import pytest

from tests.conftest import ROOT, Shell

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


def test_commands_exist_with_the_options_shown(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert COMMANDS
    for line in COMMANDS:
        _, *words = shlex.split(line.split(" | ")[0].split(" < ")[0].split(" > ")[0])
        command = words[:2] if words[0] == "model" else words[:1]
        shown = shell(*command, "--help").stdout
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in shown, f"{line}: no option {word}"


def test_the_table_is_a_committed_benchmark() -> None:
    table = (ROOT / "benchmarks/results/demo.md").read_text(encoding="utf-8").strip()
    assert table in README
