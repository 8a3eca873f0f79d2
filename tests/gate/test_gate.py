import gzip
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema_rs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, SecretStr

from structout import DataError, Schema
from structout.errors import StructoutWarning
from structout.gate.conclusion import conclusion, summary
from structout.gate.findings import Findings, Thresholds, percent
from structout.gate.gate import Gate, validate
from structout.gate.page import as_html
from structout.gate.reports import FORMATS
from structout.tables.documents import Document, read_documents
from structout.tables.layout import PROVENANCE
from structout.version import __version__
from tests.bolt import BOLT, Bolt
from tests.conftest import Shell

GOOD = {"kind": "hex", "size_mm": 6.5, "note": None}
BAD = {"kind": "square", "size_mm": 6}
SCHEMA = Schema.of(Bolt)


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, tuple[str, list[str]]]:
    """Two good documents and a bad one in every form, with the options that each takes."""
    documents: list[Any] = [GOOD, BAD, GOOD]
    lines = "\n".join(map(json.dumps, documents)) + "\n"
    (tmp_path / "d.jsonl").write_text(lines)
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "d.csv").write_text("kind,size_mm,note\nhex,6.5,\nsquare,6,\nhex,7,soft\n")
    pq.write_table(pa.Table.from_pylist(documents), tmp_path / "d.parquet")
    texts = [{"id": n, "answer": json.dumps(document)} for n, document in enumerate(documents)]
    pq.write_table(pa.Table.from_pylist(texts), tmp_path / "column.parquet")
    (tmp_path / "column.jsonl").write_text("\n".join(map(json.dumps, texts)))
    pa_csv = "id,answer\n" + "\n".join('1,"' + json.dumps(document).replace('"', '""') + '"' for document in documents)
    (tmp_path / "column.csv").write_text(pa_csv)
    plain, column = ("d.jsonl", "d.jsonl.gz", "d.csv", "d.parquet"), ("column.parquet", "column.jsonl", "column.csv")
    return {name: (str(tmp_path / name), []) for name in plain} | {
        name: (str(tmp_path / name), ["--column", "answer"]) for name in column
    }


def test_every_form_is_read(sources: dict[str, tuple[str, list[str]]], shell: Shell) -> None:
    for name, (source, options) in sources.items():
        done = shell("validate", source, "-s", BOLT, *options)
        assert (done.returncode, done.stderr) == (
            1,
            "structout: The gate fails: the share of valid documents is 66.7 % (2 of 3), expected at least 100 %. "
            "2 of 3 documents are valid.\n",
        ), name
        assert done.stdout.startswith(source)
        assert "/kind" in done.stdout


