"""What the gate says of documents, in sentences and on its page."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from structout.gate.conclusion import conclusion, summary
from structout.gate.findings import Thresholds, percent
from structout.gate.gate import validate
from structout.gate.page import as_html
from structout.version import __version__
from tests.bolt import BOLT, Bolt
from tests.conftest import Shell

GOOD = {"kind": "hex", "size_mm": 6.5, "note": None}
BAD = {"kind": "square", "size_mm": 6}


def test_reports_say_in_words_whether_and_why_the_gate_fails() -> None:
    bolt = {"properties": {"size": {"type": "integer"}}, "required": ["size"]}
    documents = ['{"size": 1}', '{"size": "x"}', "{}", "{}"]
    failed = conclusion(validate(documents, bolt))
    assert failed == (
        "The gate fails: the share of valid documents is 25 % (1 of 4), expected at least 100 %. "
        "1 of 4 documents are valid. "
        "The most frequent issue is missing at /size: 2 documents have it. "
        'An example is line 3: the key "size" is missing. '
        "A valid document fits the schema. Only labels or a verifier can tell whether its values are right."
    )
    passed = conclusion(validate(['{"size": 1}'], bolt))
    assert passed.startswith("The gate passes. 1 of 1 documents are valid. A valid document fits the schema.")
    assert conclusion(validate([], bolt)) == "The gate fails: the input holds no documents."
    limits = Thresholds(max_invalid=2, warn_valid=0.5, min_field={"size": 0.9})
    assert summary(validate(documents, bolt, thresholds=limits)) == (
        "The gate fails: the number of invalid documents is 3, expected at most 2; the share of documents with a valid "
        "size is 25 % (1 of 4), expected at least 90 %. The gate also warns: the share of valid documents is 25 % "
        "(1 of 4), expected at least 50 %. 1 of 4 documents are valid."
    )
    mended = summary(validate(['{"size": 1}', "{'size': 1}"], bolt, repair="lossless"))
    assert mended == "The gate passes. 1 of 2 documents are valid as they are. Repair makes 1 more valid."


def test_every_surface_says_the_same_sentences(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "d.jsonl").write_text(f"{json.dumps(BAD)}\n{json.dumps(GOOD)}\n")
    files = {name: tmp_path / name for name in ("html", "md", "github")}
    targets = [word for name, file in files.items() for word in ("--report", f"{name}={file}")]
    said = shell("validate", tmp_path / "d.jsonl", "-s", BOLT, *targets).stderr.removeprefix("structout: ").strip()
    assert said.endswith("expected at least 100 %. 1 of 2 documents are valid.")
    for file in files.values():
        assert said in file.read_text().replace("%25", "%")  # as GitHub writes it


ODD = json.dumps({"kind": "hex", "size_mm": 6, "note": "\frac"})


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ([2], "1 document that passes holds values that look wrong: line 2."),
        ([1, 3], "2 documents that pass hold values that look wrong: line 1 and line 3."),
        (range(1, 8), "7 documents that pass hold values that look wrong: line 1, line 2, line 3 and 4 more."),
    ],
)
def test_values_that_look_wrong_have_their_lines(tmp_path: Path, shell: Shell, places: Any, told: str) -> None:
    lines = [ODD if number in places else json.dumps(GOOD) for number in range(1, 8)]
    (tmp_path / "d.jsonl").write_text("\n".join(lines))
    page, whole = tmp_path / "d.html", tmp_path / "d.json"
    done = shell("validate", tmp_path / "d.jsonl", "-s", BOLT, "--report", f"html={page}", "--report", f"json={whole}")
    assert (done.returncode, told in done.stderr) == (0, True), done.stderr
    assert [one["line"] for one in json.loads(whole.read_text())["doubtful"]] == list(places)
    assert "Values that look wrong" in page.read_text()
    assert "perhaps it means" in page.read_text()


def test_a_repaired_document_may_hold_values_that_look_wrong_too() -> None:
    found = validate([ODD.replace(": 6", ': "6"')], Bolt, repair="lossless")
    assert (found.repaired, found.noticed, [one.line for one in found.doubtful]) == (1, 1, [1])


@pytest.mark.parametrize(
    ("keys", "told", "elsewhere"),
    [
        (1, ["character 1: &#x27;k0&#x27; -&gt; &quot;k0&quot; (quotes, lossless)"], ""),
        (12, ["12 × quotes, the first at character 1: &#x27;k0&#x27; -&gt;"], "json=FILE holds"),
        (150, ["and 50 more"], "repair --edits"),
    ],
)
def test_a_page_groups_the_edits_of_a_document_by_kind(keys: int, told: list[str], elsewhere: str) -> None:
    text = "{" + ", ".join(f"'k{number}': {number}" for number in range(keys)) + "}"
    found = validate([text], {"type": "object"}, repair="lossless")
    page = as_html(found)
    assert found.mended[0].edits == keys
    for one in told:
        assert one in page
    assert ("Edits of one kind" in page) == bool(elsewhere)
    assert elsewhere in page


def test_a_page_shows_the_changes_of_values_first() -> None:
    found = validate(["{'kind': 'hex', 'size_mm': '6'}"], Bolt, repair="lossless")
    (row,) = [line for line in as_html(found).splitlines() if "line 1</span>" in line]
    assert row.index("/size_mm:") < row.index("4 × quotes")


def test_a_page_explains_its_words_and_says_when_it_was_made() -> None:
    page = as_html(validate(["{'kind': 'hex', 'size_mm': 6}", "I cannot say"], Bolt, repair="lossless"))
    assert "quotes were added, replaced or removed" in page
    assert "lossless: only syntax or spelling changed: the data is the same." in page
    assert "the text is not one JSON document" in page
    assert f"structout {__version__}, 20" in page


def test_a_page_shows_how_an_invalid_text_begins_and_no_place_for_the_whole_document() -> None:
    refused, long = "I'm sorry, <b>I cannot help</b>", "é" * 900
    page = as_html(validate([refused, long, b"\xff", {"at": 1}], Bolt))
    assert "I&#x27;m sorry, &lt;b&gt;I cannot help&lt;/b&gt;</small>" in page
    assert f">{'é' * 159}…<" in page
    assert "(document): " not in page


def test_a_page_shows_no_text_where_the_schema_hides_fields() -> None:
    class Login(BaseModel):
        word: SecretStr

    assert "hunter2" not in as_html(validate(["hunter2 is my word"], Login))


def test_several_inputs_are_counted_one_by_one(tmp_path: Path, shell: Shell) -> None:
    for name, documents in (("a", [GOOD, BAD]), ("b", [GOOD]), ("c", [])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, documents)))
    targets = [word for name in ("html", "md", "json") for word in ("--report", f"{name}={tmp_path / name}")]
    shell("validate", *(tmp_path / f"{name}.jsonl" for name in "abc"), "-s", BOLT, *targets)
    found = json.loads((tmp_path / "json").read_text())["sources"]
    assert [(one["documents"], one["valid"], one["invalid"]) for one in found] == [(2, 1, 1), (1, 1, 0), (0, 0, 0)]
    assert f"| `{tmp_path}/a.jsonl` | 50 % | **valid >= 100 %** | 2 | 1 | 0 | 1 |" in (tmp_path / "md").read_text()
    assert '<td data-head="share that passes">50 %</td>' in (tmp_path / "html").read_text()


@pytest.mark.parametrize(
    ("share", "limits", "told"),
    [
        (278 / 300, [0.97], "92.7 %"), (0.97, [0.97], "97 %"), (0.96999, [0.97], "96.999 %"), (1.0, [], "100 %"),
        (0.99999, [], "99.999 %"), (0.0, [], "0 %"), (1e-6, [], "0.0001 %"), (0.999, [0.999], "99.9 %"),
    ],
)  # fmt: skip
def test_a_share_is_told_in_percent_and_never_rounded_to_a_limit(share: float, limits: list[float], told: str) -> None:
    assert percent(share, *limits) == told


def test_a_page_says_where_the_documents_are_that_it_leaves_out() -> None:
    found = validate(["no"] * 1001 + ["{'a': 1}"] * 1001 + [json.dumps({"a": "\frac"})] * 1001, {}, repair="lossless")
    page = as_html(found)
    for option in ("--rejects FILE", "--output FILE --provenance", "--json"):
        assert f"The first 1,000 of 1,001 are listed. {option} " in page
