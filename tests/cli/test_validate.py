"""`structout validate`, the gate."""

import csv
import json
from pathlib import Path

import pytest

from tests.bolt import BOLT
from tests.cli.conftest import GOOD
from tests.conftest import Shell, run


@pytest.mark.parametrize(
    ("name", "content", "options", "code"),
    [
        ("a.jsonl", f"{GOOD}\n{GOOD}\n", [], 0),
        ("a.jsonl", f"{GOOD}\nno\n", [], 1),
        ("a.jsonl", f"{GOOD}\nno\n", ["--min-valid", "0.5"], 0),
        ("a.jsonl", f"```json\n{GOOD}```\n", [], 1),
        ("a.json", f"```json\n{GOOD}\n```\n", ["--repair", "lossless"], 0),
        ("a.json", GOOD, [], 0),
        ("a.jsonl", "", [], 4),
        ("a.jsonl", GOOD, ["--repair", "wild"], 2),
        ("a.jsonl", GOOD, ["--schema", "nope.json"], 2),
    ],
)
def test_validate_is_a_gate(
    tmp_path: Path, name: str, content: str, options: list[str], code: int, shell: Shell
) -> None:
    (tmp_path / name).write_text(content)
    done = shell("validate", tmp_path / name, "--schema", BOLT, *options)
    assert done.returncode == code
    assert done.stderr.count("\n") == 1


def test_validate_says_where_and_what(shell: Shell) -> None:
    done = shell("validate", "--schema", BOLT, stdin=f'{GOOD}\n{{"kind": "hex"}}\n')
    assert done.stdout.startswith("-:2: ")
    assert 'the key "size_mm" is missing' in done.stdout
    done = shell("validate", "--schema", BOLT, "--json", stdin='{"kind": "hex"}\n')
    assert json.loads(done.stdout)["issues"][0]["kind"] == "missing"


