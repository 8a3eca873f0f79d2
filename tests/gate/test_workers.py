"""Several processes judge as one does, in the same order."""

import json
import os
from pathlib import Path

import pytest

from structout.gate.gate import Gate
from structout.gate.workers import in_processes, judgements
from structout.schema import Schema
from structout.tables.documents import Document
from tests.bolt import BOLT
from tests.conftest import Shell

DEADLY = """
import os
from pydantic import BaseModel, field_validator

PARENT = os.environ["PARENT"]

class Bolt(BaseModel):
    size: int

    @field_validator("size")
    @classmethod
    def checked(cls, size: int) -> int:
        if size == 7 and os.getpid() != int(PARENT):
            os._exit(9)
        return size
"""


def test_processes_find_what_one_finds(tmp_path: Path, shell: Shell) -> None:
    texts = [
        "no",
        '{"kind": "hex"}',
        "{'kind': 'hex', 'size_mm': 6}",
        '{"kind": "hex", "size_mm": 1, "note": "a\\u0007b"}',
    ]
    many = [texts[place % 40] if place % 40 < 4 else '{"kind": "hex", "size_mm": 6}' for place in range(2_500)]
    (tmp_path / "d.jsonl").write_text("\n".join(many))
    command = ["validate", tmp_path / "d.jsonl", "--schema", BOLT, "--repair", "lossless", "--json"]
    more = ["--min-valid", "0.5", "--min-field", "size_mm=0.9"]
    one = shell(*command, *more, "-o", tmp_path / "one.jsonl", "--rejects", tmp_path / "no.jsonl")
    two = shell(*command, *more, "-o", tmp_path / "two.jsonl", "--rejects", tmp_path / "none.jsonl", "--jobs", "2")
    assert (one.returncode, one.stdout, one.stderr) == (two.returncode, two.stdout, two.stderr)
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert (tmp_path / "no.jsonl").read_bytes() == (tmp_path / "none.jsonl").read_bytes()


def test_documents_of_a_process_that_dies_are_judged_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARENT", str(os.getpid()))
    (tmp_path / "deadly.py").write_text(DEADLY)
    source = f"{tmp_path / 'deadly.py'}:Bolt"
    gate = Gate(Schema.of(source))
    sizes = [7 if line == 900 else line or "x" for line in range(4_000)]
    documents = [Document(line, json.dumps({"size": size}).encode()) for line, size in enumerate(sizes)]
    found = list(in_processes(gate, documents, source=source, jobs=2))
    assert found == list(judgements(gate, documents))
