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
from pydantic import BaseModel

from structout import DataError, Schema
from structout.errors import StructoutWarning
from structout.gate.findings import Findings, Thresholds
from structout.gate.gate import Gate
from structout.gate.reports import FORMATS
from structout.tables.documents import Document, read_documents
from structout.tables.layout import PROVENANCE
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