def test_a_threshold_that_warns_leaves_the_exit_code_zero(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.jsonl").write_text(f'{GOOD}\n{{"kind": "hex"}}\n')
    words = ["validate", tmp_path / "a.jsonl", "-s", BOLT, "--min-valid", "0.5"]
    page = tmp_path / "a.html"
    warned = shell(*words, "--warn-valid", "0.9", "--warn-field", "size_mm=0.9", "--report", f"html={page}")
    assert warned.returncode == 0
    told = "The gate passes with a warning: the share of valid documents is 50 % (1 of 2), expected at least 90 %; "
    assert (
        f"{told}the share of documents with a valid size_mm is 50 % (1 of 2), expected at least 90 %." in warned.stderr
    )
    assert told in page.read_text()
    assert "warning" not in shell(*words, "--warn-valid", "0.5", "--warn-invalid", "1").stderr
    failed = shell(*words, "--max-invalid", "0", "--warn-invalid", "0", "--report", "github=-")
    assert failed.returncode == 1
    assert "::error file=" in failed.stdout
    assert "::warning title=structout::invalid <= 0: found 1" in failed.stdout
    assert shell(*words, "--warn-field", "none=0.9").returncode == 2


def test_a_report_of_an_input_that_broke_off_says_so(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.json").write_text(f"[{GOOD}, {GOOD}")
    (tmp_path / "b.jsonl").write_text("")
    for name, code in (("a.json", 1), ("b.jsonl", 4)):
        done = shell("validate", tmp_path / name, "-s", BOLT, "--max-invalid", "0", "--report", "md=-")
        assert done.returncode == code, done.stderr
        assert "Passed" not in done.stdout


def test_several_inputs_are_judged_as_one_and_named_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.json").write_text('{"type": "object", "properties": {"a": {"type": "integer"}}}')
    Path("x.jsonl").write_text('{"a": 1}\n{"a": "b"}\n')
    Path("y.json").write_text('[{"a": 2}, {"a": null}]')
    for jobs in ("1", "2"):
        words = ["validate", "-s", "s.json", "x.jsonl", "y.json", "--jobs", jobs, "--min-valid", "0.5"]
        done = shell(*words, "--report", "github=g.txt", "--report", "sarif=s.sarif")
        assert done.returncode == 0, done.stderr
        assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == ["x.jsonl:2", "y.json:2"]
        assert "2 of 4 documents are valid" in done.stderr
        assert Path("g.txt").read_text().count("::warning file=") == 2  # the gate holds
        assert '"uri": "y.json"' in Path("s.sarif").read_text()
    rows = [json.loads(line) for line in shell(*words, "--json").stdout.splitlines()]
    assert [(row["source"], row["line"]) for row in rows] == [
        ("x.jsonl", 1), ("x.jsonl", 2), ("y.json", 1), ("y.json", 2)
    ]  # fmt: skip
    assert shell("validate", "-s", "s.json", "*.jsonl", "--min-valid", "0.5").returncode == 0
    assert shell("validate", "-s", "s.json", "none*").returncode == 2


def test_batches_yaml_and_delimiters_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell) -> None:
    monkeypatch.chdir(tmp_path)
    body = {"choices": [{"message": {"content": GOOD}, "finish_reason": "stop"}]}
    entry = {"custom_id": "k", "response": {"status_code": 200, "body": body}, "error": None}
    gone = {"custom_id": "k2", "response": None, "error": {"message": "expired\x1b[31m"}}
    Path("batch.jsonl").write_text(f"{json.dumps(entry)}\n{json.dumps(gone)}\n")
    Path("s.csv").write_text("kind;size_mm\nhex;6\n")
    unasked = shell("validate", "batch.jsonl", "--schema", BOLT)
    assert (unasked.returncode, "--format openai-batch" in unasked.stderr) == (2, True)
    done = shell("validate", "batch.jsonl", "--schema", BOLT, "--format", "openai-batch", "--rejects", "no.jsonl")
    assert done.returncode == 1
    assert done.stdout.startswith("batch.jsonl:2: ")
    assert "\x1b" not in done.stdout
    assert json.loads(Path("no.jsonl").read_text())["issues"][0]["kind"] == "unanswered"
    assert shell("validate", "s.csv", "--schema", BOLT).returncode == 1
    assert shell("validate", "s.csv", "--schema", BOLT, "--delimiter", ";").returncode == 0
    assert shell("validate", "s.csv", "--schema", BOLT, "--delimiter", "x").returncode == 2
    pytest.importorskip("yaml")
    Path("a.yml").write_text("kind: hex\nsize_mm: 6\n---\nkind: no\nsize_mm: 6\n")
    done = shell("validate", "a.yml", "s.csv", "--delimiter", ";", "--schema", BOLT)
    assert (done.returncode, done.stdout.partition(": ")[0]) == (1, "a.yml:3")
    assert "2 of 3 documents are valid" in done.stderr


def test_columns_stay_beside_documents_so_that_a_model_can_be_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.chdir(tmp_path)
    answers = {"a": GOOD, "b": GOOD.replace('"', "'"), "c": "I cannot say", "d": ""}
    rows = [{"id": name, "mail": f"mail {name}", "raw": text} for name, text in answers.items()]
    Path("x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))
    Path("y.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[2:]))
    words = ["validate", "x.jsonl", "y.jsonl", "-s", BOLT, "--column", "raw", "--repair", "lossless"]
    files = ["--output", "ok.jsonl", "--rejects", "no.jsonl"]
    assert shell(*words, *files, "--keep", "id,mail").returncode == 1
    passed = [json.loads(line) for line in Path("ok.jsonl").read_text().splitlines()]
    assert passed == [{"id": name, "mail": f"mail {name}", **json.loads(GOOD)} for name in "ab"]
    failed = [json.loads(line) for line in Path("no.jsonl").read_text().splitlines()]
    assert [(row["id"], row["source"], row["line"]) for row in failed] == [("c", "y.jsonl", 1), ("d", "y.jsonl", 2)]
    told = map(json.loads, shell(*words, "--json", "--keep", "id").stdout.splitlines())
    assert [(row["id"], row["status"], row["edits"]) for row in told] == [
        ("a", "valid", 0), ("b", "repaired", 3), ("c", "invalid", 0), ("d", "invalid", 0),
    ]  # fmt: skip
    Path("script.json").write_text(json.dumps({"mail c": GOOD, "mail d": GOOD}))
    again = ["run", "no.jsonl", "--column", "mail", "--key", "id", "-s", BOLT, "--keep", "id", "-o", "again.jsonl"]
    done = shell(*again, "--model", "scripted:script.json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["id"] for line in Path("again.jsonl").read_text().splitlines()] == ["c", "d"]
    for options in (["--keep", "kind", *files], ["--keep", "no", *files]):
        assert shell(*words, *options).returncode == 2, options
    Path("y.jsonl").write_text('{"line": 1, "raw": ""}\n')
    done = shell(*words, *files, "--keep", "all")
    assert (done.returncode, "'line' cannot be kept" in done.stderr) == (2, True)


def test_what_passes_keeps_its_digits_and_what_a_float_loses_is_noticed(tmp_path: Path, shell: Shell) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "number"}}}
    (tmp_path / "s.json").write_text(json.dumps(schema))
    written = '{"n":12345678901234567890.10}'
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": 1, "raw": written.replace(":", ":\n")}) + "\n")
    (tmp_path / "b.json").write_text(written.replace(":", ":\n"))
    for options in (["a.jsonl", "--column", "raw", "--keep", "id"], ["a.jsonl", "--column", "raw"], ["b.json"]):
        done = shell(
            "validate", str(tmp_path / options[0]), *options[1:], "-s", str(tmp_path / "s.json"), "-o",
            str(tmp_path / "ok"), "--json",
        )  # fmt: skip
        kept = '{"id":1,' if "--keep" in options else "{"
        assert (tmp_path / "ok").read_text().strip() == kept + written[1:]
        assert json.loads(done.stdout)["notices"][0]["kind"] == "lost_digits"


def test_edits_are_told_in_a_batch_as_for_one_answer(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.jsonl").write_text("{'kind': 'hex', 'size_mm': 6}\n")
    page, whole = tmp_path / "a.html", tmp_path / "a.json"
    words = ["validate", tmp_path / "a.jsonl", "-s", BOLT, "--repair", "lossless", "--json"]
    done = shell(*words, "--report", f"html={page}", "--report", f"json={whole}")
    row = json.loads(done.stdout)
    one = json.loads(shell("repair", "-s", BOLT, "--json", stdin="{'kind': 'hex', 'size_mm': 6}").stdout)
    assert (row["edits"], row["changes"]) == (len(one["edits"]), one["edits"])
    assert "(quotes, lossless)" in page.read_text()
    found = json.loads(whole.read_text())
    assert found["edits"] == [{"kind": "quotes", "grade": "lossless", "documents": 1}]
    assert found["mended"][0]["changes"] == one["edits"]


def test_texts_that_are_not_json_are_counted_by_what_they_are(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.jsonl").write_text(f"```{GOOD}```\n```{GOOD}```\nHere: {GOOD}\n{GOOD}\n")
    done = shell("validate", tmp_path / "a.jsonl", "-s", BOLT, "--report", "md=-")
    assert (
        "The most frequent issue is not_json: 3 documents have it. The reasons are: in a code fence (2), text before "
        "the JSON (1). An example is line 1: in a code fence." in done.stdout
    )
    assert f"a.jsonl:3: (document): text before the JSON, which begins at character 6{chr(10)}" in done.stderr


def test_blank_lines_are_counted_and_a_last_line_end_is_none(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.jsonl").write_text(f"{GOOD}\n\n  \n{GOOD}\n")
    done = shell("validate", tmp_path / "a.jsonl", "-s", BOLT, "--report", "json=-")
    assert (done.returncode, json.loads(done.stdout)["blank_lines"]) == (0, 2)
    assert done.stderr == "structout: The gate passes. 2 of 2 documents are valid. 2 blank lines hold no document.\n"
    (tmp_path / "a.jsonl").write_text(f"{GOOD}\n")
    assert "blank" not in shell("validate", tmp_path / "a.jsonl", "-s", BOLT).stderr


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--min-valid", "50%"], 0, "The gate passes."),
        (["--min-valid", "50.1%"], 1, "expected at least 50.1 %"),
        (["--warn-valid", "60%", "--min-field", "kind=100%"], 0, "expected at least 60 %"),
        (
            ["--min-valid", "50"],
            2,
            "error: invalid --min-valid: got '50', expected a share from 0 to 1, such as 0.98 or 98%",
        ),
        (["--min-valid", "nan"], 2, "expected a share"),
        (["--warn-valid", "half"], 2, "expected a share"),
        (["--min-field", "kind=98"], 2, "write FIELD=0.98 or FIELD=98%"),
        (["--min-valid", "0.5", "--warn-valid", "0.4"], 0, "warn_valid asks for 40 %, and min_valid for 50 % already"),
        (["--max-invalid", "1", "--warn-invalid", "2"], 0, "warn_invalid allows 2, and max_invalid only 1"),
        (["--min-field", "kind=1", "--warn-field", "kind=0.9"], 0, "warn_field kind asks for 90 %"),
    ],
)
def test_shares_may_be_percentages_and_thresholds_that_are_mixed_up_are_told(
    tmp_path: Path, shell: Shell, options: list[str], code: int, told: str
) -> None:
    (tmp_path / "a.jsonl").write_text(f'{GOOD}\n{{"kind": "hex"}}\n')
    done = shell("validate", tmp_path / "a.jsonl", "-s", BOLT, *options)
    assert (done.returncode, told in " ".join(done.stderr.split())) == (code, True), done.stderr


def test_reports_are_the_same_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [GOOD.replace('"', "'"), f"```\n{GOOD}\n```", f"Here: {GOOD}", "[1}", "no", "{'a'", '{"kind": 1}', "NaN"]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"raw": one}) + "\n" for one in texts))
    found = set()
    for seed in ("1", "2", "3"):
        targets = [word for name in ("md", "json", "sarif") for word in ("--report", f"{name}={tmp_path / name}")]
        words = ["validate", str(tmp_path / "a.jsonl"), "-s", BOLT, "--column", "raw", "--repair", "lossless", *targets]
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        assert run(*words).returncode == 1
        found.add("".join((tmp_path / name).read_text() for name in ("md", "json", "sarif")))
    assert len(found) == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 1),
        (["--warn-valid", "0.9"], 0),
        (["--warn-invalid", "0"], 0),
        (["--warn-field", "size_mm=1"], 0),
        (["--min-field", "kind=1"], 0),
        (["--min-field", "kind=1", "--min-valid", "1"], 1),
        (["--max-invalid", "1", "--min-valid", "1"], 1),
    ],
)
def test_any_threshold_takes_the_place_of_the_default(
    tmp_path: Path, shell: Shell, options: list[str], code: int
) -> None:
    (tmp_path / "a.jsonl").write_text(f'{GOOD}\n{{"kind": "hex"}}\n')
    assert shell("validate", tmp_path / "a.jsonl", "-s", BOLT, *options).returncode == code


