"""The pages that structout writes: safe for any text, and legible in a browser, in light and dark, wide and narrow."""

import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from structout import (
    Completion,
    DataError,
    OutputError,
    Prompted,
    Repair,
    Result,
    Schema,
    Scripted,
    evaluate,
    extract,
    pages,
    repair,
    validate,
)
from structout.completion import Prompt, Usage
from structout.evaluation.reporting import index
from structout.evaluation.reporting import page as report_page
from structout.gate.findings import Thresholds
from structout.gate.page import as_html
from structout.schema.provider_audit import judge
from tests.bolt import Bolt
from tests.browser import SCHEMES, WIDTHS, accessibility, opened, started
from tests.conftest import Shell, needs
from tests.evaluation.test_metrics import ANSWERS, RIGHT, bolts

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVIL = "</title><script>document.title='broken out'</script><img src=x onerror=\"document.title='broken out'\">"
WAYS = ("Prompted()", "Repair(Prompted())", "Reask(Repair(Prompted()))", "Reask(Repair(Prompted()), limit=3)")


class Words(HTMLParser):
    """The elements and the words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


@given(st.text(st.characters(), max_size=40))
def test_a_text_adds_no_element_to_a_page(text: str) -> None:
    body = pages.table([text], [[text, pages.tag(text, text), pages.link(text, text)]], text)
    page = Words(pages.page(text, body, told=text))
    plain = pages.table(["a"], [["a", pages.tag("a", "a"), pages.link("a", "a")]], "a")
    assert page.tags == Words(pages.page("a", plain, told="a")).tags


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a report of bench, its log of two runs, a report of the gate and an index."""

    def answer(prompt: Prompt) -> Completion:
        asked = prompt.messages[-1].content
        return Completion(next((text for key, text in ANSWERS.items() if key in asked), RIGHT), Usage(1, 100, 20, 0.7))

    place = tmp_path_factory.mktemp("reports")
    data = bolts(*ANSWERS, "a text that is long enough to need more than one line on a phone, 6 mm", EVIL)
    for _ in range(2):
        report = evaluate(
            list(WAYS), Scripted(answer), data, sweep={"temperature": [0.0, 1.0]}, log=place / "bench.jsonl",
            perturbations=["whitespace"],
        )  # fmt: skip
    report_page.write(report, place / "bench.html")
    documents = ['{"kind": "hex", "size_mm": 6}'] * 8 + [json.dumps({"kind": EVIL}), "no"]
    limits = Thresholds(min_valid=0.9, warn_field={"kind": 0.99})
    (place / "gate.html").write_text(as_html(validate(documents, Bolt, thresholds=limits)))
    index.write(place, place / "index.html")
    return place


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with started() as found:
        yield found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["bench", "gate", "index"])