RECORD = """
from datetime import date, datetime
from decimal import Decimal
from pydantic import BaseModel, ConfigDict

class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: float
    notes: dict[str, int] = {}

class Record(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: str | None
    either: int | str
    at: datetime
    day: date | None
    free: dict[str, int | None]
    parts: list[Part]
    main: Part | None
    price: Decimal
    count: int | None
    on: bool
    words: str
"""
RECORDS: list[dict[str, Any]] = [
    {
        "number": "12", "either": "true", "at": "2026-01-02T03:04:05.5+02:00", "day": "2026-01-02",
        "free": {"a": 1, "b": None}, "parts": [{"size": 1, "notes": {"x": 1}}], "main": {"size": 2.5},
        "price": "1.50", "count": 3, "on": True, "words": "null",
    },
    {
        "number": None, "either": 5, "at": "2026-01-02T03:04:05", "day": None, "free": {}, "parts": [], "main": None,
        "price": 2, "count": None, "on": False, "words": "",
    },
    {
        "number": "null", "either": "{", "at": "2026-01-02T03:04:05Z", "day": None, "free": {}, "parts": [{"size": 0}],
        "main": None, "price": 2.5, "count": None, "on": False, "words": "[1]",
    },
]  # fmt: skip
LOOSE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["a", "b"]},
        "size": {"type": "integer"},
        "inner": {"type": "object", "properties": {"x": {"type": "integer"}}, "minProperties": 2},
    },
    "minProperties": 2,
    "required": ["size"],
}


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet", "jsonl", "duckdb#t"])
@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("form", ["typed", "loose", "mapping", "list"])
def test_what_a_run_wrote_passes(tmp_path: Path, shell: Shell, suffix: str, bare: bool, form: str) -> None:
    forms: dict[str, list[Any]] = {
        "typed": RECORDS,
        "loose": [{"size": 1, "inner": {"x": 1, "y": "z"}}, {"size": 2, "more": [1]}, {"kind": "a", "size": 3}],
        "mapping": [{"a": 1}, {"value": 2}, {}],
        "list": [["a"], [], ["1", "true"]],
    }
    records = forms[form]
    schemas = {"loose": LOOSE, "mapping": {"type": "object", "additionalProperties": {"type": "integer"}}}
    (tmp_path / "schema.json").write_text(json.dumps(schemas.get(form, {"items": {"type": "string"}, "type": "array"})))
    (tmp_path / "schema.py").write_text(RECORD)
    schema = f"{tmp_path / 'schema.py'}:Record" if form == "typed" else str(tmp_path / "schema.json")
    (tmp_path / "in.txt").write_text("\n".join(f"record {place}" for place in range(len(records))))
    answers = {f"record {place}": json.dumps(record) for place, record in enumerate(records)}
    (tmp_path / "script.json").write_text(json.dumps(answers))
    target = tmp_path / f"out.{suffix}"
    words = [
        "run",
        "-s",
        schema,
        "-i",
        tmp_path / "in.txt",
        "-o",
        target,
        "--model",
        f"scripted:{tmp_path}/script.json",
    ]
    done = shell(*words, *(["--bare"] if bare else []))
    assert done.returncode == 0, done.stderr
    if (suffix, bare, form) == ("jsonl", True, "list"):
        return  # a line is an object there, of which nothing tells that its value is meant
    done = shell("validate", target, "-s", schema)
    assert (done.returncode, done.stdout) == (0, "")
    if form != "typed" and suffix != "jsonl":
        read = list(read_documents(str(target), Schema.of(schema)))
        assert [json.loads(document.text) for document in read] == records


def test_a_cell_is_a_text_where_it_may_be_one_only(tmp_path: Path) -> None:
    def read(cell: str, schema: Any) -> Any:
        (tmp_path / "d.csv").write_text(f'a,b\n"{cell}",x\n')
        contract = Schema.of({"properties": {"a": schema, "b": {}}, "type": "object", "required": ["a"]})
        (document,) = read_documents(str(tmp_path / "d.csv"), contract)
        parsed = document.parsed
        assert isinstance(parsed, dict)
        return parsed.get("a", "absent")

    text, null, number = {"type": "string"}, {"type": "null"}, {"type": "number"}
    for schema in (text, {"anyOf": [text, null]}, {"type": ["string", "null"]}, {"enum": ["12", "true", None]}):
        assert [read(cell, schema) for cell in ("12", "true", "null")] == ["12", "true", "null"]
        assert read("", schema) == ("" if schema == text else None)
    for schema in ({"type": ["string", "number"]}, {"oneOf": [number, text]}):
        assert [read(cell, schema) for cell in ("12", "true", "x", "null")] == [12, "true", "x", "null"]
    assert [read(cell, number) for cell in ("12", "true", "x", "")] == [12, True, "x", "absent"]
    assert [read(cell, {}) for cell in ("12", "[1]", "x", "")] == [12, [1], "x", None]
    assert read("12", {"allOf": [{"type": ["string", "number"]}, text]}) == "12"


def test_a_row_of_csv_that_is_none_is_no_document(tmp_path: Path, shell: Shell) -> None:
    file = tmp_path / "d.csv"
    file.write_text('kind,size_mm\nhex,6,7\nhex,"6\nhex,8\n')
    done = shell("validate", file, "-s", BOLT, "--output", tmp_path / "passed.jsonl")
    assert (done.returncode, done.stderr.endswith("1 of 3 documents are valid.\n")) == (1, True)
    assert [line.partition(": (document): ")[2][:8] for line in done.stdout.splitlines()] == ["line 2 h", "line 3: "]
    assert (tmp_path / "passed.jsonl").read_text() == '{"kind": "hex", "size_mm": 8}\n'
    file.write_text("kind,size_mm,size_mm\nhex,6,7\n")
    done = shell("validate", file, "-s", BOLT)
    assert (done.returncode, "two columns 'size_mm'" in done.stderr) == (2, True)
    file.write_text("")
    assert shell("validate", file, "-s", BOLT).returncode == 4
    (tmp_path / "d.jsonl").write_text('{"kind": "räder"}', encoding="latin-1")
    assert "not UTF-8" in shell("validate", tmp_path / "d.jsonl", "-s", BOLT).stdout