def test_a_threshold_can_be_on_a_field_within_a_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.chdir(tmp_path)
    item = {"type": "object", "properties": {"qty": {"type": "integer"}}, "required": ["qty"]}
    schema = {"properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/item"}}}, "$defs": {"item": item}}
    Path("nested.json").write_text(json.dumps(schema))
    lines = [{"items": [{"qty": 1}]}, {"items": [{"qty": 1}, {}]}, {"items": [{"qty": "x"}]}, {"items": 3}]
    done = shell(
        "validate", "-s", "nested.json", "--min-field", "/items/*/qty=0.5", stdin="\n".join(map(json.dumps, lines))
    )
    assert (done.returncode, "a valid /items/*/qty is 25 % (1 of 4), expected at least 50 %" in done.stderr) == (
        1,
        True,
    )
    assert shell("validate", "-s", "nested.json", "--min-field", "/items/*/q=0.5", stdin="{}").returncode == 2


def test_decimal_and_complete_are_options_of_repair(shell: Shell) -> None:
    words, number, cut = ["validate", "-s", BOLT], '{"kind": "hex", "size_mm": "6,5"}', '{"kind": "hex", "size_mm": 6'
    assert shell(*words, "--repair", "lossless", "--decimal", ",", stdin=number).returncode == 0
    assert shell(*words, "--repair", "lossless", "--complete", stdin=cut).returncode == 0
    assert shell(*words, "--repair", "lossless", stdin=cut).returncode == 1
    assert shell(*words, "--decimal", ",", stdin=number).returncode == 2


