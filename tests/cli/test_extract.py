"""`structout extract`: records in, documents out."""

import gzip
import json
from pathlib import Path

import pytest

from tests.bolt import BOLT
from tests.cli.conftest import GOOD
from tests.conftest import Shell, run


def test_extract_from_a_pipe(script: str) -> None:
    done = run("extract", "--schema", BOLT, "--model", script, stdin="M6 bolt\n\nM8 bolt\n")
    assert [json.loads(line)["size_mm"] for line in done.stdout.splitlines()] == [6.0, 8.0]
    assert done.returncode == 0


def test_extract_keeps_a_line_for_a_record_that_failed(script: str, tmp_path: Path, shell: Shell) -> None:
    lines = ['{"text": "M6 bolt"}', '{"text": "bad"}', '{"name": "no text"}', "{", '{"text": "M8"}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    words = ["extract", str(tmp_path / "in.jsonl"), "--schema", BOLT, "--model", script]
    done = shell(*words)
    assert [json.loads(line) is not None for line in done.stdout.splitlines()] == [True, False, False, False, True]
    assert done.returncode == 1
    assert "record 2: invalid" in done.stderr
    rows = [json.loads(line) for line in shell(*words, "--json").stdout.splitlines()]
    assert [row["status"] for row in rows] == ["valid", "invalid", "invalid", "invalid", "valid"]
    assert rows[1]["usage"]["calls"] == 2


def test_extract_says_how_sure_a_leaf_is_and_where_it_was_found(script: str, shell: Shell) -> None:
    words = ["extract", "--schema", BOLT, "--model", script, "--text", "M6 hex", "--json", "--strategy"]
    row = json.loads(shell(*words, "Verify(Prompted(), Grounded())").stdout)
    assert row["spans"] == {"/size_mm": [1, 2]}
    voted = json.loads(shell(*words, "Vote(Prompted(), n=3)").stdout)
    assert voted["confidence"]["/size_mm"] == 1.0
    assert {"confidence", "spans"}.isdisjoint(json.loads(shell(*words, "Prompted()").stdout))


def test_extract_says_how_often_the_token_limit_overruled_the_model(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "cut.py").write_text(
        "from structout import Completion\n"
        "class Model:\n"
        "    name = 'cut'\n"
        "    def complete(self, prompts):\n"
        "        found = [((28, 29),) if 'long' in one.messages[-1].content else () for one in prompts]\n"
        f"        return [Completion({GOOD!r}, steered=one) for one in found]\n"
    )
    words = ["extract", "--schema", BOLT, "--model", f"py:{tmp_path}/cut.py:Model", "--strategy", "Constrained()"]
    done = shell(*words, stdin="a long one\na short one\n")
    assert (done.returncode, done.stdout.count("hex")) == (0, 2)
    assert done.stderr.count("\n") == 1
    assert "overruled the model in 1 of 2 records" in done.stderr
    assert "--max-tokens" in done.stderr
    assert shell(*words, stdin="a short one\n").stderr == ""


def test_extract_of_nothing_and_of_bytes_that_are_no_text(script: str, shell: Shell) -> None:
    assert shell("extract", "--schema", BOLT, "--model", script).returncode == 4
    done = shell("extract", "--schema", BOLT, "--model", script, stdin=b"M6 \xff\xfe bolt\n")
    assert (done.returncode, json.loads(done.stdout)["size_mm"]) == (0, 6.0)


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl.gz"])
def test_extract_reads_what_run_reads(script: str, tmp_path: Path, name: str, shell: Shell) -> None:
    if name == "rows.csv":
        (tmp_path / name).write_text("id,record\n1,M6 bolt\n2,M8 bolt\n", encoding="utf-8-sig")
    else:
        rows = [{"record": "M6 bolt"}, {"record": "M8 bolt"}]
        (tmp_path / name).write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    done = shell("extract", tmp_path / name, "--column", "record", "--schema", BOLT, "--model", script)
    assert [json.loads(line)["size_mm"] for line in done.stdout.splitlines()] == [6.0, 8.0]
    missing = shell("extract", tmp_path / "nosuch.csv", "--schema", BOLT, "--model", script)
    assert (missing.returncode, missing.stdout) == (2, "")


def test_a_byte_order_mark_costs_no_record(script: str, tmp_path: Path, shell: Shell) -> None:
    for name, content in (("in.txt", "M6 bolt\nM8 bolt\n"), ("in.jsonl", '{"text": "M6"}\n{"text": "M8"}\n')):
        (tmp_path / name).write_text(content, encoding="utf-8-sig")
        data = (tmp_path / name).read_bytes()
        for done in (
            shell("extract", tmp_path / name, "--schema", BOLT, "--model", script, "--json"),
            shell("extract", "--schema", BOLT, "--model", script, "--json", stdin=data),
        ):
            assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["valid", "valid"], name