def test_a_page_is_legible_and_does_not_widen_the_window(
    browser: "Browser", folder: Path, name: str, scheme: str, width: int
) -> None:
    with opened(browser, folder / f"{name}.html", scheme, width) as page:
        assert accessibility(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert "broken out" not in page.title()
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (scheme == "dark")


def test_the_numbers_in_a_figure_do_not_hide_one_another(browser: "Browser", folder: Path) -> None:
    with opened(browser, folder / "bench.html") as page:
        for figure in page.locator("#plots figure").all():
            dots = figure.evaluate(
                "(one) => [...one.querySelectorAll('.dot')].map((dot) => [dot.cx.baseVal.value, dot.cy.baseVal.value])"
            )
            assert len(dots) == 2 * len(WAYS)
            apart = [abs(complex(*one) - complex(*other)) for i, one in enumerate(dots) for other in dots[:i]]
            assert min(apart) >= 16


def test_a_table_that_is_too_wide_for_a_phone_says_so(browser: "Browser", folder: Path) -> None:
    with opened(browser, folder / "bench.html", width=390) as page:
        assert "scrolls" in page.locator("#headline .more").inner_text()
        assert page.locator("#headline-table").get_attribute("tabindex") == "0"
    with opened(browser, folder / "gate.html", width=390) as page:
        assert page.locator(".more").count() == 0


def test_the_index_lists_reports_and_trends(folder: Path, shell: Shell, tmp_path: Path) -> None:
    done = shell("view", folder)
    assert (done.returncode, "lists 2 reports and 1 log" in done.stderr) == (0, True), done.stderr
    text = (folder / "index.html").read_text()
    assert {"bench.html", "gate.html"} <= set(re.findall(r'href="([^"]+)"', text))
    words = Words(text).words
    assert "The gate fails: the share of valid documents is 80 % (8 of 10), expected at least 90 %" in words
    assert text.count("<svg") == 3 * 2 * len(WAYS)
    (tmp_path / "index.html").write_text("<title>mine</title>")
    with pytest.raises(OutputError, match="not written by structout"):
        index.write(folder, tmp_path / "index.html")
    with pytest.raises(DataError, match="holds no report and no log"):
        index.write(tmp_path, tmp_path / "other.html")


def test_a_notebook_shows_the_record_with_its_values_marked() -> None:
    schema = {"type": "object", "properties": {"kind": {"type": "string"}, "size_mm": {"type": "number"}}}
    text = f"hex bolt, 6 mm {EVIL}"
    result = extract(text, schema, model=Scripted("{'kind': 'hex', 'size_mm': 6}"), strategy=Repair(Prompted()))
    shown = result._repr_html_()
    assert '<mark title="/kind">hex</mark> bolt, <mark title="/size_mm">6</mark> mm' in shown
    assert "lossless" in shown
    assert not {"script", "img"} & {*Words(shown).tags}
    assert repr(result) == "Result(repaired, {'kind': 'hex', 'size_mm': 6}, 1 call)"
    refused = extract(text, schema, model=Scripted("[1]"))
    assert "invalid" in refused._repr_html_()
    assert repr(refused).startswith("Result(invalid, (document)")
    assert "<mark" not in Result("invalid")._repr_html_()


def test_a_notebook_hides_the_secrets_of_a_result() -> None:
    class Login(BaseModel):
        name: str
        word: SecretStr

    result = extract("a record", Login, model=Scripted('{"name": "ann", "word": "hunter2"}'))
    assert "ann" in result._repr_html_()
    assert "hunter2" not in result._repr_html_() + repr(result)


def test_a_notebook_shows_a_repair_with_its_edits() -> None:
    repaired = repair("{'kind': 'hex', 'size_mm': '6'}", Bolt)
    words = Words(repaired._repr_html_()).words
    for text in ("repaired", "/size_mm", "6.0", "quotes, lossless"):
        assert text in words
    refused = Words(repair(f"{EVIL} {{'kind': 'hex'}}", Bolt)._repr_html_())
    assert "invalid" in refused.words
    assert not {"script", "img"} & {*refused.tags}


@given(st.lists(st.tuples(st.integers(-2, 12), st.integers(-2, 12)), max_size=5))
def test_marks_change_no_text(spans: list[tuple[int, int]]) -> None:
    text = "a <b> & 'c"
    assert Words(pages.marked(text, dict.fromkeys(spans, "/x"))).words == text


def test_a_report_a_schema_and_audits_are_shown_in_a_notebook() -> None:
    report = evaluate({"asked": Prompted(), EVIL: Repair(Prompted())}, Scripted(RIGHT), bolts("hex bolt, 6 mm"))
    contract = Schema.of(Bolt)
    shown: list[Any] = [report, contract, judge(Bolt, "openai")]
    if find_spec("llguidance") is not None:
        from structout.grammar.audit import audit

        shown.append(audit(Bolt))
    for one in shown:
        assert not {"script", "img"} & {*Words(one._repr_html_()).tags}
        assert len(repr(one)) < 300
    assert "record accuracy" in report._repr_html_()
    assert "one of hex, flange" in Words(contract._repr_html_()).words


@needs("pyarrow")
def test_a_report_is_a_table_of_arrow() -> None:
    report = evaluate({"a": Prompted(), "b": Repair(Prompted())}, Scripted(RIGHT), bolts("hex", "flange"))
    table = report.to_table()
    assert table.column("strategy").to_pylist() == ["a", "b"]
    assert table.column("compliance").to_pylist() == [row.compliance.value for row in report.rows()]
    assert table.column("cost seconds").to_pylist() == [row.cost.seconds for row in report.rows()]


def test_progress_is_drawn_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    handle = SimpleNamespace(update=drawn.append)

    def show(html: str, display_id: bool) -> SimpleNamespace:
        drawn.append(html)
        return handle

    display = SimpleNamespace(HTML=str, display=show)
    shell = SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=display))
    evaluate([Prompted()], Scripted(RIGHT), bolts("a", "b", "c"), progress=True)
    assert "0 of 3 results" in drawn[0]
    assert "3 of 3 results" in drawn[-1]
