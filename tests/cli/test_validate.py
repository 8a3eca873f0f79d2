"""`structout validate`, the gate."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import GOOD
from tests.conftest import BOLT, Shell


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
