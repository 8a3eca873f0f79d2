"""The documentation: its examples run, its commands exist, its pages are complete, and the site builds."""

import json
import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest

from tests.conftest import ROOT, Shell, needs
from tools import notebook
from tools.reference import pages
from tools.site import SITE, navigation

DOCS = ROOT / "docs"
PAGES = [file for file in sorted(DOCS.rglob("*.md")) if file.name != "recipes.md"]  # test_recipes.py runs its blocks
IDS = [str(page.relative_to(DOCS)) for page in PAGES]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@needs("torch")
@pytest.mark.parametrize("page", [one for one in PAGES if blocks(one, "python")], ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "schemas").symlink_to(ROOT / "schemas")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "docs"}
    for code in blocks(page, "python"):
        if first := re.match(r"# (\w+\.py)\n", code):
            Path(first[1]).write_text(code, encoding="utf-8")
        exec(compile(code, page.name, "exec"), names)


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=["README.md", *IDS])
def test_commands_exist_with_the_options_shown(page: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    for line in (one.removeprefix("$ ") for one in lines if one.startswith("$ structout ")):
        _, *words = takewhile(lambda word: word not in ("|", "<", ">"), shlex.split(line))
        shown = shell(*(words[:2] if words[0] == "model" else words[:1]), "--help").stdout
        missing = [word for word in words if word.startswith("--") and word.split("=")[0] not in shown]
        assert missing == [], line


def test_the_generated_pages_are_current() -> None:
    old = [file.name for file, text in pages().items() if file.read_text(encoding="utf-8") != text]
    assert old == [], "run `python -m tools.reference`"


def test_the_notebook_was_run_and_its_page_shows_it() -> None:
    assert notebook.PAGE.read_text(encoding="utf-8") == notebook.page(), "run `python -m tools.notebook`"
    cells = [cell for cell in json.loads(notebook.NOTEBOOK.read_bytes())["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    shown = [one for cell in cells for output in cell["outputs"] for one in output.get("data", {})]
    assert shown.count("text/html") == 5  # the schema, the audit, the result, the repair and the report


def test_every_page_is_in_the_navigation() -> None:
    assert sorted(page for _, page in navigation()) == sorted(str(one.relative_to(DOCS)) for one in DOCS.rglob("*.md"))


@needs("zensical", "mkdocstrings")
def test_the_site_builds_without_a_warning() -> None:
    from tools.site import build

    build()
    assert (SITE / "tutorials" / "first_extraction" / "index.html").is_file()
    listed = re.findall(r"\]\((.*?)\)", (SITE / "llms.txt").read_text(encoding="utf-8"))
    assert listed == [page for _, page in navigation()]
    for page in listed:
        assert (SITE / page).read_text(encoding="utf-8").startswith(("# ", "<!-- "))
    assert "extract_many(texts" in (SITE / "reference" / "api.md").read_text(encoding="utf-8")
