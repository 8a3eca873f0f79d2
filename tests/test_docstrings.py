"""Examples in docstrings are run."""

import doctest
import importlib
import inspect
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import structout
from structout.evaluation.metrics import Metric, share
from tests.conftest import ROOT

SHOWN = [structout.Model, structout.Strategy, structout.Verifier, Metric, structout.extract_many]
NAMES = {name: getattr(structout, name) for name in structout.__all__}


def example(thing: Any) -> str:
    """The block of code in a docstring."""
    blocks = re.findall(r"(?:^    .*\n|^\n)+", f"{inspect.getdoc(thing)}\n", re.MULTILINE)
    return textwrap.dedent("\n".join(block for block in blocks if block.strip()))


@pytest.mark.parametrize("thing", SHOWN, ids=lambda thing: str(thing.__name__))
def test_a_docstring_shows_an_example_that_runs(thing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = example(thing)
    assert 3 <= len(code.strip().splitlines()) <= 16
    own = {"data": structout.Dataset.load(ROOT / "schemas/parts"), "share": share}
    heading = "from dataclasses import dataclass, replace\nfrom structout import *\nimport structout.testing\n"
    (tmp_path / "shown_example.py").write_text(heading)  # where a class of its own can be pickled and found
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("shown_example")
    monkeypatch.setitem(sys.modules, "shown_example", module)
    vars(module).update(own)
    exec(compile(code, str(tmp_path / "shown_example.py"), "exec"), vars(module))
    sys.modules.pop("shown_example")


def sessions() -> list[str]:
    """The modules whose docstrings show a session."""
    found = []
    for file in sorted((ROOT / "structout").rglob("*.py")):
        if ">>> " in file.read_text(encoding="utf-8"):
            found.append(".".join(file.relative_to(ROOT).with_suffix("").parts))
    return found


@pytest.mark.parametrize("name", sessions())
def test_a_session_shown_in_a_docstring_goes_as_shown(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried
    assert not failed
