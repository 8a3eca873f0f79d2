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


def test_a_change_in_a_long_line_is_in_the_picture(shell: Shell) -> None:
    text = f'{{"kind": "hex", "note": "{"long " * 100}", "size_mm": 6,}}'
    shown = shell("repair", "--schema", BOLT, "--edits", stdin=text).stderr
    assert "@@ line 1, character 540: comma" in shown
    assert '", "size_mm": 6,}' in shown
    assert '", "size_mm": 6}' in shown
    assert max(map(len, shown.splitlines())) < 200
    quotes = f"{{'kind': 'hex', {'x' * 300!r}: 1, 'size_mm': 6}}"
    hunks = shell("repair", "--schema", BOLT, "--edits", "--policy", "any", stdin=quotes).stderr.split("@@ ")
    assert len([one for one in hunks if "quotes" in one]) == 2


def test_two_answers_are_told_apart_by_what_differs(shell: Shell) -> None:
    one, two = (json.dumps({"kind": "hex", "note": "long " * 30, "size_mm": size}) for size in (6, 7))
    done = shell("repair", "--schema", BOLT, stdin=f"{one}\nor\n{two}")
    assert "{… /size_mm: 6 …} and {… /size_mm: 7 …}" in done.stderr


def test_a_null_that_repair_put_there_is_named_by_what_stood_there(shell: Shell) -> None:
    done = shell("repair", "--schema", BOLT, "--policy", "any", stdin='{"kind": "hex", "size_mm": NaN, "note": null}')
    assert (done.returncode, done.stderr) == (1, "structout: /size_mm: NaN is not a number\n")


def test_the_options_of_repair_are_those_of_python(shell: Shell) -> None:
    cut = '{"kind": "hex", "size_mm": 6'
    assert shell("repair", "--schema", BOLT, "--complete", stdin=cut).returncode == 0
    done = shell("repair", "--schema", BOLT, stdin='{"kind": "hex", "size_mm": "1,200"}')
    assert "or give the decimal sign (decimal='.' or decimal=',')" in done.stderr
    assert shell("repair", "--schema", BOLT, "--decimal", "x", stdin=cut).returncode == 2


def test_json_names_the_key_that_is_missing(shell: Shell) -> None:
    done = shell("repair", "--schema", BOLT, "--json", stdin='{"kind": "hex"}')
    assert [issue["key"] for issue in json.loads(done.stdout)["issues"]] == ["size_mm"]
