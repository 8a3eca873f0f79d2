"""The report in HTML: what it holds, that nothing escapes from it, and how it behaves in a browser."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from structout import Completion, MissingExtraError, Prompted, Reask, Repair, Report, Scripted, Strategy, evaluate
from structout.completion import Prompt, Usage
from structout.evaluation.reporting.figures import draw
from structout.evaluation.reporting.page import data, page, write
from tests.evaluation.test_metrics import ANSWERS, RIGHT, bolts

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
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


def test_it_is_one_file_that_asks_for_nothing(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path / "new" / "report.html")
    text = (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    told = re.sub(r"<script type=.*?</script>", "", text)
    assert not re.search(r"<link|<iframe|<img|@import|url\(", told)
    # The paragraph names a strategy that looks like markup, as text.
    assert not re.search(r"\bsrc\s*=", re.sub(r'<p id="conclusion">[^<>]*</p>', "", told))
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


DRIVE = """
<script>
const seen = {};
const choose = (id, value) => {
  document.getElementById(id).value = value;
  document.getElementById("filter").dispatchEvent(new Event("input"));
  return document.getElementById("count").textContent;
};
const labels = [...document.getElementById("by-arm").options].map((one) => one.text);
seen.all = document.getElementById("count").textContent;
seen.arm = choose("by-arm", String(labels.indexOf("mended temperature=0.0") - 1));
seen.repaired = choose("by-status", "=repaired");
seen.listed = document.querySelectorAll("#list button").length;
choose("by-status", "");
seen.field = choose("by-field", "/kind");
choose("by-field", "");
seen.text = choose("by-text", "fenced");
document.querySelector("#list button").click();
setTimeout(() => {
  seen.hash = location.hash;
  seen.heading = document.querySelector("#transcript h3").textContent;
  seen.answer = document.querySelector("#transcript .answer").textContent;
  seen.parts = [...document.querySelectorAll("#transcript h4")].map((one) => one.textContent);
  seen.edits = document.querySelector("#transcript").textContent.includes("lossless");
  choose("by-text", "evil");
  document.querySelector("#list button").click();
  setTimeout(() => {
    seen.source = document.querySelector("#transcript .source").textContent;
    location.hash = document.querySelector('#list button').dataset.link;
    const cell = [...document.querySelectorAll("#heat td")].find((one) => one.tabIndex === 0);
    cell.click();
    seen.cell = [document.getElementById("by-arm").value !== "", document.getElementById("by-field").value !== ""];
    seen.title = document.title;
    seen.figures = document.querySelectorAll("figure svg").length;
    seen.rows = document.querySelectorAll("#headline-table tbody tr").length;
    const out = document.createElement("output");
    out.id = "seen";
    out.textContent = JSON.stringify(seen);
    document.body.append(out);
  }, 50);
}, 50);
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed to drive the report with")
def test_it_filters_and_opens_transcripts_in_a_browser(report: Report, tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    place.write_text(page(report).replace("</body>", DRIVE + "</body>"), encoding="utf-8")
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --virtual-time-budget=5000 --dump-dom"
    )
    done = subprocess.run(
        [str(BROWSER), *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", place.as_uri()],
        capture_output=True,
        text=True,
        check=True,
    )
    (shown,) = re.findall(r'<output id="seen">(.*?)</output>', done.stdout, re.DOTALL)
    seen: dict[str, Any] = json.loads(html.unescape(shown))
    total = len(report.outcomes)
    assert seen["all"] == f"{total} of {total}"
    assert seen["arm"] == f"{len(TEXTS)} of {total}"
    assert (seen["repaired"], seen["listed"]) == (f"1 of {total}", 1)
    assert seen["field"] == f"4 of {total}"
    assert seen["text"] == f"1 of {total}"
    assert re.fullmatch(r"#t=\d+;fenced;0", seen["hash"])
    assert seen["heading"].startswith("fenced · mended temperature=0.0")
    assert seen["answer"].startswith("```json")
    assert seen["edits"]
    assert {"Record", "Repair's edits", "Leaves"} <= set(seen["parts"])
    assert seen["source"] == f"evil {EVIL}"
    assert seen["cell"] == [True, True]
    assert seen["title"] == report.title
    assert (seen["figures"], seen["rows"]) == (4, 6)


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
