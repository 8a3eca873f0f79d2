"""The page of issue and edit kinds says what the code says."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from structout.issue import IssueKind
from structout.parsing.edits import EditKind
from tests.conftest import ROOT

_LINE = re.compile(r'^    "([a-z_ ]+)",  # (.+)$', re.MULTILINE)


def rows(file: str) -> dict[str, str]:
    """The kinds in a source file, each with the comment behind it."""
    return dict(_LINE.findall(Path(ROOT, "structout", file).read_text(encoding="utf-8")))


@pytest.mark.parametrize(("kinds", "file"), [(IssueKind, "issue.py"), (EditKind, "parsing/edits.py")])
def test_the_page_explains_every_kind(kinds: Any, file: str) -> None:
    page = Path(ROOT, "docs", "kinds.md").read_text(encoding="utf-8")
    explained = rows(file)
    for kind in get_args(kinds):
        assert f"| `{kind}` | {explained[kind]} |" in page
