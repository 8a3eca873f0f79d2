"""The report in HTML: what it holds, that nothing escapes from it, and how it behaves in a browser."""

import json
import re
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from structout import Completion, MissingExtraError, Prompted, Reask, Repair, Report, Scripted, Strategy, evaluate
from structout.completion import Prompt, Usage
from structout.evaluation.reporting.figures import draw
from structout.evaluation.reporting.page import data, page, write
from structout.prices import Price
from tests.browser import opened, started
from tests.evaluation.test_metrics import ANSWERS, RIGHT, bolts

EVIL = "</script><script>document.title='broken out'</script><img src=x onerror=\"document.title='broken out'\">"
TEXTS = [*ANSWERS, f"evil {EVIL}", "hex bolt, 6 mm \ud800"]


@pytest.fixture(scope="module")
def report() -> Report:
    def answer(prompt: Prompt) -> Completion:
        asked = prompt.messages[-1].content
        found = next((text for key, text in ANSWERS.items() if key in asked), RIGHT)
        return Completion(EVIL if "evil" in asked else found, Usage(1, 100, 20, 0.5 + 0.1 * len(prompt.messages)))

    ways: dict[str, Strategy] = {
        "asked": Prompted(),
        "mended": Repair(Prompted()),
        f"again{EVIL}": Reask(Repair(Prompted())),
    }
    sweep = {"temperature": [0.0, 1.0]}
    return evaluate(ways, Scripted(answer), bolts(*TEXTS), sweep=sweep, perturbations=["whitespace"])


