"""Rows around a column: a row that cannot be read is invalid, and repair never applies to it."""

import json
from pathlib import Path
from typing import Any

import pytest

from structout import validate
from structout.parsing import Policy
from tests.bolt import BOLT, Bolt
from tests.conftest import Shell

GOOD = '{"kind": "hex", "size_mm": 6}'
FIRST = json.dumps({"id": 1, "raw": GOOD})
ROWS = [
    (f"{GOOD[:-1]},}}", "the row is not JSON: a trailing comma, at character 29"),
    (GOOD.replace('"', "'"), "the row is not JSON: single quotes, at character 1"),
    (FIRST[:30], "the row is not JSON: cut off: a text is open at the end, character 30"),
    (GOOD, "the row has no column 'raw'"),
    ("[1]", "the row is not a JSON object"),
    ('{"raw": "{}", "raw": "{}"}', 'invalid row: the key "raw" occurs twice'),
]


@pytest.mark.parametrize("policy", [None, "any"])
@pytest.mark.parametrize(("row", "told"), ROWS)
def test_a_row_that_cannot_be_read_holds_no_document(
    tmp_path: Path, row: str, told: str, policy: Policy | None
) -> None:
    (tmp_path / "a.jsonl").write_text(f"{FIRST}\n{row}\n")
    for documents in (tmp_path / "a.jsonl", [FIRST, row]):
        rejected: list[Any] = []
        found = validate(documents, Bolt, column="raw", repair=policy, keep="id", rejects=rejected.append)
        assert (found.valid, found.repaired, found.invalid) == (1, 0, 1)
        (issue,) = found.sample[0].issues
        assert (issue.kind, issue.message.startswith(told)) == ("unreadable", True), issue
        assert rejected[0]["document"] == row


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_command_says_that_the_row_is_at_fault(tmp_path: Path, shell: Shell, jobs: str) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join([FIRST, *(row for row, _ in ROWS)]))
    words = ["validate", tmp_path / "a.jsonl", "-s", BOLT, "--column", "raw", "--repair", "lossless", "--jobs", jobs]
    done = shell(*words)
    assert (done.returncode, done.stderr.endswith("1 of 7 documents are valid.\n")) == (1, True)
    for line, (_, told) in zip(done.stdout.splitlines(), ROWS, strict=True):
        assert told in line


def test_a_column_of_null_is_there_and_a_mapping_without_the_column_has_none() -> None:
    found = validate([{"raw": GOOD}, {"raw": None}, {"id": 2}], Bolt, column="raw")
    assert [one.issues[0].message for one in found.sample] == ["null is not an object", "the row has no column 'raw'"]