class Loose(BaseModel):
    """Ignores what it does not know."""

    kind: str
    size_mm: float | None = None


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_without_a_field_are_warned_of(tmp_path: Path, suffix: str) -> None:
    file = str(tmp_path / f"d.{suffix}")

    def write(**row: str) -> None:
        if suffix == "csv":
            Path(file).write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
        else:
            pq.write_table(pa.Table.from_pylist([row]), file)

    write(kind="hex", **{"size mm": "6", "id": "1"})
    for schema in (Loose, {"type": "object", "properties": {"kind": {}}}):
        with pytest.warns(StructoutWarning, match="without a field in .*: size mm, id"):
            list(read_documents(file, Schema.of(schema)))
    list(read_documents(file, Schema.of({"properties": {"kind": {}}, "additionalProperties": True})))
    list(read_documents(file, Schema.of({"type": "object", "additionalProperties": True})))
    list(read_documents(file, Schema.of(Loose), column="kind"))
    write(kind="hex", **dict.fromkeys(PROVENANCE, "1"))
    list(read_documents(file, Schema.of(Loose)))


def test_parquet_of_others_is_read_as_it_is(tmp_path: Path) -> None:
    row = {"kind": "a", "size": 1, "inner": {"x": 1, "y": 2}, "_key": "k", "more": None}
    pq.write_table(pa.Table.from_pylist([row, {**row, "kind": None, "inner": None}]), tmp_path / "d.parquet")
    with pytest.warns(StructoutWarning, match="without a field in document: _key, more"):
        first, second = (one.parsed for one in read_documents(str(tmp_path / "d.parquet"), Schema.of(LOOSE)))
    assert (first, second) == (row, {"size": 1, "_key": "k", "more": None})


def test_a_share_is_not_missed_by_rounding() -> None:
    findings = Findings("x", "Bolt", Thresholds(0.0, None, {"kind": 0.93}))
    gate = Gate(SCHEMA, fields=["kind"])
    for line in ["{}"] * 7 + [json.dumps(GOOD)] * 93:
        findings.add(gate.judge(Document(1, line.encode())))
    assert findings.passed


def test_thresholds(sources: dict[str, tuple[str, list[str]]], shell: Shell) -> None:
    source = sources["d.jsonl"][0]
    for options, code in (
        (["--min-valid", "0.66"], 0),
        (["--max-invalid", "1"], 0),
        (["--max-invalid", "0"], 1),
        (["--max-invalid", "1", "--min-valid", "0.9"], 1),
        (["--min-valid", "0.5", "--min-field", "size_mm=1"], 0),
        (["--min-valid", "0.5", "--min-field", "kind=0.6"], 0),
        (["--min-valid", "0.5", "--min-field", "kind=0.7"], 1),
        (["--min-field", "colour=1"], 2),
        (["--min-field", "kind"], 2),
        (["--report", "pdf=x"], 2),
        (["--rejects", source], 2),
        (["--report", f"json={source}"], 2),
        (["--report", f"json={source}/none.json"], 2),
        (["--report", "json=both", "--report", "md=./both"], 2),
        (["--column", "none"], 2),
        (["--min-field", "kind=98"], 2),
    ):
        assert shell("validate", source, "-s", BOLT, *options).returncode == code, options
    assert shell("validate", sources["d.csv"][0], "-s", BOLT, "--column", "none").returncode == 2
    done = shell("validate", sources["column.jsonl"][0], "-s", BOLT, "--column", "none")
    assert "no column 'none'; it has: id, answer" in done.stderr


