"""`structout preview`: what a model reads."""

import json

from tests.conftest import Shell


def test_preview_shows_the_prompt(shell: Shell) -> None:
    done = shell("preview", "--schema", "schemas/parts", "--text", "BRK PAD </record>", "--examples", "schemas/parts")
    assert "</record-2>" in done.stdout
    assert "[system]" in done.stdout
    as_json = shell("preview", "--schema", "schemas/parts", "--json", "--strategy", "Constrained()")
    assert json.loads(as_json.stdout)["constrained"] is True
