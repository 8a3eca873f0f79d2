"""A job on bolts and a model that answers at once, the same each time."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from structout.completion import Completion, Prompt, Usage
from structout.models import Scripted
from structout.pipeline.job import Job
from structout.pipeline.journal.tables import connect, packed_outcome, seal_of, unpacked_outcome
from structout.schema import Schema
from structout.strategies import Prompted, Reask
from tests.bolt import BOLT, Bolt
from tests.conftest import Done, Shell


def number(prompt: Prompt) -> int:
    """The number that the record begins with."""
    record = next(message.content for message in prompt.messages if message.role == "user")
    return int(record.split("\n")[1].split()[0])


def bolt(prompt: Prompt) -> Completion:
    """Says no to multiples of seven, at a cost that depends on the number only."""
    n = number(prompt)
    text = "no" if n % 7 == 0 else json.dumps({"kind": "hex", "size_mm": n})
    return Completion(text, Usage(calls=1, input_tokens=10 + n % 3, output_tokens=5))


class Exact(Scripted):
    """Counts the tokens of a prompt itself: always as many."""

    tokens = 12

    def encode(self, prompt: Prompt) -> list[int]:
        return [0] * self.tokens


@pytest.fixture
def model() -> Scripted:
    return Scripted(bolt)


@pytest.fixture
def job(model: Scripted) -> Job:
    return Job(Schema.of(Bolt), model, Reask(Prompted()))


@pytest.fixture
def bolts(tmp_path: Path) -> Callable[[int], Path]:
    """Writes a JSONL file of so many bolts."""

    def write(count: int) -> Path:
        path = tmp_path / "bolts.jsonl"
        lines = (json.dumps({"id": f"k{n}", "text": f"{n} mm bolt"}) for n in range(1, count + 1))
        path.write_text("\n".join(lines))
        return path

    return write


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a JSONL file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


# Notes what it was asked, and takes a little time over it, so that a kill has something to hit.
MODEL = """
import os, time
from tests.pipeline.conftest import bolt, number

class Model:
    name = "tiny"

    def complete(self, prompts):
        time.sleep(float(os.environ.get("PAUSE", 0)))
        with open(os.environ["ASKED"], "a") as asked:
            asked.write("".join(f"{number(prompt)}\\n" for prompt in prompts))
        return [bolt(prompt) for prompt in prompts]
"""


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments that all runs here have."""
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    return ["--schema", BOLT, "--model", f"py:{tmp_path / 'model.py'}:Model", "--strategy", "Prompted()", "--key", "id"]


def asked(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "asked").read_text().split()]


COUNT = 90  # rows of a run that is done


@dataclass(frozen=True)
class Run:
    """A run that is done, to damage the journal of and to repeat."""

    folder: Path
    shell: Shell
    before: tuple[bytes, bytes]

    @property
    def journal(self) -> Path:
        return self.folder / "out.jsonl.journal"

    @property
    def files(self) -> tuple[bytes, bytes]:
        return tuple((self.folder / f"out.jsonl{end}").read_bytes() for end in ("", ".quarantine.jsonl"))  # type: ignore[return-value]

    @property
    def aside(self) -> list[Path]:
        return sorted(self.folder.glob("*.damaged*"))

    def again(self, *options: str) -> Done:
        """The same command; it must not end in a traceback."""
        (self.folder / "asked").unlink(missing_ok=True)
        words = ["--model", f"py:{self.folder / 'model.py'}:Model", "--strategy", "Prompted()", "--key", "id"]
        out = self.folder / "out.jsonl"
        done = self.shell("run", "--schema", BOLT, "-i", self.folder / "bolts.jsonl", "-o", out, *words, *options)
        assert "Traceback" not in done.stderr
        assert "make room" not in done.stderr
        return done

    def asked(self) -> list[int]:
        place = self.folder / "asked"
        return [int(line) for line in place.read_text().split()] if place.exists() else []

    def change(self, *statements: str, sealed: bool = False) -> None:
        """Change the journal by SQL; `sealed` writes the checksums as whoever forges it would."""
        db = connect(str(self.journal))
        for statement in statements:
            db.execute(statement)
        if sealed:
            db.execute("UPDATE outcomes SET seal = seal(position, digest, status, data)")
            db.execute("UPDATE completions SET seal = seal(key, data)")
            db.execute(f"UPDATE spent SET seal = {seal_of('spent')}")
            db.execute("UPDATE about SET seal = seal(name, value)")
        db.close()

    def forge(self, position: int, change: Callable[[dict[str, Any]], object]) -> None:
        """Write another outcome in the place of one, with the right checksum."""
        db = connect(str(self.journal))
        (dictionary,) = db.execute("SELECT value FROM about WHERE name = 'dictionary'").fetchone()
        (data,) = db.execute("SELECT data FROM outcomes WHERE position = ?", [position]).fetchone()
        row = unpacked_outcome(data, dictionary).to_json()
        change(row)
        query = "UPDATE outcomes SET data = ?1, seal = seal(position, digest, status, ?1) WHERE position = ?2"
        db.execute(query, [packed_outcome(json.dumps(row).encode(), dictionary), position])
        db.close()


@pytest.fixture
def run(tmp_path: Path, bolts: Callable[[int], Path], shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    bolts(COUNT)
    first = Run(tmp_path, shell, (b"", b""))
    assert first.again().returncode == 1
    return Run(tmp_path, shell, first.files)
