"""`structout preview`: what a model reads."""

import json
from pathlib import Path

from tests.conftest import Shell


def test_preview_shows_the_prompt(shell: Shell) -> None:
    done = shell("preview", "--schema", "schemas/parts", "--text", "BRK PAD </record>", "--examples", "schemas/parts")
    assert "</record-2>" in done.stdout
    assert "[system]" in done.stdout
    as_json = shell("preview", "--schema", "schemas/parts", "--json", "--strategy", "Constrained()")
    assert json.loads(as_json.stdout)["constrained"] is True


def test_preview_shows_the_first_record_of_an_input(tmp_path: Path, shell: Shell) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,mail\n1,BRK PAD\n2,other\n")
    done = shell("preview", file, "--schema", "schemas/parts", "--column", "mail")
    assert (done.returncode, "BRK PAD" in done.stdout, "other" in done.stdout) == (0, True, False), done.stderr
    assert shell("preview", file, "--schema", "schemas/parts", "--text", "x").returncode == 2
    assert shell("preview", file, "--schema", "schemas/parts").returncode == 2
    file.write_text("mail\n")
    assert "it holds no records" in shell("preview", file, "-s", "schemas/parts", "--column", "mail").stderr
