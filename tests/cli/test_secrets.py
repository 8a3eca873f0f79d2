"""Files with secrets and excluded fields: refused until the command says what is meant."""

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT, Shell

SCHEMA = """
from pydantic import BaseModel, Field, SecretStr, computed_field

class Account(BaseModel):
    user: str
    token: SecretStr
    note: str = Field("", exclude=True)

    @computed_field
    def shout(self) -> str:
        return self.user.upper()
"""
ANSWER = {"user": "ann", "token": "s3cret", "note": "new"}
HIDDEN = {"user": "ann", "token": "**********", "shout": "ANN"}


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments for a schema that hides fields, and a model that fills them in."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "schema.py").write_text(SCHEMA)
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": "ann"}))
    (tmp_path / "script.json").write_text(json.dumps({"ann": json.dumps(ANSWER)}))
    return ["--schema", f"{tmp_path / 'schema.py'}:Account", "--model", f"scripted:{tmp_path / 'script.json'}"]


@pytest.mark.parametrize(("option", "found"), [("--write-secrets", ANSWER), ("--by-serialization", HIDDEN)])
def test_a_run_says_what_it_writes_of_hidden_fields(
    words: list[str], tmp_path: Path, shell: Shell, option: str, found: object
) -> None:
    command = ["run", tmp_path / "in.jsonl", *words, "--strategy", "Prompted()", "--bare"]
    refused = shell(*command, "-o", tmp_path / "out.jsonl")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "Account hides fields that a file would show: token, note" in refused.stderr
    assert not (tmp_path / "out.jsonl").exists()
    assert shell(*command, "-o", tmp_path / "out.jsonl", option).returncode == 0
    assert json.loads((tmp_path / "out.jsonl").read_text()) == found


def test_a_table_has_the_columns_that_are_written(words: list[str], tmp_path: Path, shell: Shell) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    options = ["--strategy", "Prompted()", "--bare", "--by-serialization", "-o", tmp_path / "out.parquet"]
    assert shell("run", tmp_path / "in.jsonl", *words, *options).returncode == 0
    assert parquet.read_table(tmp_path / "out.parquet").to_pylist() == [HIDDEN]


def test_labels_logs_and_documents_that_pass_are_files_too(words: list[str], tmp_path: Path, shell: Shell) -> None:
    out = tmp_path / "out.jsonl"
    (tmp_path / "documents.jsonl").write_text(json.dumps(ANSWER))
    (tmp_path / "labelled.jsonl").write_text(json.dumps({"text": "ann", "expected": ANSWER}))
    way, log = ["--strategy", "Prompted()"], ["--log", tmp_path / "log.jsonl", "--html", tmp_path / "report.html"]
    for command in (
        ["label", tmp_path / "in.jsonl", *words, *way, "-o", out],
        ["bench", tmp_path / "labelled.jsonl", *words, *way, "--split", "all", *log],
        ["validate", tmp_path / "documents.jsonl", *words[:2], "-o", out],
    ):
        refused = shell(*command)
        assert (refused.returncode, "add --write-secrets" in refused.stderr) == (2, True)
        assert shell(*command, "--write-secrets").returncode == 0
        if command[0] == "label":
            assert json.loads(out.read_text())["expected"] == ANSWER
    assert json.loads(out.read_text()) == ANSWER
    assert shell("validate", tmp_path / "documents.jsonl", *words[:2]).returncode == 0  # it writes no file
