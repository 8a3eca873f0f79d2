"""The documentation as a site: `python -m tools.site` builds it in .structout/site, with a Markdown twin of each page.

`llms.txt` lists the twins, for language models.
"""

import importlib
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.reference import ROOT
from tools.reference import main as write_reference

SITE = ROOT / ".structout" / "site"
_DIRECTIVE = re.compile(r"^::: (\S+)\n(?: .*\n)*", re.MULTILINE)


def build() -> None:
    """Write the reference, build the site, and stop at the first warning."""
    write_reference()
    tool = Path(sys.executable).with_name("zensical")
    subprocess.run([tool, "build", "--clean", "--strict"], cwd=ROOT, check=True, env={**os.environ, "NO_COLOR": "1"})
    listed = []
    for title, page in navigation():
        twin = SITE / page
        twin.parent.mkdir(parents=True, exist_ok=True)
        twin.write_text(plain((ROOT / "docs" / page).read_text(encoding="utf-8")), encoding="utf-8")
        listed.append(f"- [{title}]({page})")
    about = "# structout\n\n> Language-model output that programs can rely on.\n\n## Pages\n\n"
    (SITE / "llms.txt").write_text(about + "\n".join(listed) + "\n", encoding="utf-8")


def navigation() -> list[tuple[str, str]]:
    """The titles and the files of all pages, in order."""
    project = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    return list(_flat(project["nav"]))


def _flat(entries: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        for title, inner in entry.items():
            if isinstance(inner, str):
                yield title, inner
            else:
                yield from _flat(inner)


def plain(text: str) -> str:
    """A page in Markdown alone: with the signature and the docstring of each public name that the site shows."""
    return _DIRECTIVE.sub(lambda found: _shown(found[1]), text)


def _shown(place: str) -> str:
    module, _, name = place.rpartition(".")
    value = getattr(importlib.import_module(module), name)
    try:
        signature = f"```python\n{name}{inspect.signature(value)}\n```\n\n"
    except (TypeError, ValueError):  # a class whose signature cannot be known
        signature = ""
    return f"### {name}\n\n{signature}{inspect.getdoc(value) or ''}\n"


if __name__ == "__main__":
    build()
