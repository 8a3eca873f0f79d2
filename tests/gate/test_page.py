"""The HTML report of the gate in a browser, wide and narrow, light and dark."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from structout import Findings, Thresholds
from structout.gate.gate import Gate, Mending
from structout.gate.page import as_html
from structout.schema import Schema
from structout.tables.documents import Document
from tests.bolt import Bolt
from tests.browser import SCHEMES, WIDTHS, accessibility, opened, started

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ["", *("answers"[:length] + ".csv" for length in range(1, 8)), "data/of/a/deep/folder/answers.jsonl", "a" * 80]
LINES = (1234567, 98765)
# The lines of text over which each number of LINES in the page is spread.
SPREAD = """(numbers) => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode())
    for (const number of numbers)
      for (const match of walk.currentNode.data.matchAll(number)) {
        const range = document.createRange();
        range.setStart(walk.currentNode, match.index);
        range.setEnd(walk.currentNode, match.index + number.length);
        found.push(new Set([...range.getClientRects()].map((box) => box.top)).size);
      }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with started() as found:
        yield found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_line_number_is_broken(browser: "Browser", tmp_path: Path, scheme: str, width: int) -> None:
    file = tmp_path / "gate.html"
    for name in NAMES:
        findings = Findings("", "Bolt", Thresholds())
        gate = Gate(Schema.of(Bolt), Mending("lossless"))
        for text in ("{'kind': 'hex', 'size_mm': 6}", json.dumps({"kind": "x" * 300, "size_mm": 6})):
            for line in LINES:
                findings.add(gate.judge(Document(line, text.encode()))._replace(source=name))
        file.write_text(as_html(findings))
        with opened(browser, file, scheme, width) as page:
            spread = page.evaluate(SPREAD, list(map(str, LINES)))
            assert (set(spread), len(spread)) == ({1}, 5), name
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    with opened(browser, file, scheme, width) as page:
        assert accessibility(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_column_is_in_sight(browser: "Browser", tmp_path: Path, width: int) -> None:
    file = tmp_path / "gate.html"
    findings = Findings("a.jsonl and 1 other input", "Bolt", Thresholds(min_valid=0.5))
    gate = Gate(Schema.of(Bolt), Mending("lossless"))
    for source, text in (("a.jsonl", "{'kind': 'hex', 'size_mm': 6}"), ("b.jsonl", '{"kind": "hex"}')) * 2:
        findings.add(gate.judge(Document(1, text.encode()))._replace(source=source))
    file.write_text(as_html(findings))
    hidden = "() => [...document.querySelectorAll('td')].filter((td) => td.getBoundingClientRect().right > innerWidth)"
    for scheme in SCHEMES:
        with opened(browser, file, scheme, width) as page:
            assert page.evaluate(f"({hidden})().length") == 0
            assert accessibility(page) == []


def test_documents_with_the_same_edits_are_in_one_row() -> None:
    findings = Findings("a.jsonl", "Bolt", Thresholds())
    gate = Gate(Schema.of(Bolt), Mending("lossless"))
    good = '{"kind": "hex", "size_mm": 6}'
    plain = [f"{'Sure! ' * count}\n```json\n{good}\n```" for count in range(1, 33)]
    for line, text in enumerate([*plain, '{"kind": "HEX", "size_mm": 6}'], 1):
        findings.add(gate.judge(Document(line, text.encode())))
    shown = as_html(findings).partition("Repaired documents")[2]
    assert findings.repaired == 33
    assert shown.count("<tr>") == 1 + 2  # the head, the document of its own, and the others
    assert shown.index("line 33") < shown.index("32 documents:") < shown.index("and 12 more")
    assert "fence: a code fence was removed" in shown