def test_what_passed_or_failed_can_go_to_a_pipe(sources: dict[str, tuple[str, list[str]]], shell: Shell) -> None:
    words = ["validate", sources["d.jsonl"][0], "-s", BOLT]
    passed = shell(*words, "--output", "-")
    assert (passed.returncode, [json.loads(line) for line in passed.stdout.splitlines()]) == (1, [GOOD, GOOD])
    assert "/kind" in passed.stderr
    failed = shell(*words, "--rejects", "-", "--json")
    assert (failed.returncode, json.loads(failed.stdout)["line"], failed.stderr.count("\n")) == (1, 2, 4)
    both = shell(*words, "--rejects", "-", "--report", "md=-")
    assert (both.returncode, both.stdout, "stdout can take only one of" in both.stderr) == (2, "", True)
    assert shell("label", "-s", BOLT, "--output", "-", stdin="x").returncode == 2


def test_a_report_on_stdout_stands_there_alone(sources: dict[str, tuple[str, list[str]]], shell: Shell) -> None:
    for options in ([], ["--json"]):
        done = shell("validate", sources["d.jsonl"][0], "-s", BOLT, "--report", "json=-", *options)
        assert (done.returncode, json.loads(done.stdout)["invalid"]) == (1, 1)
        assert "/kind" in done.stderr


def test_a_document_of_nothing_is_none(tmp_path: Path, shell: Shell) -> None:
    for nothing in ("", "\n", "\ufeff"):
        (tmp_path / "d.json").write_text(nothing, encoding="utf-8")
        assert shell("validate", tmp_path / "d.json", "-s", BOLT).returncode == 4


def test_a_required_field_that_is_absent_counts_against_it() -> None:
    findings = Findings("x", "Bolt", Thresholds(0.0, None, {"size_mm": 0.9, "note": 1.0}))
    gate = Gate(SCHEMA, fields=["size_mm", "note"])
    for line in ('{"kind": "hex"}', '{"kind": "hex", "size_mm": 1, "note": 5}', "no", '{"kind": "hex", "size_mm": 1}'):
        for document in read_documents_of(line):
            findings.add(gate.judge(document))
    assert findings.bad_fields == {"size_mm": 2, "note": 2}
    assert [check.passed for check in findings.checks()] == [True, False, False]


def read_documents_of(line: str) -> list[Any]:
    return [Document(1, line.encode())]


def test_repair_and_rejects(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "d.jsonl").write_text("{'kind': 'hex', 'size_mm': 6}\nI cannot say\n\n" + json.dumps(GOOD))
    rejects = tmp_path / "rejects.jsonl"
    words = ["validate", str(tmp_path / "d.jsonl"), "-s", BOLT, "--rejects", str(rejects)]
    done = shell(*words, "--repair", "lossless", "--max-invalid", "1", "--json")
    assert done.returncode == 0
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["repaired", "invalid", "valid"]
    (row,) = map(json.loads, rejects.read_text().splitlines())
    assert (row["line"], row["document"]) == (2, "I cannot say")
    assert row["issues"]


def test_documents_that_pass_are_written_repaired_if_needed(tmp_path: Path, shell: Shell) -> None:
    lines = ['{"kind":"hex",  "size_mm": 1e0}', "{'kind': 'hex', 'size_mm': 6}", "I cannot say", json.dumps(GOOD)]
    (tmp_path / "d.jsonl").write_text("\n".join(lines))
    (tmp_path / "d.json").write_text(json.dumps(GOOD, indent=2))
    (tmp_path / "d.csv").write_text("kind,size_mm,note\nhex,6.5,\nsquare,6,\n")
    out, rejects = tmp_path / "passed.jsonl", tmp_path / "rejects.jsonl"
    words = ["validate", tmp_path / "d.jsonl", "-s", BOLT, "--output", out]
    assert shell(*words, "--rejects", rejects, "--repair", "lossless").returncode == 1
    assert out.read_text().splitlines() == [lines[0], '{"kind": "hex", "size_mm": 6}', lines[3]]
    assert len(rejects.read_text().splitlines()) == 1
    assert shell("validate", out, "-s", BOLT).returncode == 0
    assert shell(*words).returncode == 1
    assert out.read_text().splitlines() == [lines[0], lines[3]]
    for name in ("d.json", "d.csv"):
        shell("validate", tmp_path / name, "-s", BOLT, "--output", out)
        assert [json.loads(line) for line in out.read_text().splitlines()] == [GOOD]
    (tmp_path / "schema.py").write_text('from structout.language import Regex\n\nCode = Regex("[A-Z]+")\n')
    (tmp_path / "d.txt").write_text("AB\nab\n")
    shell("validate", tmp_path / "d.txt", "-s", f"{tmp_path / 'schema.py'}:Code", "--output", out)
    assert out.read_text() == '"AB"\n'
    assert shell("validate", out, "-s", BOLT, "--output", out).returncode == 2


