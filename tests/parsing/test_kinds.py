"""The page of issue and edit kinds says what the code says."""

from pathlib import Path
from typing import Any, get_args

import pytest

from structout.issue import ISSUES, IssueKind
from structout.parsing.edits import EDITS, GRADES, EditKind, Grade
from tests.conftest import ROOT


@pytest.mark.parametrize(("kinds", "meanings"), [(IssueKind, ISSUES), (EditKind, EDITS), (Grade, GRADES)])
def test_the_page_explains_every_kind(kinds: Any, meanings: dict[str, str]) -> None:
    page = Path(ROOT, "docs", "kinds.md").read_text(encoding="utf-8")
    assert tuple(meanings) == get_args(kinds)
    for kind, meaning in meanings.items():
        assert f"| `{kind}` | {meaning} |" in page
