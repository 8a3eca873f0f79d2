"""The rows that pass and the rejected rows, for programs and for the command."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from structout import DataError, SpecError, validate
from tests.bolt import BOLT, Bolt
from tests.conftest import Shell

GOOD = '{"kind": "hex", "size_mm": 6}'
ROWS = [
    {"id": 1, "raw": GOOD},
    {"id": 2, "raw": GOOD.replace('"', "'")},
    {"id": 3, "raw": "I cannot say"},
    {"id": 4, "raw": '{"kind": "hex", "size_mm": 12345678901234567890.10}'},
]


def write(file: Path) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return file


@pytest.mark.parametrize("provenance", [True, False])
def test_a_program_gets_the_rows_that_the_command_writes(tmp_path: Path, shell: Shell, provenance: bool) -> None:
    source = write(tmp_path / "in.jsonl")
    by_command, by_program = [(tmp_path / f"{who}_ok", tmp_path / f"{who}_no") for who in ("command", "program")]
    words = ["validate", source, "-s", BOLT, "--column", "raw", "--repair", "lossless", "--keep", "id"]
    shell(*words, "-o", by_command[0], "--rejects", by_command[1], *(["--provenance"] if provenance else []))
    ok, no = by_program
    options: dict[str, Any] = {"column": "raw", "repair": "lossless", "keep": "id", "provenance": provenance}
    found = validate(source, Bolt, output=ok, rejects=str(no), **options)
    assert (found.valid, found.repaired, found.invalid) == (2, 1, 1)
    assert [one.read_bytes() for one in by_program] == [one.read_bytes() for one in by_command]
    assert "12345678901234567890.10" in ok.read_text()
    for documents in (source, ROWS, list(map(json.dumps, ROWS))):
        passed: list[Any] = []
        rejected: list[Any] = []
        validate(documents, Bolt, output=passed.append, rejects=rejected.append, **options)
        assert passed == list(map(json.loads, ok.read_text().splitlines()))
        assert rejected == list(map(json.loads, no.read_text().splitlines()))


def test_provenance_marks_what_was_repaired_and_is_no_part_of_a_document(tmp_path: Path, shell: Shell) -> None:
    source, out = write(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    words = ["validate", source, "-s", BOLT, "--column", "raw", "--repair", "lossless", "-o", out]
    shell(*words, "--provenance")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["_status"], len(row["_edits"])) for row in rows] == [("valid", 0), ("repaired", 3), ("valid", 0)]
    assert rows[1]["_edits"][0] == {
        "kind": "quotes",
        "grade": "lossless",
        "where": 1,
        "before": "'kind'",
        "after": '"kind"',
    }
    closed = {**Bolt.model_json_schema(), "additionalProperties": False}
    (tmp_path / "closed.json").write_text(json.dumps(closed))
    for schema in (BOLT, tmp_path / "closed.json"):
        assert shell("validate", out, "-s", schema).returncode == 0
    shell(*words)
    assert not any(name.startswith("_") for line in out.read_text().splitlines() for name in json.loads(line))
    own = {"type": "object", "properties": {"_status": {}}}
    with pytest.raises(SpecError, match="own field '_status'"):
        validate(["{}"], own, output=print, provenance=True)
    assert shell("validate", source, "-s", BOLT, "--provenance").returncode == 2


def test_a_file_of_rows_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    (tmp_path / "in.json").write_text(f"[{GOOD}, {GOOD}]")
    validate(tmp_path / "in.json", Bolt, output=out)
    assert out.read_text().count("\n") == 2
    before = out.read_text()
    with pytest.raises(DataError):
        validate(tmp_path / "none.jsonl", Bolt, output=out)
    with pytest.raises(SpecError, match="the same file"):
        validate(out, Bolt, output=out)
    assert out.read_text() == before


class Login(BaseModel):
    """A record with a secret."""

    word: SecretStr


def test_a_program_that_names_what_cannot_be_done_is_told(tmp_path: Path) -> None:
    taken: list[Any] = []
    with pytest.raises(SpecError, match="keep is for column"):
        validate([GOOD], Bolt, keep="id", output=taken.append)
    with pytest.raises(SpecError, match="'kind' cannot be kept"):
        validate(ROWS, Bolt, column="raw", keep=["kind"], output=taken.append)
    with pytest.raises(SpecError, match="hides fields"):
        validate(["{}"], Login, rejects=tmp_path / "no.jsonl")
    with pytest.raises(DataError, match="no column 'answer'"):
        validate(ROWS, Bolt, column="answer")
    with pytest.raises(DataError, match="row 1: the column 'id' holds object, expected JSON"):
        validate([{"id": object(), "raw": GOOD}], Bolt, column="raw", keep="id", output=taken.append)
    with pytest.raises(SpecError, match="invalid output or rejects"):
        validate([GOOD], Bolt, output=taken)  # type: ignore[arg-type]
    assert taken == []
    validate([b"\xff"], Bolt, rejects=taken.append)
    assert taken.pop()["document"] == "\udcff"
    rows = [{"id": float("nan"), "raw": GOOD}, {"id": 1, "raw": float("nan")}, 7]
    found = validate(rows, Bolt, column="raw", keep="id", output=taken.append)
    assert (taken, found.invalid) == ([{"id": None, **json.loads(GOOD)}], 2)


def test_a_program_writes_the_reports_that_the_command_writes(tmp_path: Path, shell: Shell) -> None:
    source = write(tmp_path / "in.jsonl")
    names = ["json", "junit", "sarif", "github", "md"]
    by_command, by_program = ([f"{name}={tmp_path / who}.{name}" for name in names] for who in ("command", "program"))
    words = [word for target in by_command for word in ("--report", target)]
    shell("validate", source, "-s", BOLT, "--column", "raw", "--keep", "id", *words)
    validate(source, Bolt, column="raw", keep="id", report=by_program)
    for name in names:
        assert (tmp_path / f"program.{name}").read_text() == (tmp_path / f"command.{name}").read_text()
    validate(ROWS, Bolt, column="raw", report=f"html={tmp_path / 'gate.html'}")
    assert "The gate fails" in (tmp_path / "gate.html").read_text()


def test_reports_of_a_program_are_checked_before_documents(tmp_path: Path) -> None:
    for target in ("html", "pdf=gate.pdf", "html="):
        with pytest.raises(SpecError, match=r"invalid report: got .*, expected FORMAT=PATH"):
            validate(iter([GOOD]), Bolt, report=target)
    with pytest.raises(SpecError, match="are the same file"):
        validate([GOOD], Bolt, output=tmp_path / "a", report=[f"md={tmp_path / 'a'}"])


def test_a_report_of_a_program_tells_of_an_input_that_broke_off(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(GOOD + "\n")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(GOOD.encode() * 99)[:-9])
    with pytest.raises(DataError):
        validate(tmp_path, Bolt, report=f"md={tmp_path / 'gate.txt'}")
    assert "the input broke off" in (tmp_path / "gate.txt").read_text()
