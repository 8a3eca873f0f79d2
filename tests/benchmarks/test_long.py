"""The long documents of the benchmark have the truth that they say."""

from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.long import report
from benchmarks.long.__main__ import measured
from benchmarks.long.documents import KINDS, SCHEMA, Kind, document, read
from structout import Schema


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_is_always_the_same_and_says_its_truth(kind: Kind) -> None:
    made = document(kind, 500, 1)
    assert made == document(kind, 500, 1)
    assert made.text != document(kind, 500, 2).text
    assert Schema.of(SCHEMA).check(made.truth).ok
    assert read(made.text) == made.truth
    lines = made.truth["lines"]
    assert len(lines) == 500
    assert sum(one == other for one, other in pairwise(lines)) > 5
    assert made.truth["total"] == pytest.approx(sum(line["amount"] for line in lines))


def test_paged_documents_have_page_breaks_wrapped_lines_and_subtotals() -> None:
    text = document("order", 500, 1).text
    assert text.count("\f") == 12
    assert text.count("Description") == 13
    assert "Subtotal" in text
    assert "\n            " in text


def test_a_reader_without_titles_finds_no_rows() -> None:
    text = document("order", 5).text
    assert read(text[text.index("-" * 76) :])["lines"] == []


def test_no_row_is_lost_or_doubled() -> None:
    for _, one in measured(KINDS, 100, 150, 40, 1):
        assert (one["found"], one["extra"], one["exact"]) == (100, 0, True)
        assert one["windows"] > 5
    assert "0 missing, 0 doubled or wrong" in report.RESULTS.read_text(encoding="utf-8")


def test_a_section_takes_the_place_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "long.md")
    report.write("model", "## Model\n\nold")
    report.write("windows", "## Windows\n\nall")
    report.write("model", "## Model\n\nnew")
    written = report.RESULTS.read_text(encoding="utf-8")
    assert "old" not in written
    assert written.index("all") < written.index("new")


def test_a_document_says_how_many_lines_it_has() -> None:
    assert "Number of lines: 27\n" in document("csv", 27).text
