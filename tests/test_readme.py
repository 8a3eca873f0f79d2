"""The README's examples run, and pages name modules and floors that exist."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from structout import load_strategy, spec
from structout.source import import_object
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


def test_the_verifier_shown_passes_its_own_test_and_stands_in_expressions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = (code for code in PYTHON if code.startswith("# checks.py\n"))
    Path("checks.py").write_text(code)
    import_object("checks.py:test_has_digits")()
    (written,) = set(re.findall(r'--strategy "(.*checks\.py:.*)"', README))
    assert spec(load_strategy(written)) == written


DESIGN = (ROOT / "docs/design.md").read_text(encoding="utf-8")
FOLDERS = [ROOT, ROOT / "structout"]  # from which pages name files
PAGES = [file for place in ("*.md", "docs/*.md", "schemas/**/README.md") for file in sorted(ROOT.glob(place))]


def block(heading: str) -> list[str]:
    """The first indented block of docs/design.md after a heading."""
    _, _, text = DESIGN.partition(f"## {heading}\n")
    found = re.search(r"(?:^    .*\n)+", text, re.MULTILINE)
    return found[0].splitlines() if found else []


def test_the_floors_shown_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [layer.replace("structout.", "") for layer in contracts[0]["layers"]]
    assert [re.split(r" {2,}", line.strip())[0] for line in block("The floors")] == layers
    (chain,) = re.findall(r"^    (cli > (?:.*\n)+?)\n", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert " ".join(chain.split()).split(" > ") == layers


def test_the_rooms_shown_exist() -> None:
    folders = {2: ROOT}
    for line in block("The rooms"):
        name, _, text = line.strip().partition(" ")
        depth = len(line) - len(line.lstrip())
        place = folders[max(one for one in folders if one < depth)] / name
        assert place.is_dir() if name.endswith("/") else place.is_file(), line
        if name.endswith("/"):
            folders = {one: folder for one, folder in folders.items() if one < depth} | {depth: place}
            held = [] if place.parent == ROOT else re.findall(r"\b\w+\.py\b", text)
            assert [one for one in held if not (place / one).is_file()] == [], line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_links_on_a_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`([\w.-]+/[\w./-]*)`", text)
    places = [place for place in named if place not in ("findings/", "schemas/NAME")]
    missing = [place for place in places if not any((folder / place).exists() for folder in [*FOLDERS, page.parent])]
    links = re.findall(r"\]\(([^)#:]+)[^):]*\)", text)
    assert missing + [place for place in links if not (page.parent / place).exists()] == []