def test_annotations_on_stdout_tell_a_document_once(shell: Shell) -> None:
    done = shell("validate", "-s", BOLT, "--report", "github=-", stdin='{"kind": "hex"}\n')
    assert (done.stdout + done.stderr).count("is missing") == 1


def test_a_forgotten_column_is_named(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": 1, "mail": "a {x}: kind", "raw": GOOD}) + "\n")
    done = shell("validate", tmp_path / "a.jsonl", "-s", BOLT)
    assert "did you mean --column raw?" in done.stderr
    assert "--column" not in shell("validate", "-s", BOLT, stdin='{"kind": "hex"}').stderr


@pytest.mark.parametrize("first", ["", "I cannot say", "Here it is: nothing", "7"])
@pytest.mark.parametrize("answer", [GOOD, f"Here: {GOOD}", GOOD.replace('"', "'"), "kind: hex"])
def test_a_forgotten_column_is_named_though_the_first_answers_hold_no_json(
    tmp_path: Path, shell: Shell, first: str, answer: str
) -> None:
    rows = [("id", "kind", "raw"), (1, "hex", first), (2, "hex", first), (3, "hex", answer.replace("kind", "size_mm"))]
    for suffix, names in (("csv", (0, 2)), ("jsonl", (0, 1, 2))):  # the rows also share a key with the schema
        table = [[row[place] for place in names] for row in rows]
        if suffix == "csv":
            with (tmp_path / "a.csv").open("w", newline="") as file:
                csv.writer(file).writerows(table)
        else:
            lines = (json.dumps(dict(zip(map(str, table[0]), row, strict=True))) for row in table[1:])
            (tmp_path / "a.jsonl").write_text("\n".join(lines))
        done = shell("validate", tmp_path / f"a.{suffix}", "-s", BOLT)
        assert "did you mean --column raw?" in done.stderr


def test_an_input_that_cannot_be_read_is_a_mistake_wherever_it_stands(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.jsonl").write_text(f"{GOOD}\n")
    for names in (["a.jsonl", "none.jsonl"], ["none.jsonl", "a.jsonl"]):
        done = shell("validate", *(tmp_path / name for name in names), "-s", BOLT)
        assert (done.returncode, done.stdout, "none.jsonl" in done.stderr) == (2, "", True)
