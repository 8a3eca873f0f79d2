"""The notebook in the documentation: `python -m tools.notebook` runs docs/notebook.ipynb and writes its page.

The notebook keeps what its cells printed, so that it can be read without running it; docs/notebook.md is the same as a
page of the site.
"""

import json
import re
import tempfile
from typing import Any

from tools.reference import ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
PAGE = NOTEBOOK.with_suffix(".md")
_HEAD = "<!-- Made by `python -m tools.notebook` from notebook.ipynb. -->\n"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def execute() -> None:
    """Run every cell in a new kernel and a folder of its own, and keep what the cells printed."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    notebook.metadata = {"language_info": {"name": "python"}}
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def page() -> str:
    """The notebook as Markdown: code cells as code, tables and records as the notebook shows them."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return _HEAD + "\n\n".join(part for cell in cells for part in _parts(cell)) + "\n"


def _parts(cell: dict[str, Any]) -> list[str]:
    source = _text(cell["source"])
    if cell["cell_type"] == "markdown":
        return [source]
    return [f"```python\n{source}\n```", *(_shown(output) for output in cell["outputs"])]


def _shown(output: dict[str, Any]) -> str:
    """What a cell printed: HTML where the notebook shows HTML, else text."""
    data = output.get("data", {})
    if "text/html" in data:
        return re.sub(r"\n\s*\n", "\n", _text(data["text/html"]).strip())  # an empty line would end the HTML
    text = _text(output.get("text", data.get("text/plain", "")))
    return f"```text\n{_ANSI.sub('', text).rstrip()}\n```"


def _text(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


if __name__ == "__main__":
    execute()
    PAGE.write_text(page(), encoding="utf-8")
