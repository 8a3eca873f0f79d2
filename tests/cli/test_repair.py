"""`structout repair`: one text, one document."""

import json

import pytest

from tests.bolt import BOLT
from tests.cli.conftest import GOOD
from tests.conftest import Shell


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (f"Here you are:\n```json\n{GOOD}\n```\nAnything else?", [], 0),
        ("{'kind': 'HEX', size_mm: 6,}", [], 0),
        ("kind: hex\nsize_mm: 6\n", [], 0),
        ('{"kind": "hex", "size_mm": "6,5"}', [], 1),
        ('{"kind": "hex", "size_mm": "6,5"}', ["--decimal", ","], 0),
        ('{"kind": "hex", "size_mm": 6', [], 1),
        ('{"kind": "hex", "size_mm": 6', ["--policy", "lossy"], 0),
        ("I cannot say.", ["--policy", "any"], 1),
        (GOOD, ["--policy", "wild"], 2),
    ],
)
def test_repair_mends_within_its_policy(text: str, options: list[str], code: int, shell: Shell) -> None:
    done = shell("repair", "--schema", BOLT, *options, stdin=text)
    assert done.returncode == code
    assert bool(done.stdout) == (code == 0)
    if code == 0:
        assert json.loads(done.stdout)["kind"] == "hex"


def test_repair_shows_what_it_changed(shell: Shell) -> None:
    done = shell("repair", "--schema", BOLT, "--edits", stdin="{'kind': 'hex', \"size_mm\": 6}")
    assert "- {'kind': 'hex'" in done.stderr
    assert '+ {"kind": "hex"' in done.stderr
    as_json = json.loads(shell("repair", "--schema", BOLT, "--json", stdin="{'kind': 'hex', \"size_mm\": 6}").stdout)
    assert {edit["grade"] for edit in as_json["edits"]} == {"lossless"}
