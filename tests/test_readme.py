"""The README's examples run, and pages name modules and floors that exist."""

import re
import tomllib
from pathlib import Path

import pytest

from structout import load_strategy, spec
from structout.source import import_object
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_python_examples_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other, as a reader types them: they print what the page shows."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")  # a model is loaded there, and asked nothing
    names: dict[str, object] = {"__name__": "readme"}
    for code in PYTHON:
        exec(compile(code, "README.md", "exec"), names)
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    assert capsys.readouterr().out == shown


def test_the_table_is_a_committed_benchmark() -> None:
    table = (ROOT / "benchmarks/results/demo.md").read_text(encoding="utf-8").strip()
    assert table in README


def test_the_verifier_shown_passes_its_own_test_and_stands_in_expressions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/own_parts.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# checks.py\n.*?)```", page, re.DOTALL)
    Path("checks.py").write_text(code)
    import_object("checks.py:test_has_digits")()
    (written,) = set(re.findall(r'--strategy "(.*checks\.py:.*)"', page))
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
