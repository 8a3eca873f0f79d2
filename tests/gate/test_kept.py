"""Kept columns beside the lines of documents: a person finds the row by its id."""

import json
from pathlib import Path

import pytest

from structout import SpecError, validate
from structout.gate.reports import FORMATS
from tests.bolt import BOLT, Bolt
from tests.conftest import Shell

ODD = '{"kind": "hex", "size_mm": 6, "note": "\\frac"}'
TEXTS = {"r1": '{"kind": "hex", "size_mm": 6}', "r2": "I cannot say", "r3": "{'kind': 'hex', 'size_mm': 6}", "r4": ODD}


def write(folder: Path) -> Path:
    rows = (json.dumps({"id": name, "mail": "m" * 500 + "\n", "raw": text}) for name, text in TEXTS.items())
    (folder / "a.jsonl").write_text("\n".join(rows))
    return folder / "a.jsonl"


def test_messages_and_reports_name_the_row_by_its_kept_columns(tmp_path: Path, shell: Shell) -> None:
    targets = [word for name in FORMATS for word in ("--report", f"{name}={tmp_path / name}")]
    words = ["validate", write(tmp_path), "-s", BOLT, "--column", "raw", "--repair", "lossless"]
    done = shell(*words, "--keep", "id", *targets)
    assert done.returncode == 1
    assert done.stdout == f"{tmp_path / 'a.jsonl'}:2 (id=r2): (document): no JSON in the text\n"
    assert "looks wrong: line 4 (id=r4)." in done.stderr.replace("holds values that look", "looks")
    told = {name: (tmp_path / name).read_text() for name in FORMATS}
    for name in ("html", "github", "sarif", "junit"):
        assert "id=r2" in told[name], name
    assert f"| `{tmp_path / 'a.jsonl'}:2` id=r2 | no JSON in the text |" in told["md"]
    assert "An example is line 2 (id=r2): no JSON in the text." in told["md"]
    found = json.loads(told["json"])
    assert [found[part][0]["id"] for part in ("sample", "mended", "doubtful")] == ["r2", "r3", "r4"]
    assert "id=r3" in told["html"]


def test_long_cells_are_cut_and_stay_in_one_line(tmp_path: Path, shell: Shell) -> None:
    done = shell("validate", write(tmp_path), "-s", BOLT, "--column", "raw", "--keep", "all")
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith(f"{tmp_path / 'a.jsonl'}:2 (id=r2, mail={'m' * 39}…, raw=I cannot")
    assert all(len(line) < len(str(tmp_path)) + 250 for line in done.stdout.splitlines())


def test_a_program_keeps_columns_without_any_output(tmp_path: Path) -> None:
    found = validate(write(tmp_path), Bolt, column="raw", keep="id")
    assert [one.kept for one in found.sample] == [{"id": "r2"}, {"id": "r3"}]
    assert str(found.sample[0]).endswith("a.jsonl:2 (id=r2): (document): no JSON in the text")


def test_a_document_has_no_columns_to_keep(tmp_path: Path, shell: Shell) -> None:
    assert shell("validate", write(tmp_path), "-s", BOLT, "--keep", "id").returncode == 2
    with pytest.raises(SpecError, match="keep is for column"):
        validate(write(tmp_path), Bolt, keep="id")
