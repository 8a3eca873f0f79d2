"""The page on certificates says how many labels they take, as the exact bound has it."""

import re

from structout.cli.candidates import DEFAULTS
from structout.evaluation.stats.rates import CONFIDENCE, records_needed
from tests.conftest import ROOT

ROW = re.compile(r"^\| `(--max-error|--record-accuracy) ([\d.]+)` \|(.*)\|$", re.MULTILINE)
HEAD = re.compile(r"^\| `(certify|recommend --folds 5)` \|(.*)\|$", re.MULTILINE)
CANDIDATES = 9  # that `recommend` tests at once


def percents(cells: str) -> list[float]:
    return [float(re.sub(r"[^\d.]", "", cell)) / 100 for cell in cells.split("|")]


def test_the_tables_of_labels_are_those_of_the_exact_bound() -> None:
    page = (ROOT / "docs" / "certify.md").read_text()
    wrong, right = (percents(cells) for _, cells in HEAD.findall(page))
    rows = ROW.findall(page)
    assert [(option, share) for option, share, _ in rows] == [
        ("--max-error", "0.05"), ("--max-error", "0.1"), ("--record-accuracy", "0.95"), ("--record-accuracy", "0.9"),
    ]  # fmt: skip
    for option, share, cells in rows:
        written = [None if cell.strip() == "none" else int(cell.replace(",", "")) for cell in cells.split("|")]
        if option == "--max-error":
            expected = [records_needed(1 - float(share), 1 - one) for one in wrong]
        else:
            level = 1 - (1 - CONFIDENCE) / CANDIDATES
            expected = [records_needed(float(share), one, level) for one in right]
        assert written == expected


def test_the_candidates_are_as_many_as_the_page_says() -> None:
    assert len(DEFAULTS) == CANDIDATES