def test_an_input_that_breaks_off_is_not_completed(tmp_path: Path, shell: Shell) -> None:
    whole = gzip.compress("".join(json.dumps(GOOD) + "\n" for _ in range(5000)).encode() + bytes(range(256)) * 999, 0)
    (tmp_path / "d.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    done = shell("validate", str(tmp_path / "d.jsonl.gz"), "-s", BOLT)
    assert (done.returncode, "until then" in done.stderr) == (3, True)
    report = f"html={tmp_path / 'broken.html'}"
    shell("validate", str(tmp_path / "d.jsonl.gz"), "-s", BOLT, "--max-invalid", "9", "--report", report)
    assert "The gate fails: the input broke off (" in (tmp_path / "broken.html").read_text()
    assert shell("validate", str(tmp_path / "none.jsonl"), "-s", BOLT).returncode == 2


class Text(HTMLParser):
    """The words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_reports(tmp_path: Path, shell: Shell) -> None:
    nasty = {"kind": "<b>|\x01%\u2028", "size_mm": 6}
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, [GOOD, BAD, nasty])))
    options = [word for name in FORMATS for word in ("--report", f"{name}={tmp_path / name}")]
    source = str(tmp_path / "d.jsonl")
    assert shell("validate", source, "-s", BOLT, "--min-valid", "0.9", *options).returncode == 1
    text = {name: (tmp_path / name).read_text(encoding="utf-8") for name in FORMATS}
    found = json.loads(text["json"])
    assert (found["documents"], found["valid"], found["invalid"], found["passed"]) == (3, 1, 2, False)
    assert found["kinds"] == [{"kind": "enum", "pointer": "/kind", "documents": 2}]
    suite = ElementTree.fromstring(text["junit"])
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert f"{source}:2:" in str(suite[0][0].text)
    sarif = json.loads(text["sarif"])
    jsonschema_rs.validate(SARIF, sarif)
    assert [
        result["locations"][0]["physicalLocation"]["region"]["startLine"] for result in sarif["runs"][0]["results"]
    ] == [2, 3]
    first, second, third, _ = text["github"].splitlines()
    assert first == "::error title=structout::valid >= 90 %25: found 33.3 %25 (1 of 3)"
    assert second.startswith("::notice title=structout::The gate fails: ")
    assert third.startswith(f"::error file={source},line=2::/kind")
    assert all(line.startswith("::") for line in text["github"].strip().split("\n"))
    assert "| valid >= 90 % | 33.3 % (1 of 3) | **failed** |" in text["md"]
    assert "<b>" not in text["html"]
    assert any("1 of 3 documents are valid" in words for words in Text(text["html"]).words)


# What SARIF 2.1.0 asks of the parts that are written.
SARIF: dict[str, Any] = {
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {"properties": {"driver": {"required": ["name"]}}, "required": ["driver"]},
                    "results": {
                        "items": {
                            "required": ["message"],
                            "properties": {"level": {"enum": ["none", "note", "warning", "error"]}},
                        }
                    },
                },
            }
        },
    },
}


def test_documents_are_read_lazily_and_errors_name_the_place(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text("a\nb\n")
    assert next(read_documents(str(tmp_path / "d.jsonl"), SCHEMA)).data == b"a"
    with pytest.raises(DataError, match=r"none\.parquet"):
        next(read_documents(str(tmp_path / "none.parquet"), SCHEMA))


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