class Elements(HTMLParser):
    """The names of a page's elements and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)


def test_it_is_one_file_that_asks_for_nothing(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path / "new" / "report.html")
    text = (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    elements = Elements(text)
    assert not {"link", "iframe", "img"} & elements.names
    assert not {"src", "srcset"} & elements.attributes
    assert not re.search(r"@import|url\(", text.partition('<script type="application/json"')[0])
    assert text.count("<script") == text.count("</script>") == 2


def test_its_data_are_those_of_the_report(report: Report) -> None:
    (inline,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page(report), re.DOTALL)
    found = json.loads(inline)
    assert found == json.loads(json.dumps(data(report)))
    assert [row["rates"]["yield"][0] for row in found["rows"]] == [row.rates["yield"].value for row in report.rows()]
    assert len(found["outcomes"]) == len(report.outcomes)
    assert {o["text"] for o in found["outcomes"]} <= set(range(len(found["texts"])))
    fenced = next(o for o in found["outcomes"] if o["key"] == "fenced" and o["status"] == "repaired")
    assert fenced["edits"][0]["grade"] == "lossless"
    assert {leaf["field"] for leaf in fenced["leaves"]} == {"/kind", "/size_mm"}
    grounded = next(o for o in found["outcomes"] if o["key"].startswith("hex bolt"))
    assert {leaf["field"]: leaf["span"] for leaf in grounded["leaves"]} == {"/kind": [0, 3], "/size_mm": [10, 11]}


def test_it_filters_and_opens_transcripts_in_a_browser(report: Report, tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    write(report, place)
    total = len(report.outcomes)
    with started() as browser, opened(browser, place) as shown:
        count, buttons = shown.locator("#count"), shown.locator("#list button")
        assert count.inner_text() == f"{total} of {total}"
        assert shown.locator("#transcript h3").inner_text().startswith("right · asked")  # the first one is open
        shown.select_option("#by-arm", label="mended temperature=0.0")
        assert count.inner_text() == f"{len(TEXTS)} of {total}"
        shown.select_option("#by-status", "=repaired")
        assert (count.inner_text(), buttons.count()) == (f"1 of {total}", 1)
        shown.select_option("#by-status", "")
        shown.select_option("#by-field", "/kind")
        assert count.inner_text() == f"4 of {total}"
        shown.select_option("#by-field", "")
        shown.fill("#by-text", "fenced")
        assert count.inner_text() == f"1 of {total}"
        buttons.first.click()
        shown.locator("#transcript h3", has_text="fenced").wait_for()
        assert re.fullmatch(r".*#t=\d+;fenced;0", shown.url)
        assert shown.locator("#transcript .answer").inner_text().startswith("```json")
        assert "lossless" in shown.locator("#transcript").inner_text()
        assert {"Record", "Repair's edits", "Leaves"} <= set(shown.locator("#transcript h4").all_inner_texts())
        shown.fill("#by-text", "evil")
        buttons.first.click()
        shown.locator("#transcript h3", has_text="evil").wait_for()
        assert shown.locator("#transcript .source").inner_text() == f"evil {EVIL}"
        shown.locator("#heat td button").first.click()
        assert shown.input_value("#by-arm") != "" != shown.input_value("#by-field")
        assert shown.title() == report.title
        assert shown.locator("#tradeoff figure svg").count() == shown.locator("#curves .plots svg").count() == 3
        assert shown.locator("#headline-table tbody tr").count() == 7  # and the constant answer


def _same(completion: Completion, prompt: Prompt) -> Completion:
    return completion


def test_it_plots_dollars_and_marks_nothing_where_nothing_is_right(tmp_path: Path) -> None:
    prices = {"scripted": Price(1.0, 2.0)}
    ways: dict[str, Strategy] = {"asked": Prompted(), "mended": Repair(Prompted())}
    for answer, marked in ((RIGHT, 1), ("no", 0)):
        completion = Completion(answer, Usage(1, 1000, 0, 9.0))
        model = Scripted(partial(_same, completion))
        priced = evaluate(ways, model, bolts("1", "2"), prices=prices)
        assert [row["spent"] for row in data(priced)["rows"]] == ["$1 for 1,000 records"] * 2
        write(priced, tmp_path / "report.html")
        with started() as browser, opened(browser, tmp_path / "report.html") as shown:
            assert "US dollars for 1,000 records" in (shown.locator("#tradeoff").text_content() or "")
            assert shown.locator("#headline-table tr.best").count() == marked
            assert ("◆" in shown.locator("#headline .note").inner_text()) == bool(marked)
    assert data(evaluate(ways, model, bolts("1")))["unit"] == "model seconds per record"


def test_it_shows_every_message_of_a_prompt(tmp_path: Path) -> None:
    data = bolts("hex bolt, 6 mm")
    train = replace(data, records=tuple(replace(one, split="train") for one in bolts("first", "second")))
    write(evaluate(Prompted(examples=2), Scripted(RIGHT), data, examples=train), tmp_path / "report.html")
    with started() as browser, opened(browser, tmp_path / "report.html") as shown:
        for place in ("#transcript details", "#prompt-texts details"):
            shown.locator(place).first.evaluate("one => { one.open = true; }")
            roles = shown.locator(f"{place} h4").all_inner_texts()
            assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
            assert '"kind": "hex"' in shown.locator(f"{place} pre").all_inner_texts()[2]
        assert "[object" not in shown.locator("body").inner_text()


def test_it_shows_one_record_with_every_strategy_side_by_side(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path / "report.html")
    with started() as browser, opened(browser, tmp_path / "report.html") as shown:
        shown.select_option("#by-record", label="fenced")
        heads = shown.locator("#compared th").all_inner_texts()
        assert heads[:2] == ["value", "expected"]
        assert len(heads) == 2 + 6
        status, *leaves = shown.locator("#compared tbody tr").all()
        words = status.locator("td").all_inner_texts()
        assert ["repaired" in one for one in words[2:]] == [False, False, True, True, True, True]
        assert [leaf.locator("td").first.inner_text() for leaf in leaves] == ["/kind", "/size_mm"]
        assert leaves[0].locator("td").nth(1).inner_text() == "hex"
        assert "✓ hex" in leaves[0].locator("td").nth(4).inner_text()
        assert "✗" in leaves[0].locator("td").nth(2).inner_text()
        shown.click("#later")
        assert shown.input_value("#by-record") != ""
        status.locator("a").first.click()
        assert "#t=" in shown.url


def test_it_shows_the_constant_answer_and_each_value_of_a_closed_field(tmp_path: Path) -> None:
    flange: Any = {"kind": "flange", "size_mm": 6.0, "note": None}
    data = bolts(*map(str, range(10)))
    data = replace(data, records=(*data.records[:7], *(replace(one, expected=flange) for one in data.records[7:])))
    write(evaluate([Prompted(), Repair(Prompted())], Scripted(RIGHT), data), tmp_path / "report.html")
    with started() as browser, opened(browser, tmp_path / "report.html") as shown:
        constant = shown.locator("#headline-table tr.constant td").all_inner_texts()
        assert [cell.split()[0] for cell in constant[:8]] == ["constant", "10", "–", "–", "–", "85", "70", "30"]
        lines = [line.locator("td").all_inner_texts() for line in shown.locator("#by-value tbody tr").all()]
        assert [[cell.split("\n")[0] for cell in line] for line in lines] == [
            ['/kind = "hex"', "7", "100 %", "100 %"],
            ['/kind = "flange"', "3", "0 %", "0 %"],
        ]
        assert shown.locator("#pair-table tbody td").all_inner_texts()[-1] == "10"


def test_a_report_without_transcripts_shows_its_numbers(report: Report, tmp_path: Path) -> None:
    write(replace(report, about={**report.about, "transcripts": False}), tmp_path / "report.html")
    with started() as browser, opened(browser, tmp_path / "report.html") as shown:
        assert shown.locator("#headline-table tbody tr").count() == 7  # and the constant answer
        assert shown.locator("#comparison").count() == 0
        assert "fenced" not in shown.locator("main").inner_text()


def test_figures_are_drawn_where_there_is_something_to_draw(report: Report, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="figures need the bench extra")
    assert [path.name for path in draw(report, tmp_path)] == [
        "tradeoff.png",
        "fields.png",
        "sweep.png",
        "perturbed.png",
    ]
    plain = evaluate([Prompted()], Scripted(RIGHT), bolts("x"))
    assert [path.name for path in draw(plain, tmp_path)] == ["tradeoff.png", "fields.png"]
    assert all((tmp_path / f"{name}.png").stat().st_size > 10_000 for name in ("tradeoff", "fields", "sweep"))


def test_figures_without_matplotlib_say_what_to_install(report: Report, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="bench"):
        draw(report, tmp_path)
