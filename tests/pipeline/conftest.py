"""A job on bolts and a model that answers at once, the same each time."""

import io
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from structout import source
from structout.cli import main
from structout.completion import Completion, Prompt, Usage
from structout.models import Scripted
from structout.pipeline.job import Job
from structout.schema import Schema
from structout.strategies import Prompted, Reask
from tests.conftest import Bolt


def number(prompt: Prompt) -> int:
    """The number that the record begins with."""
    record = next(message.content for message in prompt.messages if message.role == "user")
    return int(record.split("\n")[1].split()[0])


def bolt(prompt: Prompt) -> Completion:
    """Says no to multiples of seven, at a cost that depends on the number only."""
    n = number(prompt)
    text = "no" if n % 7 == 0 else json.dumps({"kind": "hex", "size_mm": n})
    return Completion(text, Usage(calls=1, input_tokens=10 + n % 3, output_tokens=5))


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


Shell = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Shell:
    """Runs a command in this process, which saves the start of another."""

    def run(*words: str | Path, stdin: str = "") -> Done:
        monkeypatch.setattr("sys.argv", ["structout", *map(str, words)])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        for owner, name in ((warnings, "showwarning"), (sys, "excepthook"), (source, "_refused")):
            monkeypatch.setattr(owner, name, getattr(owner, name))  # which a command sets for its process
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfdbinary.readouterr()
        code = left.value.code
        return Done(code if isinstance(code, int) else 0, out.decode(), err.decode())

    return run


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a JSONL file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
