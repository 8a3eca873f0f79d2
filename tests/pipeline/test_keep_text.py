"""`structout run --keep-text hash`: a complete run keeps no texts but its output."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.conftest import Shell
from tests.pipeline.conftest import rows
from tests.pipeline.test_forget import COUNT, asked, folder, holding, run, texts

__all__ = ["folder"]
HASH = ("--keep-text", "hash")


def held(folder: Path) -> set[str]:
    """The files that hold a text of any row, apart from keys."""
    return {
        name for n in range(1, COUNT + 1) for name, found in holding(folder, n).items() if set(found) - {texts(n)[0]}
    }


def test_a_complete_run_keeps_texts_in_its_output_alone(folder: Path, shell: Shell) -> None:
    done = run(shell, folder, "out.jsonl", *HASH, "--metrics", folder / "metrics")
    assert done.returncode == 1
    assert held(folder) == {"out.jsonl"}
    assert b"Answer with" not in (folder / "out.jsonl.journal").read_bytes()
    assert len(rows(folder / "out.jsonl")) == 18
    other = rows(folder / "out.jsonl.quarantine.jsonl")[0]
    assert (other["key"], other["status"], other["input"], other["document"]) == ("key-007x", "invalid", None, None)
    assert [issue["kind"] for issue in other["issues"]] == ["not_json"]
    assert [one["text"] for one in other["attempts"]] == [""]
    assert other["tokens"] == 7
    row = json.loads((folder / "in.jsonl").read_text().splitlines()[6])
    written = json.dumps(row, sort_keys=True).encode()
    assert other["input_hash"] == hashlib.blake2b(written, digest_size=16).hexdigest()


def test_the_same_command_finds_it_complete_and_touches_no_file(folder: Path, shell: Shell) -> None:
    run(shell, folder, "out.jsonl", *HASH)
    before = {file.name: file.read_bytes() for file in folder.glob("out*l")}
    for options in (HASH, ()):
        again = run(shell, folder, "out.jsonl", *options)
        assert (again.returncode, asked(folder)) == (1, [])
        assert f"20 rows in = 18 to {folder / 'out.jsonl'} + 2 to " in again.stderr
        assert {file.name: file.read_bytes() for file in folder.glob("out*l")} == before


@pytest.mark.parametrize("change", ["more rows", "other rows", "no output", "retry"])
def test_a_complete_run_with_something_left_to_do_is_refused_and_starts_afresh(
    change: str, folder: Path, shell: Shell
) -> None:
    run(shell, folder, "out.jsonl", *HASH)
    place = folder / "in.jsonl"
    if change == "more rows":
        place.write_text(place.read_text() + '\n{"id": "key-099x", "text": "99 mm bolt"}')
    elif change == "other rows":
        place.write_text(place.read_text().replace("1 mm bolt of", "2 mm bolt of"))
    elif change == "no output":
        (folder / "out.jsonl").unlink()
    options = ["--retry-quarantine"] if change == "retry" else []
    refused = run(shell, folder, "out.jsonl", *options)
    said = "of the input differs from" if change == "other rows" else "keeps no texts"
    assert (refused.returncode, said in refused.stderr, asked(folder)) == (2, True, [])
    assert run(shell, folder, "out.jsonl", "--fresh").returncode == 1
    assert len(asked(folder)) >= COUNT
    assert "out.jsonl.journal" in held(folder), "this run keeps its texts"


def test_a_run_that_stopped_keeps_its_answers_until_it_is_complete(folder: Path, shell: Shell) -> None:
    stopped = run(shell, folder, "out.jsonl", *HASH, "--budget-tokens", "1100")
    first = asked(folder)
    assert (stopped.returncode, 0 < len(first) < COUNT) == (3, True)
    assert "out.jsonl.journal" in held(folder)
    assert run(shell, folder, "out.jsonl", *HASH).returncode == 1
    assert not set(first) & set(asked(folder))
    assert held(folder) == {"out.jsonl"}


def test_rows_on_which_the_model_failed_are_asked_again(folder: Path, shell: Shell) -> None:
    model = folder / "model.py"
    whole = model.read_text()
    answer = "    def answer(self, n):\n"
    model.write_text(whole.replace(answer, f"{answer}        if n == 5: raise OSError('down')\n"))
    assert run(shell, folder, "out.jsonl", *HASH).returncode == 3
    assert "out.jsonl.quarantine.jsonl" not in held(folder)
    model.write_text(whole)
    assert run(shell, folder, "out.jsonl", *HASH).returncode == 1
    assert asked(folder) == [5]
    assert held(folder) == {"out.jsonl"}


def test_a_row_can_be_forgotten_afterwards(folder: Path, shell: Shell) -> None:
    run(shell, folder, "out.jsonl", *HASH)
    assert shell("forget", folder / "out.jsonl.journal", "--key", "key-003x").returncode == 0
    assert holding(folder, 3) == {}
    assert run(shell, folder, "out.jsonl", *HASH).stderr.endswith(" + 1 forgotten\n")
